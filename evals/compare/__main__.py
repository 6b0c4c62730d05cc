"""``python -m evals.compare``: how often comparisons alarm falsely, cover the truth, and see what they say they see.

Simulated worlds only (``worlds.py``), seeded. Writes ``evals/results/comparisons.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from evals.compare import worlds
from evals.compare.paired import compare
from evals.compare.power import needed, needed_about
from evals.intervals import wilson
from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[1] / "results"
_DRAWS: Final = 1_999
_DISCORDANT: Final = (0.05, 0.10, 0.20)
_DIFFERENCES: Final = (0.01, 0.02, 0.03, 0.05)


class Rate(NamedTuple):
    """How often something happened in so many runs, and what was promised."""

    what: str
    world: str
    promised: str
    times: int
    runs: int


def main() -> int:
    """Run all worlds and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m evals.compare", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="runs of each world")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    rates = [*_alarms(chosen.runs), *_covered(chosen.runs), *_seen(chosen.runs)]
    made = stamp("python -m evals.compare")
    rows = {
        f"{d:g}": {f"{q:g}": [needed(d, discordant=q), needed_about(d, q)] for q in _DISCORDANT} for d in _DIFFERENCES
    }
    stored = {**made, "rates": [rate._asdict() for rate in rates], "rows_needed": rows}
    (chosen.out / "comparisons.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    (chosen.out / "comparisons.md").write_text("\n".join(_table(rates, made, rows)) + "\n", "utf-8")
    return 0


def _alarms(runs: int) -> Iterator[Rate]:
    for name, world in worlds.EQUAL.items():
        found = (compare(*world(np.random.default_rng([1, seed])), seed=seed, draws=_DRAWS) for seed in range(runs))
        yield Rate("a difference shown between equal sides", name, "at most 5 %", sum(f.shown for f in found), runs)


def _covered(runs: int) -> Iterator[Rate]:
    for n in (12, 25, 35, 60, 200):
        inside = 0
        for seed in range(runs):
            sides, truth = worlds.rare_losses(np.random.default_rng([2, seed]), n)
            found = compare(*sides, seed=seed, draws=_DRAWS)
            inside += found.low <= truth <= found.high
        yield Rate("the interval holds the truth", f"rare large losses, {n} rows", "95 %", inside, runs)


def _seen(runs: int) -> Iterator[Rate]:
    for d, discordant in ((0.05, 0.1), (0.05, 0.2), (0.03, 0.1), (0.1, 0.2)):
        n = needed(d, discordant=discordant)
        sides = (worlds.better_by(np.random.default_rng([3, seed]), n, d, discordant) for seed in range(runs))
        shown = sum(compare(*pair).low > 0 for pair in sides)
        world = f"{100 * d:g} points, {discordant:.0%} of {n:,} rows differ"
        yield Rate("a real difference is shown", world, "80 %", shown, runs)


def _table(rates: list[Rate], made: dict[str, str], rows: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    yield "# What comparisons are worth"
    yield ""
    yield f"Made by `{made['command']}` at {made['commit']}, {made['date']}, {made['machine']}; do not edit."
    yield "Simulated worlds whose truth is known; intervals are Wilson's, 95 %."
    yield ""
    yield "| what happened | world | promised | share of runs | 95 % interval | runs |"
    yield "|---|---|---|---|---|---|"
    for rate in rates:
        low, high = wilson(rate.times, rate.runs)
        share = rate.times / rate.runs
        yield (
            f"| {rate.what} | {rate.world} | {rate.promised} | {share:.1%} | {low:.1%} to {high:.1%} | {rate.runs:,} |"
        )
    yield ""
    yield "Rows needed to see a difference at 80 % power, two-sided 5 %, right-and-wrong scores: the exact test, and in"
    yield "brackets Connor's formula that tables print."
    yield ""
    yield "| difference | 5 % of rows differ | 10 % | 20 % |"
    yield "|---|---|---|---|"
    for d, found in rows.items():
        cells = (f"{exact:,} ({about:,.0f})" for exact, about in found.values())
        yield f"| {100 * float(d):g} points | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
