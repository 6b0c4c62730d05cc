"""``stillhouse distill import``: bring texts into the loop, masked, with how the small tier did on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show
from stillhouse.cli.opening import explained, ledger_option, ledger_place

if TYPE_CHECKING:
    from evals.distill.example import Example
    from evals.distill.gather.sources import Gathering
    from evals.migrate.calls import Calls
    from router.ledger.sealing import Seal

SOURCES = ("captures", "ledger", "bedrock-logs", "litellm-logs", "openai-stored")


@click.command(
    name="import",
    help="Write the rows of the loop NAME from a source, personal data and secrets masked. 'captures': what a policy's "
    "'capture' kept, with the ledger's feedback; 'ledger': texts that you kept (FILES of {id, messages, answer} lines) "
    "with what the ledger knows of those requests; the others: logs as they were exported. The same input gives the "
    "same bytes.",
)
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "source", type=click.Choice(SOURCES), required=True, help="Where the texts are.")
@click.option("--tier", type=click.Choice(["small", "medium"]), default="small", show_default=True,
              help="The tier to improve; its own answers are not learned from.")  # fmt: skip
@click.option("--small", multiple=True, metavar="MODEL", help="In logs: a model that stands for that tier; repeatable.")
@click.option("--licence", multiple=True, metavar="MODEL=WORD",
              help="What a model's terms say of training on its answers: allowed, forbidden or unknown. MODEL may be a "
              "pattern such as 'llama-*'; the first that fits counts.")  # fmt: skip
@click.option("--capture-key", metavar="env:NAME|file:PATH", help="The key that captures are encrypted with.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, files: tuple[Path, ...], source: str, tier: str, small: tuple[str, ...], licence: tuple[str, ...],
    capture_key: str | None, ledger: str | None, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.folder import Folder
    from evals.distill.gather.sources import Gathering
    from evals.distill.gather.texts import Licences
    from evals.labels.texts import TextsError
    from evals.migrate.calls import LogError
    from router.registry.home import home

    if not files and source != "captures":
        raise click.UsageError(f"--from {source} reads FILES: name them.")
    try:
        folder = Folder.of(home(), name)
        gathering = Gathering(tier, Licences(licence))
        rows = _rows(gathering, source, files, frozenset(small), capture_key, ledger)
        with explained(ledger_place(ledger)):
            masked, digest = _write(folder.root, folder.rows(source), rows)
    except LogError as error:
        show.fail(f"nothing was written:\n{error}")
    except (TextsError, ValueError, OSError) as error:
        show.fail(f"nothing was written: {error}")
    told = {"path": str(folder.rows(source)), "rows": gathering.rows, "masked": masked, "hash": digest,
            "failed": dict(sorted(gathering.failed.items())),
            "left_out": dict(sorted(gathering.left_out.items()))}  # fmt: skip
    if as_json:
        show.json_line(told)
    else:
        _say(gathering, masked, name, folder.rows(source))


def _rows(
    gathering: Gathering, source: str, files: tuple[Path, ...], small: frozenset[str], key: str | None,
    ledger: str | None,
) -> Iterator[Example]:  # fmt: skip
    if source == "ledger":
        return gathering.texts(files, ledger_place(ledger))
    if source != "captures":
        return gathering.calls(_reader(source)(list(files)), small)
    return _captured(gathering, files, _seal(key), ledger)


def _captured(
    gathering: Gathering, files: tuple[Path, ...], seal: Seal | None, ledger: str | None
) -> Iterator[Example]:
    from router.ledger.captures import captures_path

    place = ledger_place(ledger)
    there = place if not isinstance(place, Path) or place.exists() else None
    now_ms = time.time_ns() // 1_000_000
    for path in files or (captures_path(place),):
        yield from gathering.captures(path, there, seal, now_ms)


def _seal(key: str | None) -> Seal | None:
    from router.ledger.sealing import Seal
    from router.serve.settings import read_secret

    if key is None:
        return None
    if not key.startswith(("env:", "file:")):
        raise ValueError("--capture-key names a variable or a file: env:NAME or file:PATH")
    return Seal(read_secret(key))


def _reader(source: str) -> Callable[[list[Path]], Calls]:
    if source == "bedrock-logs":
        from evals.migrate.bedrock_logs import bedrock_calls

        return bedrock_calls
    if source == "litellm-logs":
        from evals.migrate.litellm_logs import litellm_calls

        return litellm_calls
    from evals.migrate.openai_stored import openai_calls

    return openai_calls


def _write(root: Path, path: Path, rows: Iterator[Example]) -> tuple[int, str]:
    """Write the rows as a whole; how many were masked, and the content's hash. Only the owner may enter the folder."""
    from evals.distill.curate.clean import Masker
    from evals.distill.example import encode
    from evals.distill.folder import write_whole

    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    mask, masked = Masker(), 0

    def lines() -> Iterator[bytes]:
        nonlocal masked
        for row in rows:
            clean, touched = mask(row)
            masked += touched
            yield encode(clean) + b"\n"

    digest = write_whole(path, lines())
    return masked, digest


def _say(gathering: Gathering, masked: int, name: str, path: Path) -> None:
    table: list[tuple[Any, ...]] = [("rows", f"{gathering.rows:,}", f"personal data masked in {masked:,}")]
    table += [(word, f"{count:,}", "of them") for word, count in sorted(gathering.failed.items())]
    table += [("left out", f"{count:,}", reason) for reason, count in sorted(gathering.left_out.items())]
    show.table(("imported", "", ""), table)
    show.line(f"Next: stillhouse distill curate {name} {path}")
