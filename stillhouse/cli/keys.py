"""``stillhouse keys``: make, list, change, rotate and revoke the keys that callers send as their API key."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.registry.keys import HEADERS, SCOPES, USUAL_HEADERS, USUAL_SCOPES
from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.key_limits import NONE, allowance_of, limit_options, lines_of, words_of
from stillhouse.cli.opening import changing, looked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.registry.keys import Header, Key, Scope

_file_option: Callable[[Any], Any] = click.option(
    "--keys-file", type=click.Path(path_type=Path), help="The key file (default: keys.json in STILLHOUSE_HOME)."
)
_json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="One line of JSON.")


@click.group(help="Make, list, change, rotate and revoke API keys. A running gateway takes changes up by itself.")
def command() -> None:  # noqa: D103
    pass


@command.command(help="Make a key. Its token is printed once, to standard output, and kept nowhere.")
@click.option("--tenant", required=True, help="Whom its requests are counted for.")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, default=USUAL_SCOPES, show_default=True)
@click.option(
    "--allow-header",
    "headers",
    type=click.Choice(HEADERS),
    multiple=True,
    default=USUAL_HEADERS,
    show_default=True,
    help="An x-stillhouse-… header that callers may send.",
)
@click.option("--model", "models", multiple=True, help="A model name that may be asked for (default: all).")
@click.option("--expires", type=DURATION, metavar="SPAN", help="Ends by itself after 30d, 8w … (default: never).")
@click.option("--team", help="The team of the tenant that it belongs to; teams have limits in stillhouse.yaml.")
@click.option("--tag", "tags", multiple=True, help="A tag that all its requests bear, for rules and the ledger.")
@limit_options(clears=False)
@click.option("--note", default="", help="Your own words, shown in the list.")
@_file_option
@_json_option
def add(  # noqa: D103
    tenant: str,
    scopes: tuple[Scope, ...],
    headers: tuple[Header, ...],
    models: tuple[str, ...],
    expires: timedelta | None,
    team: str | None,
    tags: tuple[str, ...],
    note: str,
    keys_file: Path | None,
    as_json: bool,
    **limits: float | None,
) -> None:
    from router.registry.keys import KeyStore

    now = datetime.now(UTC).replace(microsecond=0)
    end = None if expires is None else now + expires
    with _explained(), _changing(keys_file) as path:
        key, token = KeyStore.load(path).add(
            tenant, now=now, scopes=scopes, headers=headers, models=models, expires=end, note=note,
            team=team, tags=tags, limits=allowance_of(limits),
        )  # fmt: skip
    if as_json:
        show.json_line({"token": token, **_public(key)})
        return
    show.note(f"Key {key.id} for tenant {key.tenant}. This is the only time the token is shown; keep it safe:")
    show.line(token)


@command.command(name="list", help="List the keys; never their tokens.")
@_file_option
@_json_option
def list_keys(keys_file: Path | None, as_json: bool) -> None:  # noqa: D103
    from router.registry.keys import KeyStore

    with _explained():
        keys = KeyStore.load(keys_file or looked() / "keys.json").keys
    now = datetime.now(UTC)
    if as_json:
        show.json_line([_public(key) for key in keys])
    elif not keys:
        show.line("There are no keys yet. Make one with 'stillhouse keys add --tenant NAME'.")
    else:
        columns = ["id", "tenant", "scopes", "headers", "models", "created", "state", "note"]
        show.table(columns, [_line(key, now) for key in keys])


@command.command(help="Change what a key may do and use; its token stays. What is not said stays as it is.")
@click.argument("key_id", metavar="ID")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Instead of the scopes it has.")
@click.option("--allow-header", "headers", type=click.Choice(HEADERS), multiple=True, help="Instead of those it has.")
@click.option("--model", "models", multiple=True, help="Instead of the models it may name; 'all' for every one.")
@click.option("--expires", type=DURATION, metavar="SPAN", help="Ends by itself so long from now.")
@click.option("--team", help="Another team of its tenant; 'none' for no team.")
@click.option("--tag", "tags", multiple=True, help="Instead of the tags it has; 'none' for no tag.")
@click.option("--note", help="Your own words.")
@limit_options(clears=True)
@_file_option
@_json_option
def edit(  # noqa: D103
    key_id: str,
    expires: timedelta | None,
    team: str | None,
    note: str | None,
    keys_file: Path | None,
    as_json: bool,
    **said: Any,
) -> None:
    import msgspec

    from router.registry.keys import KeyStore

    lists = {name: tuple(said.pop(name)) for name in ("scopes", "headers", "models", "tags")}

    def change(key: Key) -> Key:
        new: dict[str, Any] = {name: value for name, value in lists.items() if value}
        if lists["models"] == ("all",):
            new["models"] = ()
        if lists["tags"] == (NONE,):
            new["tags"] = ()
        if team is not None:
            new["team"] = None if team == NONE else team
        if note is not None:
            new["note"] = note
        if expires is not None:
            new["expires"] = datetime.now(UTC).replace(microsecond=0) + expires
        return msgspec.structs.replace(key, limits=allowance_of(said, key.limits), **new)

    with _explained(), _known(key_id), _changing(keys_file) as path:
        key = KeyStore.load(path).edit(key_id, change)
    if as_json:
        show.json_line(_public(key))
    else:
        show.line(f"Key {key.id} of tenant {key.tenant} is changed; its limits: {words_of(key)}.")


@command.command(help="Give a key another token; the one it had is good for a while. Id, rights and limits stay.")
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap", type=DURATION, metavar="SPAN", help="How long the old token stays good (default: not at all)."
)
@_file_option
@_json_option
def rotate(key_id: str, overlap: timedelta | None, keys_file: Path | None, as_json: bool) -> None:  # noqa: D103
    from router.registry.keys import KeyStore

    now = datetime.now(UTC).replace(microsecond=0)
    with _explained(), _known(key_id), _changing(keys_file) as path:
        key, token = KeyStore.load(path).rotate(key_id, now=now, overlap=overlap or timedelta())
    if as_json:
        show.json_line({"token": token, **_public(key)})
        return
    old = f"The old one is good until {now + overlap:%Y-%m-%d %H:%M} UTC." if overlap else "The old one has ended."
    show.note(f"Key {key.id} has a new token, shown this once. {old}")
    show.line(token)


@command.command(help="Show what keys, teams and tenants have used of their limits, and what is left.")
@click.argument("key_id", metavar="[ID]", required=False)
@click.option("--config", type=click.Path(path_type=Path), help="The stillhouse.yaml of the gateway.")
@_file_option
@_json_option
def usage(key_id: str | None, config: Path | None, keys_file: Path | None, as_json: bool) -> None:  # noqa: D103
    from policies.mistakes import Mistakes
    from router.registry.home import home
    from router.registry.keys import KeyStore
    from router.serve.limits.owners import caps_of, usage_of, where_of
    from router.serve.limits.settings import LimitSettings
    from router.serve.settings import load_settings
    from router.state.store import StoreAway, open_store

    with _explained():
        try:
            settings = load_settings(config) if config else None
        except Mistakes as wrong:
            show.fail(str(wrong))
        chosen = keys_file or (Path(settings.keys_file).expanduser() if settings and settings.keys_file else None)
        limits = settings.limits if settings else LimitSettings()
        keys = [key for key in KeyStore.load(chosen or looked() / "keys.json").keys if key_id in (None, key.id)]
        if key_id is not None and not keys:
            show.fail(f"there is no key {key_id!r}", "'stillhouse keys list' shows the ids.")
        caps = [cap for key in keys for cap in caps_of(limits, key, key.tenant)]
        if key_id is None:
            caps += [cap for tenant in limits.tenants for cap in caps_of(limits, None, tenant)]
        store = open_store(where_of(limits), home() / "limits.db")
    every = list(dict.fromkeys(caps))
    try:
        now, kept = store.books(sorted({cap.subject for cap in every})) if every else (0, [])
    except StoreAway as away:
        show.fail(f"the store of limits does not answer: {away}")
    finally:
        store.close()
    lines = usage_of(every, {(each.subject, each.kind): each.book for each in kept}, now)
    if as_json:
        show.json_line(lines)
    elif not lines:
        show.line(
            "Nothing is limited. Limits are set with 'stillhouse keys edit ID --usd-per-day 5' or in stillhouse.yaml."
        )
    else:
        show.table(["whose", "limit", "allowed", "used", "held", "left"], lines_of(lines))


@command.command(help="End a key for good.")
@click.argument("key_id", metavar="ID")
@_file_option
def revoke(key_id: str, keys_file: Path | None) -> None:  # noqa: D103
    from router.registry.keys import KeyStore

    with _explained(), _known(key_id), _changing(keys_file) as path:
        key = KeyStore(path).revoke(key_id, now=datetime.now(UTC).replace(microsecond=0))
    show.line(f"Key {key.id} of tenant {key.tenant} is revoked since {_day(key.revoked)}.")


@contextlib.contextmanager
def _changing(chosen: Path | None) -> Iterator[Path]:
    """The key file, to be changed: the one that was named, else the registry's."""
    if chosen is not None:
        yield chosen
        return
    with changing() as place:
        yield place / "keys.json"


@contextlib.contextmanager
def _known(key_id: str) -> Iterator[None]:
    try:
        yield
    except KeyError:
        show.fail(f"there is no key {key_id!r}", "'stillhouse keys list' shows the ids.")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        show.fail(str(error))


def _public(key: Key) -> dict[str, object]:
    import msgspec

    shown: dict[str, object] = msgspec.to_builtins(key)
    del shown["sha256"]
    shown["former"] = [{"until": old.until.isoformat()} for old in key.former]
    return shown


def _line(key: Key, now: datetime) -> list[str]:
    return [
        key.id,
        f"{key.tenant}/{key.team}" if key.team else key.tenant,
        " ".join(key.scopes),
        " ".join(key.headers) or "none",
        " ".join(key.models) or "all",
        _day(key.created),
        _state(key, now),
        key.note,
    ]


def _state(key: Key, now: datetime) -> str:
    if key.revoked is not None:
        return f"revoked {_day(key.revoked)}"
    if key.expires is None:
        return "live"
    if key.expired(int(now.timestamp() * 1000)):
        return f"expired {_day(key.expires)}"
    return f"live until {_day(key.expires)}"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d")
