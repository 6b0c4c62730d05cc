"""``stillhouse keys``: make, list and revoke the keys that callers send as their API key."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.registry.keys import HEADERS, SCOPES, USUAL_HEADERS, USUAL_SCOPES
from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import changing, looked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.registry.keys import Header, Key, Scope

_file_option: Callable[[Any], Any] = click.option(
    "--keys-file", type=click.Path(path_type=Path), help="The key file (default: keys.json in STILLHOUSE_HOME)."
)
_json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="One line of JSON.")


@click.group(help="Make, list and revoke API keys. A running gateway takes changes up by itself.")
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
@click.option("--note", default="", help="Your own words, shown in the list.")
@_file_option
@_json_option
def add(  # noqa: D103
    tenant: str,
    scopes: tuple[Scope, ...],
    headers: tuple[Header, ...],
    models: tuple[str, ...],
    expires: timedelta | None,
    note: str,
    keys_file: Path | None,
    as_json: bool,
) -> None:
    from router.registry.keys import KeyStore

    now = datetime.now(UTC).replace(microsecond=0)
    end = None if expires is None else now + expires
    with _explained(), _changing(keys_file) as path:
        key, token = KeyStore.load(path).add(
            tenant, now=now, scopes=scopes, headers=headers, models=models, expires=end, note=note
        )
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


@command.command(help="End a key for good.")
@click.argument("key_id", metavar="ID")
@_file_option
def revoke(key_id: str, keys_file: Path | None) -> None:  # noqa: D103
    from router.registry.keys import KeyStore

    with _explained(), _changing(keys_file) as path:
        try:
            key = KeyStore(path).revoke(key_id, now=datetime.now(UTC).replace(microsecond=0))
        except KeyError:
            show.fail(f"there is no key {key_id!r}", "'stillhouse keys list' shows the ids.")
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
def _explained() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        show.fail(str(error))


def _public(key: Key) -> dict[str, object]:
    import msgspec

    shown: dict[str, object] = msgspec.to_builtins(key)
    del shown["sha256"]
    return shown


def _line(key: Key, now: datetime) -> list[str]:
    return [
        key.id,
        key.tenant,
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
