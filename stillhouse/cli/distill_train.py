"""``stillhouse distill train``: make a student of what was chosen to learn from."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.distill.training import Trained


def _share(_ctx: click.Context, _param: click.Parameter, said: str) -> float:
    """``25%`` or ``0.25``."""
    try:
        share = float(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{said!r} is no share; write 25% or 0.25")
    return share


@click.command(
    name="train",
    help="Make a student of the loop NAME. --trainer nano: a linear head, for answers of a closed set; local: LoRA on "
    "a GGUF model, in an environment that has torch; command: a command line of yours; openai, bedrock: "
    "a job there. Refused: fewer than 50 rows, "
    "rows without an answer, a teacher whose terms forbid it, rows that are held out. The same rows, recipe, base and "
    "trainer name the same student: one that is finished is not made again, one that was cut short goes on. Nothing "
    "is put to use.",
)
@click.argument("name")
@click.option("--trainer", required=True, metavar="TRAINER", help="Who makes it.")
@click.option("--base", default="", metavar="GGUF|built-in|MODEL", help="What it starts from; local: built-in.")
@click.option("--python", type=click.Path(dir_okay=False, path_type=Path), help="local: an interpreter with torch.")
@click.option("--run", default="", metavar="LINE", help="command: its line, with {rows}, {chat}, {out} and {base}.")
@click.option("--recipe", multiple=True, metavar="FILE.yaml|KEY=VALUE", help="The trainer's settings; repeatable.")
@click.option("--rows", default="train", show_default=True, metavar="train|control|FILE", help="What is learned from.")
@click.option("--share", default="100%", show_default=True, callback=_share, metavar="SHARE", help="Of these rows.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the share that is drawn, and of the training.")
@click.option("--yes", is_flag=True, help="openai, bedrock: rows may leave this machine, and the job may be paid.")
@click.option("--json", "as_json", is_flag=True, help="The student as one line of JSON instead of words.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, trainer: str, base: str, python: Path | None, run: str, recipe: tuple[str, ...], rows: str, share: float,
    seed: int, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.apart import Overlap
    from evals.distill.folder import Folder
    from evals.distill.trainers.base import TrainingError
    from evals.distill.trainers.choose import Options
    from evals.distill.training import Choice, train
    from policies.mistakes import Mistakes
    from router.registry.home import home

    # A service manager ends us so; as an exception it ends the trainer's process too.
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        options = Options(recipe=_recipe(recipe), base=base, python=python, run=run, yes=yes)
        folder = Folder.of(home(), name)
        done = train(folder, trainer, options, Choice(rows, share, seed), _teller())
    except Mistakes as mistakes:
        show.fail(str(mistakes))
    except ImportError as error:
        show.fail(f"the trainer {trainer} needs {error.name}", "pip install 'stillhouse[train]'")
    except (TrainingError, Overlap, ValueError) as error:
        show.fail(str(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        show.json_line({"digest": done.digest, "made": done.made, **msgspec.to_builtins(done.student)})
    else:
        _say(done, folder.student(done.digest))


def _ended(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _recipe(words: tuple[str, ...]) -> dict[str, Any]:
    """Files and ``key=value`` words, one after the other; a later one counts."""
    from policies.mistakes import Mistakes
    from policies.nodes import parse
    from policies.yaml import read_text

    recipe: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        given = (f"{key}: {value}", "--recipe") if equals else (read_text(Path(word)), word)
        root, mistakes = parse(given[0], file=given[1])
        if mistakes:
            raise Mistakes(mistakes)
        recipe |= root.data()
    return recipe


def _teller() -> Callable[[str, float], None]:
    """One moving line on a terminal; elsewhere a line for each tenth of the work."""
    told = -1

    def tell(what: str, share: float) -> None:
        nonlocal told
        if sys.stderr.isatty():
            show.status(f"{what} {share:.0%}" if share < 1 else "")
        elif int(share * 10) > told:
            told = int(share * 10)
            show.note(f"{what} {share:.0%}")

    return tell


def _say(done: Trained, out: Path) -> None:
    from evals.distill.state import curve

    student = done.student
    if not done.made:
        show.line("This student was finished before; nothing was trained. Another recipe or other rows make another.")
    show.line(f"{student.name} ({student.kind}) of {student.base or 'nothing'}, taught by {student.teacher}")
    show.line(f"{student.rows:,} rows in {student.seconds:,.1f} s")
    if line := curve([list(pair) for pair in student.losses]):
        show.line(f"loss {line}")
    show.line(f"Left in {out}.")
