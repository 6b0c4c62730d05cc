"""``stillhouse distill gate``: may this student replace what serves now? Every metric, on rows nobody learned from."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.distill.folder import Folder
    from evals.distill.gating import Judged


@click.command(
    name="gate",
    help="Judge STUDENT against --against on the holdout and the general rows of the loop NAME, on every metric. All "
    "are deployments of the settings in --config, by their names or their models'. The evidence is left in the loop's "
    "folder for a proposal. Nothing is put to use. Exit codes: 0 yes, 1 no, 2 bad input, 3 it cannot be told, which is "
    "not a yes.",
)
@click.argument("name")
@click.argument("student")
@click.option("--against", required=True, metavar="CURRENT", help="What it would replace.")
@click.option("--control", metavar="MODEL", help="What stands beside it and does not decide, e.g. the nano student.")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings with the models."
)
@click.option("--scorer", "scorers", multiple=True, metavar="NAME", default=("exact",), show_default=True,
              help="How an answer is scored, as in a suite; repeatable.")  # fmt: skip
@click.option(
    "--budget", type=click.FloatRange(min=0), metavar="USD", help="The most that each of the two runs spends."
)
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True,
              help="Of an answer; a longer one is cut off and judged as it is.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The evidence as one line of JSON instead of words.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, student: str, against: str, control: str | None, config: Path | None, scorers: tuple[str, ...],
    budget: float | None, max_tokens: int, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.folder import Folder
    from evals.distill.gating import judge
    from evals.gate import telling
    from evals.runs.asking import ConfigError
    from evals.runs.execute import Wishes
    from policies.mistakes import Mistakes
    from router.registry.home import home

    try:
        folder = Folder.of(home(), name)
        wishes = Wishes(
            runs=folder.root / "gate" / "runs", config=config, budget_usd=budget,
            command=" ".join(["stillhouse", *sys.argv[1:]]),
        )  # fmt: skip
        judged = asyncio.run(judge(folder, student, against, control, scorers, wishes, most_tokens=max_tokens))
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except (ValueError, OSError, Mistakes) as error:
        show.fail(str(error))
    told, path = kept(folder, student, judged)
    if as_json:
        show.json_line(told)
    else:
        say(judged, path)
    raise SystemExit(telling.EXIT[judged.ruling.verdict])


def kept(folder: Folder, name: str, judged: Judged) -> tuple[dict[str, Any], Path]:
    """The evidence, as a proposal carries it, and where it was left."""
    from evals.distill.folder import write_json
    from evals.distill.gating import student_called
    from evals.gate import telling
    from evals.gate.weigh import hashes
    from stillhouse.cli.gate import evidence

    told = evidence(judged.ruling, dict(hashes(judged.sides)), judged.candidate)
    told["without_answer"] = judged.left_out
    if (found := student_called(folder, name)) is not None:
        digest, student = found
        told["student"] = {"digest": digest, "kind": student.kind, "base": student.base, "teacher": student.teacher,
                           "dataset_hash": student.dataset_hash, "recipe_hash": student.recipe_hash}  # fmt: skip
    if judged.control is not None:
        told["control"] = telling.as_json(judged.control)
    path = folder.root / "gate" / f"{judged.candidate.digest[:16]}.json"
    write_json(path, told)
    return told, path


def say(judged: Judged, path: Path) -> None:
    """The ruling in words."""
    from evals.gate import telling

    ruling = judged.ruling
    show.line(telling.headline(ruling))
    show.line()
    show.table(telling.COLUMNS, telling.table(ruling.findings))
    if ruling.slices:
        show.table(telling.COLUMNS, telling.table(ruling.slices), "slices that are worse")
    for words in telling.reasons(ruling.findings):
        show.line(words)
    if judged.control is not None:
        show.table(
            telling.COLUMNS, telling.table(judged.control.findings), "against the control, which does not decide"
        )
    for name, missing in judged.left_out.items():
        if missing:
            show.note(f"note: {missing} rows of {name} have no answer to judge by and were left out.")
    for note in ruling.notes:
        show.note(f"note: {note}.")
    show.line(f"evidence: {path}")
