"""Means, ratios and quantiles of one column with 95 % intervals, over questions rather than rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil, floor, sqrt
from typing import Final

import numpy as np

from evals.compare import clusters
from evals.compare.beta import Floats
from evals.compare.paired import SEED
from evals.intervals import wilson
from evals.metrics import Interval

_ALPHA: Final = 0.05
_Z: Final = 1.959964
#: A figure of a report needs fewer draws than a test whose p is adjusted for many slices.
DRAWS: Final = 1_999


def share(values: Floats, stems: Sequence[Hashable] | None = None, *, seed: int = SEED, draws: int = DRAWS) -> Interval:
    """The mean of scores in 0..1: Wilson's where each is 0 or 1 and stands alone, the studentised bootstrap else.

    Too few questions for a bootstrap, or all alike, are taken as right-and-wrong ones of the same mean, which
    spread wider than anything else with that mean can.
    """
    if not len(values):
        raise ValueError("no scores to take the mean of")
    member = clusters.members(stems, len(values))
    found, value = clusters.gather(values, member), float(np.mean(values))
    if found.clusters == len(values) and bool(np.all((values == 0) | (values == 1))):
        return Interval(value, *wilson(int(values.sum()), len(values)))
    if found.clusters < clusters.FEW or np.ptp(found.total / found.size) == 0:
        n = found.clusters
        return Interval(value, wilson(floor(value * n + 1e-9), n)[0], wilson(ceil(value * n - 1e-9), n)[1])
    low, high = clusters.limits(found, np.random.default_rng(seed), draws, _ALPHA)
    return Interval(value, max(0.0, low), min(1.0, high))


def ratio(
    above: Floats, below: Floats, stems: Sequence[Hashable] | None = None, *, seed: int = SEED, draws: int = DRAWS
) -> Interval:
    """Sum over sum, e.g. cost over what always-large would have cost; ``below`` must not sum to 0.

    With ones below it is a mean without bounds. A single question has no interval: it spans everything.
    """
    found = clusters.gather(above, clusters.members(stems, len(above)), below)
    if found.clusters < 2:
        return Interval(found.mean, float("-inf"), float("inf"))
    return Interval(found.mean, *clusters.limits(found, np.random.default_rng(seed), draws, _ALPHA))


def quantile(values: Floats, level: float) -> Interval:
    """A quantile with the interval between order statistics (binomial ranks, by their normal limit)."""
    ordered, n = np.sort(values), len(values)
    reach = _Z * sqrt(n * level * (1.0 - level))
    low, high = floor(n * level - reach) - 1, ceil(n * level + reach)
    return Interval(float(np.quantile(ordered, level)), float(ordered[max(0, low)]), float(ordered[min(n - 1, high)]))
