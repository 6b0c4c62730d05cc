"""The answers of one target as columns, and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.compare import means
from evals.compare.beta import Floats
from evals.compare.pairs import stem_of
from evals.metrics import Interval
from evals.runs.record import Item
from router.types import TIER_NAMES


class Answers(NamedTuple):
    """Items of one target with their numbers as arrays; NaN is unknown."""

    target: str
    items: tuple[Item, ...]
    quality: Floats
    cost: Floats
    baseline: Floats
    latency: Floats
    stems: tuple[str, ...]

    def rows(self, chosen: NDArray[np.bool_]) -> Answers:
        """Only these."""
        at = np.flatnonzero(chosen).tolist()
        return Answers(
            self.target,
            tuple(self.items[index] for index in at),
            self.quality[chosen],
            self.cost[chosen],
            self.baseline[chosen],
            self.latency[chosen],
            tuple(self.stems[index] for index in at),
        )


class Figures(NamedTuple):
    """What is said of a target; ``None`` where nothing is known.

    Attributes:
        target: its name.
        answers: asked for. judged: with a quality. errors: items that say why something is missing.
        stems: questions among the judged.
        quality: mean. cost: nano-dollars an answer. saving: 1 - cost / always-large, where both are known.
        priced: answers whose cost is known.
        p50, p95: milliseconds.
        tiers: share of answers by the tier that gave them.
    """

    target: str
    answers: int
    judged: int
    errors: int
    stems: int
    quality: Interval | None
    cost: Interval | None
    priced: int
    saving: Interval | None
    p50: Interval | None
    p95: Interval | None
    tiers: Mapping[str, float]


def answers_of(target: str, items: Sequence[Item]) -> Answers:
    """The items of one target, as columns."""
    mine = tuple(item for item in items if item.target == target)
    return Answers(
        target,
        mine,
        _column([item.quality for item in mine]),
        _column([item.cost_nano for item in mine]),
        _column([item.baseline_nano for item in mine]),
        _column([item.latency_ms for item in mine]),
        tuple(stem_of(item) for item in mine),
    )


def figures(of: Answers) -> Figures:
    """The figures of a target."""
    judged = ~np.isnan(of.quality)
    tiers = Counter(item.tier for item in of.items if item.tier)
    timed = of.latency[~np.isnan(of.latency)]
    return Figures(
        target=of.target,
        answers=len(of.items),
        judged=int(judged.sum()),
        errors=sum(bool(item.error) for item in of.items),
        stems=len({stem for stem, known in zip(of.stems, judged, strict=True) if known}),
        quality=quality(of),
        cost=cost(of),
        priced=int((~np.isnan(of.cost)).sum()),
        saving=_saving(of),
        p50=means.quantile(timed, 0.5) if len(timed) else None,
        p95=means.quantile(timed, 0.95) if len(timed) else None,
        tiers={tier: tiers[tier] / tiers.total() for tier in TIER_NAMES if tiers[tier]},
    )


def quality(of: Answers) -> Interval | None:
    """Mean quality of the judged."""
    known = ~np.isnan(of.quality)
    return means.share(of.quality[known], _only(of.stems, known)) if known.any() else None


def cost(of: Answers) -> Interval | None:
    """Mean nano-dollars of an answer whose cost is known."""
    known = ~np.isnan(of.cost)
    return means.ratio(of.cost[known], np.ones(int(known.sum())), _only(of.stems, known)) if known.any() else None


def _saving(of: Answers) -> Interval | None:
    known = ~(np.isnan(of.cost) | np.isnan(of.baseline))
    if not known.any() or of.baseline[known].sum() <= 0:
        return None
    spent = means.ratio(of.cost[known], of.baseline[known], _only(of.stems, known))
    return Interval(1.0 - spent.value, 1.0 - spent.high, 1.0 - spent.low)


def _only(stems: Sequence[str], chosen: NDArray[np.bool_]) -> list[str]:
    return [stem for stem, use in zip(stems, chosen.tolist(), strict=True) if use]


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
