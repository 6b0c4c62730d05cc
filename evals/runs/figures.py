"""Figures of a target's items: values with 95 % intervals, over questions rather than answers.

Samples of one row are averaged first; intervals come from drawing stems (whole questions), seeded, so the same items
give the same figures. Where every row is right or wrong and stands alone, Wilson's interval is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.intervals import wilson
from evals.runs.judging import JUDGE_SILENT, NOT_JUDGED

if TYPE_CHECKING:
    from evals.runs.record import Item

Floats = NDArray[np.float64]
SEED: Final = 20261124
_DRAWS: Final = 1000
_CHUNK: Final = 50  # draws at a time, so that memory stays flat


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
    return _share(sum(map(missing, items)), len(items))


def unjudged(items: Sequence[Item]) -> Figure:
    """Share of the answers that nobody could judge."""
    there = [item for item in items if not missing(item)]
    return _share(sum(item.quality is None for item in there), len(there))


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
    low, high = _drawn([item.stem for item in known], always - paid, always)
    return Figure(float(1 - paid.sum() / always.sum()), low, high, len(known))


def latency(items: Sequence[Item], quantile: float) -> Figure:
    """A percentile of milliseconds, the nearest rank."""
    known = sorted(item.latency_ms for item in items if item.latency_ms is not None)
    if not known:
        return Figure(None, why="no latency is known")
    at = max(1, int(np.ceil(quantile / 100 * len(known))))
    return Figure(known[at - 1], n=len(known))


def recall(items: Sequence[Item], rate: float) -> Figure:
    """Recall at the threshold whose share of false alarms is at most ``rate``, the best such threshold.

    The threshold is on the guards' surest finding. Interval: Wilson's, on the positives, at that threshold.
    """
    bad = np.array([item.alarm for item in items if item.label is True and item.alarm is not None], dtype=float)
    fine = np.array([item.alarm for item in items if item.label is False and item.alarm is not None], dtype=float)
    if not len(bad) or not len(fine):
        return Figure(None, n=len(bad), why="needs texts with label true and texts with label false, and guards")
    allowed = int(rate * len(fine) + 1e-9)
    above = np.sort(fine)[::-1]
    # Everything above the first fine text that must not be stopped.
    threshold = above[allowed] if allowed < len(above) else -np.inf
    hit = int((bad > threshold).sum())
    low, high = wilson(hit, len(bad))
    return Figure(hit / len(bad), low, high, len(bad))


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


def _share(count: int, of: int) -> Figure:
    low, high = wilson(count, of)
    return Figure(count / of, low, high, of) if of else Figure(None, why="there is no answer")


def _mean(items: Sequence[Item], value: Callable[[Item], float | None], why: str) -> Figure:
    rows: dict[str, list[float]] = {}
    stem: dict[str, str] = {}
    for item in items:
        found = value(item)
        if found is not None:
            rows.setdefault(item.id, []).append(found)
            stem[item.id] = item.stem or item.id
    if not rows:
        return Figure(None, why=why)
    means = np.array([sum(values) / len(values) for values in rows.values()])
    stems = [stem[name] for name in rows]
    if len(set(stems)) == len(stems) and np.isin(means, (0.0, 1.0)).all():
        low, high = wilson(int(means.sum()), len(means))
    else:
        low, high = _drawn(stems, means, np.ones(len(means)))
    return Figure(float(means.mean()), low, high, len(means))


def _drawn(stems: Sequence[str], above: Floats, below: Floats) -> tuple[float, float]:
    """95 % percentile interval of a ratio of sums, whole stems drawn with replacement."""
    _, member = np.unique(np.asarray(stems), return_inverse=True)
    top, bottom = np.bincount(member, above), np.bincount(member, below)
    rng, values = np.random.default_rng(SEED), []
    for _ in range(0, _DRAWS, _CHUNK):
        picked = rng.integers(len(top), size=(_CHUNK, len(top)))
        values.append(top[picked].sum(axis=1) / np.maximum(bottom[picked].sum(axis=1), 1e-300))
    low, high = np.percentile(np.concatenate(values), (2.5, 97.5))
    return float(low), float(high)
