"""The part of ``stillhouse label`` in which a model judges: find it, keep the budget, believe it or not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.labels.believing import Believed, Stored
    from evals.labels.choosing import Choice
    from evals.labels.judging import Ended
    from evals.labels.purse import Purse
    from evals.labels.texts import Captured
    from evals.labels.work import Work
    from router.ledger.place import Place
    from router.serve.settings import Settings
    from router.types import Deployment

NANO = 1e9


class Judging(NamedTuple):
    """Who judges, by which settings, for how many nano-dollars."""

    settings: Settings
    deployment: Deployment
    budget: int


def prepare(judge: str, budget: str | None, config: Path | None, from_env: bool) -> Judging:
    """Find the judge; ends the command with words where there is none, or where no budget can be kept."""
    from evals.labels.purse import BudgetError, most, read_budget
    from router.registry.prices import PriceBook
    from router.serve.settings import deployments_of
    from stillhouse.cli.serve import find_settings

    if budget is None:
        show.fail("a judge needs a budget", "for example --budget 5usd")
    settings = find_settings(config, from_env, {}, None, None)
    listed = deployments_of(settings, PriceBook.load())
    found = next((d for d in listed if judge in {d.tier, d.name, d.model}), None)
    if found is None:
        known = ", ".join(f"{d.name} ({d.tier})" for d in listed)
        show.fail(f"no tier or model here is {judge!r}", f"there are: {known}")
    try:
        money = read_budget(budget)
        most(b"", 1, found.price)
    except BudgetError as error:
        show.fail(str(error))
    return Judging(settings, found, money)


def run(
    judging: Judging, choice: Choice, texts: Path, ledger: Place, who: str | None, twice: float, refuse_weak: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Judge a round, or go on with one that was cut short, and keep its labels."""
    from evals.labels.believing import believe, store
    from evals.labels.choosing import plan
    from evals.labels.purse import Purse
    from evals.labels.texts import read_texts
    from evals.labels.work import Work, WorkError
    from router.registry.home import home
    from stillhouse.cli.label import now_ms

    name = who or _name(judging.deployment.model)
    path = home() / "labels" / f"{name}.jsonl"
    try:
        work = Work(path, plan(choice, name, judging.deployment.model, twice))
    except WorkError as error:
        show.fail(str(error))
    with work:
        if work.resumed:
            show.note(f"Going on with the round in {path}: {len(work.said):,} verdicts are there.")
            if work.plan.model != judging.deployment.model:
                show.fail(f"that round is {work.plan.model}'s", f"finish it with that judge, or move {path} away")
        planned = {request_id for request_id, _ in work.plan.rows} | work.plan.people.keys()
        at_hand = read_texts(texts, planned) if work.resumed else choice.texts
        purse = Purse(judging.budget, work.spent)
        ended = asyncio.run(_judge(judging, work, at_hand, purse))
        believed = believe(work)
        stored = store(work, ledger, believed, now_ms(), refuse_weak=refuse_weak)
        work.close_round()
    _say(work, believed, stored, ended, purse, as_json)


def _name(model: str) -> str:
    """A judge's name in the ledger."""
    return f"judge-{re.sub(r'[^A-Za-z0-9._-]+', '-', model)}"[:64]


async def _judge(judging: Judging, work: Work, texts: Mapping[str, Captured], purse: Purse) -> Ended:
    from evals.labels.judging import Judge, judge
    from router.serve.upstreams import open_upstream
    from router.upstream.transport import AiohttpTransport

    transport = AiohttpTransport()
    upstream = open_upstream(judging.deployment.upstream, judging.settings, transport)
    try:
        return await judge(Judge(upstream, judging.deployment), work, texts, purse)
    finally:
        await upstream.close()
        await transport.close()


def _say(work: Work, believed: Believed, stored: Stored, ended: Ended, purse: Purse, as_json: bool) -> None:
    if as_json:
        show.json_line(
            {
                "who": work.plan.who, "model": work.plan.model, "planned": len(work.plan.rows),
                "spent_nano": purse.spent, "budget_nano": purse.budget, "stopped": ended.why, "left": ended.left,
                "stored": msgspec.to_builtins(stored), "why_weak": believed.why,
                "agreement": {"itself": _plain(believed.itself), "people": _plain(believed.people)},
            }
        )  # fmt: skip
        return
    show.line(
        f"{work.plan.who}: {stored.labels:,} answers judged, {stored.silent:,} calls without a verdict, "
        f"{purse.spent / NANO:.4f} of {purse.budget / NANO:.2f} USD."
    )
    if ended.why:
        show.line(f"The budget stopped it: {ended.left:,} calls were not made.")
    for words, found in (("its two wordings agree", believed.itself), ("it agrees with people", believed.people)):
        if found.n:
            show.line(
                f"How far {words} (n = {found.n}): alpha {found.alpha:.2f} ({found.alpha_low:.2f} to "
                f"{found.alpha_high:.2f}), kappa {found.kappa:.2f} ({found.kappa_low:.2f} to {found.kappa_high:.2f}), "
                f"same verdict in {found.same:.0%}."
            )
    if not believed.people.known:
        show.note("No, or too few, answers that people judged were at hand: the judge is checked against itself only.")
    show.line(_where(believed, stored))


def _plain(found: msgspec.Struct) -> dict[str, float | None]:
    """JSON has no NaN."""
    told = msgspec.to_builtins(found)
    return {name: None if value != value else value for name, value in told.items()}  # noqa: PLR0124


def _where(believed: Believed, stored: Stored) -> str:
    if stored.kept == "nothing":
        return "No labels: there was no verdict."
    if stored.kept == "feedback":
        return f"Kept as feedback: {stored.new:,} new labels, mean {stored.mean:.2f}."
    if stored.kept == "refused":
        return f"Nothing is kept: {believed.why}."
    return f"Kept apart as weak labels ({stored.new:,} new): {believed.why}."
