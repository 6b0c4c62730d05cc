"""The figures of simulated roll-outs: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evals.intervals import wilson
from evals.rollout.days import Days
from evals.rollout.sessions import ALIKE, MEAN_TURNS
from evals.rollout.world import Ints, World
from router.core.rollout import Plan

SHARES = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)


def share(hit: Any) -> dict[str, float]:
    """A share of days with its 95 % interval."""
    n, k = len(hit), int(np.sum(hit))
    low, high = wilson(k, n)
    return {"share": round(k / n, 4), "low": round(low, 4), "high": round(high, 4), "days": n, "count": k}


def of_days(world: World, plan: Plan, days: Days) -> dict[str, Any]:
    """One scenario."""
    live = days.live_at[days.live_at >= 0]
    by = {watch.signal: int((days.by == i).sum()) for i, watch in enumerate(plan.watches)}
    return {
        "world": world._asdict(),
        "rolled_back": share(days.back),
        "by": by,
        "live": share(days.live_at >= 0),
        "back_before": {str(s): share(days.back & (days.exposed <= s * world.day)) for s in SHARES},
        "exposed_when_back": _quantiles(days.exposed[days.back]),
        "requests_until_live": _quantiles(live),
        "days_ended_on_step": np.bincount(days.step, minlength=len(plan.steps)).tolist(),
    }


def of_stops(found: Mapping[str, Ints]) -> dict[str, Any]:
    """The ways of testing, side by side."""
    return {name: {"alarm": share(at >= 0), "outcomes": _quantiles(at[at >= 0])} for name, at in found.items()}


def _quantiles(values: Ints) -> dict[str, int] | None:
    if not len(values):
        return None
    return {f"p{q}": int(np.quantile(values, q / 100)) for q in (10, 50, 90)}


def write(out: Path, body: Mapping[str, Any]) -> None:
    """Write ``rollout.json`` and ``rollout.md``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "rollout.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (out / "rollout.md").write_text("\n".join(_lines(body)) + "\n", encoding="utf-8")


def _lines(body: Mapping[str, Any]) -> Iterator[str]:
    about, days = body["about"], body["days"]
    yield "# Roll-outs on simulated days\n"
    yield (
        f"`{about['command']}`, {about['date']}, commit {about['commit']}, {about['machine']}. "
        f"{World().day:,} requests a day, each with a quality signal (right or wrong, {World().quality:.0%} right); "
        "errors 1 %, blocked 2 %, slow 5 %, costs by tier, alike in both arms. Steps 5 -> 25 -> 100 % and limits are "
        "the router's defaults, and evidence is asked after every block. **Simulated**: the traffic is stated in "
        "`evals/rollout/world.py`; the bets and limits are the router's own. 95 % intervals are Wilson's.\n"
    )
    yield "## The same policy in both arms, and a real drop of quality\n"
    yield "| canary | days | rolled back | before 2 % of the day saw it | exposed when back (p10, p50, p90) | live |"
    yield "|---|---|---|---|---|---|"
    for name, one in days.items():
        cells = (
            name, str(one["rolled_back"]["days"]), _share(one["rolled_back"]), _share(one["back_before"]["0.02"]),
            _spread(one["exposed_when_back"]), _share(one["live"]),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield "\n## Rolled back before so much of the day's traffic saw the change\n"
    yield f"| canary | {' | '.join(f'{100 * s:g} %' for s in SHARES)} |"
    yield f"|---|{'---|' * len(SHARES)}"
    for name, one in days.items():
        yield f"| {name} | {' | '.join(_share(one['back_before'][str(s)]) for s in SHARES)} |"
    yield "\n## Fewer judged requests: a drop of 3 points, quality alone is watched\n"
    yield "| judged | rolled back that day | before 2 % saw it | exposed when back | days that ended on 5, 25, 100 % |"
    yield "|---|---|---|---|---|"
    for name, one in body["judged"].items():
        ended = ", ".join(map(str, one["days_ended_on_step"]))
        yield (
            f"| {name} | {_share(one['rolled_back'])} | {_share(one['back_before']['0.02'])} | "
            f"{_spread(one['exposed_when_back'])} | {ended} |"
        )
    yield "\n## Against other ways of testing the same outcomes\n"
    yield (
        f"A share of 5 % all day, the first {body['upto']:,} outcomes of the canary (2 % of the day), quality alone; "
        f"each is meant to raise a false alarm on {body['alpha']:.1%} of days.\n"
    )
    yield "| way | false alarms (no drop) | drop of 3 points seen | outcomes until then (p10, p50, p90) |"
    yield "|---|---|---|---|"
    for name, one in body["ways"]["no drop"].items():
        seen = body["ways"]["3 points"][name]
        yield f"| {name} | {_share(one['alarm'])} | {_share(seen['alarm'])} | {_spread(seen['outcomes'])} |"
    yield "\n## Sessions: the same policy in both arms, outcomes alike within a session\n"
    yield (
        f"Sessions of {MEAN_TURNS:g} turns on average, correlation {1 / (1 + ALIKE):g} within one; quality alone, "
        f"{body['upto']:,} outcomes, meant to raise a false alarm in {body['alpha']:.1%} of runs.\n"
    )
    yield "| what counts | false alarms |\n|---|---|"
    for name, one in body["sessions"].items():
        yield f"| {name} | {_share(one)} |"


def _share(one: Mapping[str, Any]) -> str:
    return f"{100 * one['share']:.1f} % ({100 * one['low']:.1f} to {100 * one['high']:.1f})"


def _spread(q: Mapping[str, int] | None) -> str:
    return "-" if q is None else f"{q['p10']:,}, {q['p50']:,}, {q['p90']:,}"
