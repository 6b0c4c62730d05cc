"""Figures of a target's items: values with 95 % intervals, over questions rather than answers.

Samples of one row are averaged first; intervals are those of ``evals.compare.means``, over stems (whole questions) and
seeded, so the same items give the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evals.compare import means
from evals.runs.judging import JUDGE_SILENT, NOT_JUDGED

if TYPE_CHECKING:
    from evals.runs.record import Item

SEED: Final = 20261124


class Figure(NamedTuple):
    """A value with its interval (None where there is none) and how many rows stand behind it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why: str = ""


def missing(item: Item) -> bool:
    """Whether there is no answer at all."""
    return bool(item.error) and not item.error.startswith(NOT_JUDGED)


def unasked(item: Item) -> bool:
    """Whether there is an answer that its judge could not be asked about."""
    return item.error.startswith(JUDGE_SILENT)


def quality(items: Sequence[Item]) -> Figure:
    """Mean quality of the answers that were judged."""
    return _mean(items, lambda item: item.quality, "no answer was judged")


def score(items: Sequence[Item], scorer: str) -> Figure:
    """Mean of one scorer."""
    return _mean(items, lambda item: item.scores.get(scorer), f"no answer has a score of {scorer}")


def errors(items: Sequence[Item]) -> Figure:
    """Share of answers that are missing."""
    return _share(items, missing)


def unjudged(items: Sequence[Item]) -> Figure:
    """Share of the answers that nobody could judge."""
    there = [item for item in items if not missing(item)]
    return _share(there, lambda item: item.quality is None)


def cost(items: Sequence[Item], *, each: bool) -> Figure:
    """Nano-dollars of all answers together, or of one on average. Unknown where one of them is."""
    there = [item for item in items if not missing(item)]
    unknown = sum(item.cost_nano is None for item in there)
    if unknown or not there:
        words = f"the cost of {unknown} of {len(there)} answers is not known" if there else "there is no answer"
        return Figure(None, n=len(there), why=f"{words}; give prices in the settings")
    total = sum(item.cost_nano or 0 for item in there)
    return Figure(total / len(there) if each else float(total), n=len(there))


def saving(items: Sequence[Item]) -> Figure:
    """1 - cost / what the large tier would have cost."""
    known = [item for item in items if item.cost_nano is not None and item.baseline_nano is not None]
    paid = np.array([item.cost_nano for item in known], dtype=float)
    always = np.array([item.baseline_nano for item in known], dtype=float)
    if not known or always.sum() <= 0:
        return Figure(None, n=len(known), why="the large tier's cost is not known")
    spent = means.ratio(paid, always, [item.stem or item.id for item in known])
    return Figure(1.0 - spent.value, 1.0 - spent.high, 1.0 - spent.low, len(known))


def latency(items: Sequence[Item], quantile: float) -> Figure:
    """A percentile of milliseconds, the nearest rank."""
    known = sorted(item.latency_ms for item in items if item.latency_ms is not None)
    if not known:
        return Figure(None, why="no latency is known")
    at = max(1, int(np.ceil(quantile / 100 * len(known))))
    return Figure(known[at - 1], n=len(known))


def recall(items: Sequence[Item], rate: float) -> Figure:
    """Recall at the threshold whose share of false alarms is at most ``rate``, the best such threshold.

    The threshold is on the guards' surest finding. Interval: of the positives, at that threshold.
    """
    marked = [item for item in items if item.label is True and item.alarm is not None]
    bad = np.array([item.alarm for item in marked], dtype=float)
    fine = np.array([item.alarm for item in items if item.label is False and item.alarm is not None], dtype=float)
    if not len(bad) or not len(fine):
        return Figure(None, n=len(bad), why="needs texts with label true and texts with label false, and guards")
    allowed = int(rate * len(fine) + 1e-9)
    above = np.sort(fine)[::-1]
    # Everything above the first fine text that must not be stopped.
    threshold = above[allowed] if allowed < len(above) else -np.inf
    found = means.share((bad > threshold).astype(float), [item.stem or item.id for item in marked])
    return Figure(found.value, found.low, found.high, len(bad))


def by_row(items: Sequence[Item]) -> dict[str, tuple[float, str]]:
    """Row id -> mean quality over its judged samples, and its stem."""
    sums: dict[str, list[float]] = {}
    stems: dict[str, str] = {}
    for item in items:
        if item.quality is not None:
            sums.setdefault(item.id, []).append(item.quality)
            stems[item.id] = item.stem or item.id
    return {name: (sum(values) / len(values), stems[name]) for name, values in sums.items()}


def discordant(items: Sequence[Item]) -> float | None:
    """The share of rows whose first two samples came out otherwise; None where rows were asked once."""
    first: dict[str, float] = {}
    for item in items:
        if item.quality is not None and item.sample == 0:
            first[item.id] = item.quality
    differs = [
        abs(item.quality - first[item.id]) > 1e-9
        for item in items
        if item.quality is not None and item.sample == 1 and item.id in first
    ]
    return sum(differs) / len(differs) if differs else None


# --- intervals ---------------------------------------------------------------------------------------


def _share(items: Sequence[Item], holds: Callable[[Item], bool]) -> Figure:
    if not items:
        return Figure(None, why="there is no answer")
    found = _mean(items, lambda item: float(holds(item)), "")
    return found._replace(value=sum(map(holds, items)) / len(items), n=len(items))


def _mean(items: Sequence[Item], value: Callable[[Item], float | None], why: str) -> Figure:
    rows: dict[str, list[float]] = {}
    stem: dict[str, str] = {}
    for item in items:
        score = value(item)
        if score is not None:
            rows.setdefault(item.id, []).append(score)
            stem[item.id] = item.stem or item.id
    if not rows:
        return Figure(None, why=why)
    averages = np.array([sum(values) / len(values) for values in rows.values()])
    found = means.share(averages, [stem[name] for name in rows])
    return Figure(found.value, found.low, found.high, len(averages))
