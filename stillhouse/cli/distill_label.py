"""``stillhouse distill label``: answers of a teacher for the rows that have none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.distill.label.price import Estimate
    from evals.distill.label.run import Labelled
    from evals.runs.runner import Progress

EXIT_WITHOUT_ANSWER, EXIT_BAD_INPUT, EXIT_BUDGET = 1, 2, 3


@click.command(
    name="label",
    help="Ask a teacher about the rows of the loop NAME that have no answer, and join what it says to train.jsonl and "
    "control.jsonl. Says first what it would cost, and asks for --yes unless that is nothing. Answers are masked, kept "
    "and never paid twice; the same command goes on where it stopped. Cut-off answers, refusals and empty ones are "
    "left out. Exit codes: 0 every row was asked, 1 answers are missing, 2 bad input or no --yes, 3 the budget is used "
    "up.",
)
@click.argument("name")
@click.option("--teacher", required=True, metavar="MODEL", help="A tier, or a deployment by its name or its model's.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings with the model.")
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Spend at most this much.")
@click.option("--logprobs", is_flag=True, help="Ask for log-probabilities; soft labels where answers are a closed set.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask about at most N rows.")
@click.option("--only", type=click.Choice(["missing", "all"]), default="missing", show_default=True,
              help="Rows without an answer, or all of them.")  # fmt: skip
@click.option("--holdout", is_flag=True, help="Also ask about rows held out that nothing could be judged by.")
@click.option("--licence", multiple=True, metavar="MODEL=WORD",
              help="What a model's terms say of training on its answers: allowed, forbidden or unknown.")  # fmt: skip
@click.option("--max-tokens", type=click.IntRange(min=1), default=1024, show_default=True,
              help="Longer answers are cut off, and left out.")  # fmt: skip
@click.option("--param", "params", multiple=True, metavar="NAME=JSON",
              help="A further field of every request; null takes one away.")  # fmt: skip
@click.option("--parallel", type=click.IntRange(1, 256), default=4, show_default=True, help="The most calls at once.")
@click.option("--leave-rest-out", is_flag=True, help="Leave out rows that are still without an answer afterwards.")
@click.option("--yes", is_flag=True, help="Spend it.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, teacher: str, config: Path | None, budget: float | None, logprobs: bool, limit: int | None,
    only: Literal["missing", "all"], holdout: bool, licence: tuple[str, ...], max_tokens: int, params: tuple[str, ...],
    parallel: int, leave_rest_out: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.folder import Folder
    from evals.distill.gather.texts import Licences
    from evals.distill.label.run import Wishes, label
    from evals.runs.asking import ConfigError
    from policies.mistakes import Mistakes
    from router.registry.home import home

    def agreed(what: Estimate) -> bool:
        show.note(_foretold(what, budget))
        if not what.free and not yes:
            show.fail("nothing was asked: it may cost money", "add --yes to spend it, and --budget USD to bound it")
        return True

    try:
        folder = Folder.of(home(), name)
        wishes = Wishes(
            teacher=teacher, config=config, licences=Licences(licence), budget_usd=budget, limit=limit, only=only,
            held=holdout, logprobs=logprobs, params={"max_tokens": max_tokens} | _params(params), parallel=parallel,
            rest=not leave_rest_out,
        )  # fmt: skip
        done = asyncio.run(label(folder, wishes, agreed, _progress))
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except (ValueError, OSError, Mistakes) as error:  # LabelError, RowError, CacheError, no name
        show.fail(str(error))
    finally:
        show.status("")
    if as_json:
        show.json_line(_told(done))
    else:
        _say(done, name)
    raise SystemExit(_code(done))


def _params(words: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for word in words:
        field, _, value = word.partition("=")
        try:
            found[field] = json.loads(value)
        except ValueError:
            raise ValueError(f"{word!r} is no field: write NAME=JSON, e.g. temperature=1") from None
        if field in {"model", "messages", "stream", "n", "tools", "logprobs", "top_logprobs"}:
            raise ValueError(f"{field!r} is written by this command itself")
    return found


def _foretold(what: Estimate, budget: float | None) -> str:
    if not what.calls:
        return f"nothing to ask: {what.known:,} answers are known"
    calls = f"{what.calls:,} calls ({what.known:,} answers are known already)"
    if what.most is None:
        return f"{calls}: the teacher's price is not known, so neither is the cost"
    likely = "" if what.low is None or what.high is None else f", likely {_usd(what.low)} to {_usd(what.high)} (95 %)"
    bound = "" if budget is None else f"; the budget is {budget:.4f} usd"
    return f"{calls}: at most about {_usd(what.most)}{likely}{bound}"


def _usd(nano: int) -> str:
    return f"{nano / 1e9:.4f} usd"


def _progress(at: Progress) -> None:
    from stillhouse.cli.eval import progress_line

    show.status(progress_line(at))


def _code(done: Labelled) -> int:
    from evals.runs.runner import BY_BUDGET

    if done.ran.stopped == BY_BUDGET:
        return EXIT_BUDGET
    return EXIT_WITHOUT_ANSWER if done.ran.stopped or done.failed else 0


def _told(done: Labelled) -> dict[str, Any]:
    references = None if done.references is None else dict(zip(("answered", "rows"), done.references, strict=True))
    return done.manifest | {
        "estimate": done.estimate._asdict(), "calls": done.ran.calls, "spent_nano": done.ran.spent_nano,
        "stopped": done.ran.stopped, "failed": dict(done.failed), "references": references,
    }  # fmt: skip


def _say(done: Labelled, name: str) -> None:
    show.line(f"{done.ran.calls:,} calls, {_usd(done.ran.spent_nano)} spent, {done.ran.cached:,} answers were known")
    if done.ran.stopped:
        show.line(f"stopped: {done.ran.stopped}; the same command goes on with it")
    for words, count in done.failed.most_common(5):
        show.line(f"{count:,} rows got no answer: {words}")
    rows = done.manifest["rows"]
    show.table(
        ("rows", "with an answer", "still without", "left out", "soft labels"),
        [(side, f"{at['answered']:,}", f"{at['unlabelled']:,}", f"{sum(at['left_out'].values()):,}", f"{at['soft']:,}")
         for side, at in rows.items()],
    )  # fmt: skip
    for reason, count in rows["train"]["left_out"].items():
        show.line(f"left out: {count:,} ({reason})")
    if done.references is not None:
        show.line(f"{done.references[0]:,} of {done.references[1]:,} rows held out have an answer to judge by")
    if any(one["licence"] == "unknown" for one in done.manifest["passes"]):
        show.note("note: what a teacher's terms say of training on its answers is not known; --licence MODEL=allowed")
    if not rows["train"]["unlabelled"]:
        show.line(f"Next: stillhouse distill export {name} or a trainer")
