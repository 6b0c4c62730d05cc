"""``stillhouse distill shadow``: what a candidate would have said, beside what was said. Nothing is served."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from stillhouse.cli import show


@click.command(
    name="shadow",
    help="Ask the candidate STUDENT of the loop NAME what callers asked, by the texts that were captured or imported, "
    "and compare its answers with those that were given. Nothing is served, and no request waits for it. Exit codes: "
    "0 compared, 1 calls failed, 2 bad input.",
)
@click.argument("name")
@click.argument("student", required=False)
@click.option("--source", default="captures", show_default=True, help="Which imported rows.")
@click.option("--any-tier", is_flag=True, help="Compare with the answers of every tier, not of the candidate's only.")
@click.option("--limit", type=click.IntRange(min=1), default=500, show_default=True, help="The latest rows, at most.")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings with the models."
)
@click.option("--scorer", "scorers", multiple=True, metavar="NAME", default=("exact",), show_default=True,
              help="How two answers are compared, as in a suite; repeatable.")  # fmt: skip
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="The most that the run spends.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True,
              help="Of an answer; a longer one is cut off and compared as it is.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of words.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, student: str | None, source: str, any_tier: bool, limit: int, config: Path | None,
    scorers: tuple[str, ...], budget: float | None, max_tokens: int, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.folder import Folder
    from evals.distill.proposing import find_candidate
    from evals.distill.shadowing import chosen, shadow
    from evals.runs.asking import ConfigError
    from evals.runs.execute import Wishes
    from evals.runs.places import Places
    from policies.mistakes import Mistakes
    from router.registry.home import home

    try:
        folder = Folder.of(home(), name)
        places = Places(Path(), None if config is None else str(config.resolve()))
        candidate = find_candidate(folder, home(), student, places.deployments())
        rows = chosen(folder, source, None if any_tier else candidate.tier, limit)
        wishes = Wishes(
            runs=folder.root / "shadow" / "runs", config=config, budget_usd=budget,
            command=" ".join(["stillhouse", *sys.argv[1:]]),
        )  # fmt: skip
        told, path = asyncio.run(shadow(folder, source, candidate, rows, scorers, wishes, max_tokens))
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except (ValueError, OSError, Mistakes) as error:
        show.fail(str(error))
    if as_json:
        show.json_line(told)
    else:
        _say(told, path)
    raise SystemExit(1 if told["errors"] else 0)


def _say(told: dict[str, Any], path: Path) -> None:
    def share(found: dict[str, Any] | None) -> str:
        return "-" if found is None else f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"

    show.line(
        f"{told['candidate']} was asked {told['rows']:,} rows of {told['source']}: {told['answered']:,} answered, "
        f"{told['abstained']:,} left to others, {told['errors']:,} failed. Nothing was served."
    )
    lines = [["all", share(told["agreement"]), f"{told['answered']:,}"]]
    lines += [[route, share(found), f"{found['rows']:,}"] for route, found in told["routes"].items()]
    show.table(("route", "says what was said (95 %)", "rows"), lines)
    if told["latency_ms"]:
        show.line(f"latency: {told['latency_ms']['p50']:.0f} ms in the middle, {told['latency_ms']['p95']:.0f} ms p95")
    for why, count in told["left_out"].items():
        if count:
            show.note(f"note: {count:,} rows were left out: {why}.")
    show.line(f"figures: {path}")
