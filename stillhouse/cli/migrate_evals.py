"""``stillhouse migrate promptfoo`` and ``openai-evals``: suites of other eval tools as suites of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evals.migrate.suites import Made
    from evals.migrate.told import Tale

_FILE: Callable[[Any], Any] = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_OUT: Callable[[Any], Any] = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("migrated"), show_default=True
)
_NAME: Callable[[Any], Any] = click.option("--name", help="Of the suite (default: from the file's name).")
_CONFIG: Callable[[Any], Any] = click.option(
    "--config", default="stillhouse.yaml", show_default=True, help="The settings file that the suite names."
)


@click.command(help="Read a promptfoo configuration: prompts, providers, tests with vars and the usual assertions.")
@_FILE
@_OUT
@_NAME
@_CONFIG
def promptfoo(file: Path, out: Path, name: str | None, config: str) -> None:  # noqa: D103
    from evals.migrate.places import ForeignError
    from evals.migrate.promptfoo import promptfoo_suites

    folder = file.resolve().parent

    def read(path: str) -> str:
        found = (folder / path).resolve()
        if not found.is_relative_to(folder):
            raise ForeignError("it lies outside the configuration's folder and is not read")
        try:
            return found.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ForeignError(f"{path} cannot be read: {type(error).__name__}") from None

    try:
        text = file.read_text("utf-8-sig")
        made, tale = promptfoo_suites(text, file=file.name, name=name or _named(file), read=read, config=config)
    except UnicodeDecodeError as error:
        show.fail(f"{file}: it is not UTF-8 (byte {error.start})")
    except ForeignError as error:
        show.fail(str(error))
    _write(made, tale, out)


@click.command(help="Read an export of OpenAI's hosted evals: output items of runs, or items of a data source (JSONL).")
@_FILE
@_OUT
@_NAME
@_CONFIG
@click.option("--prompt", help="The field of an item that holds the question, where no messages were exported.")
@click.option("--reference", help="The field of an item that holds the right answer.")
def openai_evals(  # noqa: D103
    file: Path, out: Path, name: str | None, config: str, prompt: str | None, reference: str | None
) -> None:
    from evals.importers.rows import write_rows
    from evals.migrate.calls import LogError
    from evals.migrate.openai_evals import openai_export

    title = name or _named(file)
    try:
        export = openai_export(file, name=title, prompt=prompt, reference=reference, config=config)
    except LogError as error:
        show.fail(f"nothing was written:\n{error}")
    outcomes = out / f"{title}-outcomes.jsonl"
    if export.outcomes and outcomes.exists():
        show.fail(f"{outcomes} is there already", "name another folder with --out, or remove it")
    _write([export.suite], export.tale, out)
    if export.outcomes:
        written = write_rows(export.outcomes, outcomes)
        show.line(f"{written:,} outcomes in {outcomes}: for stillhouse train and simulate")


def _named(file: Path) -> str:
    import re

    name = re.sub(r"[^a-z0-9]+", "-", file.name.split(".")[0].lower()).strip("-")[:40]
    return name if name and name[0].isalpha() else f"suite-{name}".strip("-")


def _write(made: Sequence[Made], tale: Tale, out: Path) -> None:
    from evals.migrate.suites import write
    from evals.migrate.told import TITLES

    try:
        files = write(made, out)
    except FileExistsError as error:
        show.fail(f"{error.args[0]} is there already", "name another folder with --out, or remove it")
    for kind in ("guess", "lost"):
        if told := tale.of(kind):
            show.line(f"{TITLES[kind]}:")
            for each in told:
                show.line(f"  {each}")
            show.line()
    for path, one in zip(files, made, strict=True):
        show.line(f"suite {one.name}, {len(one.rows):,} rows: stillhouse eval {path}")
