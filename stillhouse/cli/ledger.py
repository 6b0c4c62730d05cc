"""``stillhouse ledger``: where it lies, what it holds, exporting it, forgetting old requests and tenants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import explained, ledger_option, ledger_place

if TYPE_CHECKING:
    from typing import IO

_MIB = 1024 * 1024


@click.group(help="Look after the ledger: path, info, export, prune, erase.")
def command() -> None:  # noqa: D103
    pass


@command.command(help="Print where the ledger lies.")
@ledger_option
def path(ledger: str | None) -> None:  # noqa: D103
    show.line(str(ledger_place(ledger)))


@command.command(help="Say what the ledger holds.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def info(ledger: str | None, as_json: bool) -> None:  # noqa: D103
    import msgspec

    from router.ledger.captures import captures_path, held
    from router.ledger.place import waiting_room
    from router.ledger.read import Reader

    file = ledger_place(ledger)
    with explained(file), Reader(file) as reader:
        holds = reader.info()
        texts = held(captures_path(file))
    size = _size(file) if isinstance(file, Path) else None
    room = waiting_room(file)
    waiting = len(list(room.parent.glob(f"{room.name}.spill-*")))
    if as_json:
        shown = {
            "path": str(file),
            "bytes": size,
            "waiting_files": waiting,
            "captures": texts.captures,
            **msgspec.to_builtins(holds),
        }
        show.json_line(shown)
        return
    rows = [
        ["file" if isinstance(file, Path) else "server", str(file)],
        ["size", "the server knows" if size is None else f"{size / _MIB:,.1f} MiB"],
        ["requests", f"{holds.requests:,}"],
        ["attempts", f"{holds.attempts:,}"],
        ["oldest", _minute(holds.first_ms)],
        ["newest", _minute(holds.last_ms)],
        ["pruned", f"{holds.pruned_requests:,} requests, kept as sums of {holds.pruned_days:,} days"],
        ["shape", holds.migrations[-1]],
    ]
    if texts.captures:
        rows.append(["captures", f"{texts.captures:,} of {', '.join(texts.tenants)}, since {_minute(texts.first_ms)}"])
    if waiting:
        rows.append(["waiting", f"{waiting} files of records that the next commit or start brings in"])
    show.table(["ledger", ""], rows)


def _size(file: Path) -> int:
    parts = [file, file.with_name(f"{file.name}-wal")]
    return sum(part.stat().st_size for part in parts if part.exists())


def _minute(ms: int | None) -> str:
    return "none" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


@command.command(help="Write the stored requests, oldest first, one JSON object a line, to standard output.")
@ledger_option
@click.option("--format", "form", type=click.Choice(["jsonl"]), default="jsonl", show_default=True)
@click.option("--since", type=DURATION, metavar="SPAN", help="Only the last 90m, 12h, 7d, 8w …")
@click.option("--policy", help="Only requests under this policy.")
@click.option("--tenant", help="Only this tenant's requests.")
@click.option("--out", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="A file instead.")
def export(  # noqa: D103
    ledger: str | None,
    form: str,  # noqa: ARG001 - the one format there is, named so that another can join it
    since: timedelta | None,
    policy: str | None,
    tenant: str | None,
    out: IO[str],
) -> None:
    import msgspec

    from router.ledger.read import Reader, Span

    start = None if since is None else int((datetime.now(UTC) - since).timestamp() * 1000)
    file = ledger_place(ledger)
    written = 0
    with explained(file), Reader(file) as reader:
        for request in reader.requests(Span(since_ms=start, policy=policy, tenant=tenant)):
            out.write(msgspec.json.encode(request).decode() + "\n")
            written += 1
    show.note(f"{written:,} requests exported.")


@command.command(
    help="Remove requests of whole days older than SPAN. Their daily sums stay, so reports keep their totals."
)
@click.option("--older-than", type=DURATION, required=True, metavar="SPAN", help="For example 30d or 8w.")
@click.option("--export", "exports", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write each day to a file here first, and remove it only after that was read back.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say how many requests would go.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@ledger_option
def prune(older_than: timedelta, exports: Path | None, dry_run: bool, as_json: bool, ledger: str | None) -> None:  # noqa: D103
    from router.ledger import prune as pruning
    from router.ledger.archive import retire

    file = ledger_place(ledger)
    before = int((datetime.now(UTC) - older_than).timestamp() * 1000)
    with explained(file):
        doomed = pruning.count(file, before)
        if not dry_run and doomed:
            gone = (request for batch in retire(file, exports, before) for request in range(batch))
            doomed = sum(1 for _ in show.progress(gone, doomed, "pruning"))
    day = datetime.fromtimestamp(pruning.whole_days(before) / 1000, UTC).strftime("%Y-%m-%d")
    if as_json:
        show.json_line({"before": day, "requests": doomed, "dry_run": dry_run})
    elif dry_run:
        show.line(f"{doomed:,} requests before {day} (UTC) would go. Nothing was changed.")
    else:
        show.line(f"{doomed:,} requests before {day} (UTC) are gone; their daily sums stay.")


@command.command(
    help="Remove all requests and captured texts of a tenant. The daily sums keep the requests under the name "
    "'erased', so totals do not change."
)
@click.option("--tenant", required=True, help="Whose requests go.")
@click.option("--exports", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where days were exported to: files that hold the tenant are named.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@ledger_option
def erase(tenant: str, exports: Path | None, as_json: bool, ledger: str | None) -> None:  # noqa: D103
    import msgspec

    from router.ledger.captures import captures_path, erase_captures
    from router.ledger.erase import erase as forget

    file = ledger_place(ledger)
    with explained(file):
        # Texts go first: if the rest fails, what is worst to keep is gone.
        captures = erase_captures(captures_path(file), tenant)
        try:
            done = forget(file, tenant, exports)
        except ValueError as error:
            show.fail(str(error))
    if as_json:
        show.json_line({**msgspec.to_builtins(done), "captures": captures})
    else:
        show.line(f"{done.requests:,} requests and {done.waiting:,} waiting records are gone; the daily sums stay.")
        if captures:
            show.line(f"{captures:,} captured texts are gone.")
        for name in done.exports:
            show.line(f"exported before, still there: {name}")
    if done.in_use:
        show.fail(
            f"{len(done.in_use)} waiting files are in use by a running gateway: {', '.join(done.in_use)}",
            "They come into the ledger by themselves; run the same command again then.",
        )
