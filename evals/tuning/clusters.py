"""Means, ratios and quantiles of a million rows with 95 % intervals, rows of one question counted as one witness.

Cluster-robust (Liang and Zeger 1986, with the factor G/(G - 1)): the error of a mean is that of its clusters' summed
residuals, with Student's quantile at G - 1 degrees of freedom. Ratios by their linearisation, quantiles by
Woodruff's method (1952), shares by Wilson's interval at the effective number of rows (Korn and Graubard 1998), and
paired differences with the two half pairs of Agresti and Min (2005), so that a few rows which all agree do not look
like certainty. Nothing is drawn: equal rows give equal bytes.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.tuning.table import Codes, Floats, Ints, Mask

LEVEL: Final = 0.95


class Figure(NamedTuple):
    """A value with its interval, and how many rows and questions it rests on."""

    value: float
    low: float
    high: float
    n: int
    stems: int


class Spread(NamedTuple):
    """Means of g groups: their standard errors, rows and clusters, all (g,)."""

    mean: Floats
    error: Floats
    n: Ints
    clusters: Ints

    def reach(self, level: float = LEVEL) -> Floats:
        """Half the width of each group's interval; infinite for a single cluster."""
        alone = self.clusters < 2
        times = student(np.maximum(self.clusters - 1, 1), level)
        return np.asarray(np.where(alone, np.inf, times * self.error))


class Groups(NamedTuple):
    """Rows cut into g groups, and into clusters inside each: made once, used for many means.

    Attributes:
        size: g.
        group: (n,), the group of each row.
        cluster: (n,), the cluster of each row, never shared by two groups; None where every row is its own.
        group_of: the group of each cluster.
    """

    size: int
    group: Codes
    cluster: Ints | None
    group_of: Ints

    @classmethod
    def of(cls, stem: Codes, group: Codes | None = None, count: int = 1) -> Groups:
        """Groups of the rows with these stems; one group of all without ``group``."""
        rows = np.bincount(stem) if len(stem) else np.zeros(1, dtype=np.int64)
        kind = np.zeros(len(stem), dtype=np.int32) if group is None else group
        if rows.max() <= 1:
            return cls(count, kind, None, kind.astype(np.int64))
        if group is None:  # stems are dense: no sorting; those without a row belong to a group beyond
            return cls(1, kind, stem.astype(np.int64), np.where(rows > 0, 0, 1))
        wide = np.int64(len(rows))
        keys, cluster = np.unique(kind.astype(np.int64) * wide + stem, return_inverse=True)
        return cls(count, kind, cluster.astype(np.int64), keys // wide)

    def spread(self, values: Floats, extra: Floats | float = 0.0) -> Spread:
        """The groups' means.

        Args:
            values: (n,), known all.
            extra: squares added to each group's sum, and twice as many rows to its divisor: see ``paired``.
        """
        n = np.bincount(self.group, minlength=self.size)
        mean = np.bincount(self.group, values, self.size) / np.maximum(n, 1)
        rest = values - mean[self.group]
        if self.cluster is None:
            square, clusters = np.bincount(self.group, rest * rest, self.size), n
        else:
            summed = np.bincount(self.cluster, rest, len(self.group_of))
            square = np.bincount(self.group_of, summed * summed, self.size)[: self.size]
            clusters = np.bincount(self.group_of, minlength=self.size)[: self.size]
        factor = clusters / np.maximum(clusters - 1, 1)
        error = np.sqrt((square + extra) * factor) / np.maximum(n + 2 * extra, 1)
        return Spread(mean, error, n, clusters)


def count(stem: Codes) -> int:
    """How many different stems there are. Stems are small numbers, so counting beats sorting and hashing."""
    return int(np.count_nonzero(np.bincount(stem))) if len(stem) else 0


def student(freedom: Ints | int, level: float = LEVEL) -> Floats:
    """The two-sided quantile of Student's t; infinite below one degree.

    Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5), from 3 degrees up right within 1 %; below that the
    exact quantiles of 1 and 2 degrees.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    v = np.maximum(np.asarray(freedom, dtype=np.float64), 3.0)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    found = z + g1 / v + g2 / v**2 + g3 / v**3 + g4 / v**4
    tail = (1 + level) / 2
    one = np.tan(np.pi * (tail - 0.5))
    two = (2 * tail - 1) * np.sqrt(2 / (4 * tail * (1 - tail)))
    few = np.asarray(freedom)
    return np.asarray(np.select([few < 1, few == 1, few == 2], [np.inf, one, two], found), dtype=np.float64)


def wilson(spread: Spread, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Bounds of means that lie in 0..1: Wilson's interval at the number of rows that would have this error.

    Where all rows agree every cluster counts as one row.
    """
    p = np.clip(spread.mean, 0.0, 1.0)
    known = (spread.error > 0) & (p * (1 - p) > 0)
    effective = np.where(known, p * (1 - p) / np.where(known, spread.error, 1.0) ** 2, np.maximum(spread.clusters, 1))
    z = student(spread.clusters - 1, level)
    z = np.where(np.isfinite(z), z, 1e6)
    weight = 1 + z * z / effective
    middle = (p + z * z / (2 * effective)) / weight
    half = z * np.sqrt(p * (1 - p) / effective + z * z / (4 * effective**2)) / weight
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)


def share(values: Floats | Mask, stem: Codes, level: float = LEVEL) -> Figure:
    """The mean of values in 0..1."""
    spread = Groups.of(stem).spread(np.asarray(values, dtype=np.float64))
    low, high = wilson(spread, level)
    return Figure(float(spread.mean[0]), float(low[0]), float(high[0]), int(spread.n[0]), int(spread.clusters[0]))


def mean(values: Floats, stem: Codes, level: float = LEVEL) -> Figure:
    """The mean of any values."""
    return _figure(Groups.of(stem).spread(values), level)


def paired(one: Floats, other: Floats, stem: Codes, *, same: bool, level: float = LEVEL) -> Figure:
    """The mean of ``one - other``, both in 0..1, row by row.

    ``same`` says that both are outcomes of the same decisions: then equal values are certain. Otherwise half a pair
    that got better and half a pair that got worse are added to the error, so that agreement of few rows is not.
    """
    return _figure(Groups.of(stem).spread(one - other, 0.0 if same else 1.0), level)


def ratio(part: Floats, whole: Floats, stem: Codes, level: float = LEVEL) -> Figure:
    """``sum(part) / sum(whole)``."""
    total = whole.sum()
    value = part.sum() / total
    spread = Groups.of(stem).spread((part - value * whole) * (len(whole) / total))
    half = float(spread.reach(level)[0])
    return Figure(float(value), float(value - half), float(value + half), len(whole), int(spread.clusters[0]))


def quantile(values: Floats, weights: Floats, stem: Codes, at: float, level: float = LEVEL) -> Figure:
    """The weighted quantile: the least value below or at which a share ``at`` of the weight lies."""
    order = np.argsort(values, kind="stable")
    ranked, heavy = values[order], np.cumsum(weights[order])
    total = heavy[-1]

    def value_at(place: float) -> float:
        found = np.searchsorted(heavy, min(max(place, 0.0), 1.0) * total * (1 - 1e-12))
        return float(ranked[min(int(found), len(ranked) - 1)])

    middle = value_at(at)
    spread = Groups.of(stem).spread(
        weights * np.asarray((values <= middle) - at, dtype=np.float64) * (len(values) / total)
    )
    half = float(spread.reach(level)[0])
    return Figure(middle, value_at(at - half), value_at(at + half), len(values), int(spread.clusters[0]))


def _figure(spread: Spread, level: float) -> Figure:
    value, half = float(spread.mean[0]), float(spread.reach(level)[0])
    return Figure(value, value - half, value + half, int(spread.n[0]), int(spread.clusters[0]))


def effective(weights: NDArray[np.float64]) -> float:
    """Kish's effective sample size: as many rows of equal weight would say as much."""
    square = float(np.sum(weights * weights))
    return float(weights.sum() ** 2 / square) if square > 0 else 0.0
