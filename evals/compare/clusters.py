"""Differences of any shape, where rows that share a question are one draw.

The mean difference is the ratio of the clusters' sums to their sizes. Its test turns the sign of whole clusters
about: under no difference either side could have been either one (Fisher's randomisation; exact, and the square
sum is the same for every turn, so the statistic is studentised as it stands). Its interval is the studentised
bootstrap over clusters (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 12), whose error falls
with n where the percentile one's falls with the root of n. With a thousand clusters and more both have reached
their limits, which need no draws: the normal, with Hall's correction for skewness (The Bootstrap and Edgeworth
Expansion, 1992, section 2.4).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from math import erfc, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.compare import proportions
from evals.compare.beta import Floats

#: Fewer clusters that differ than this tell too little of a distribution's tails: what happens to one question in
#: ten is not among a dozen in three cases of ten, and no resampling brings it back. From 30 on the bootstrap covers
#: as it should even then (evals/results/comparisons.md).
FEW: Final = 30
#: From so many clusters of like weight on the limits stand for the draws.
_MANY: Final = 1000
#: Sums of at most this many clusters are turned in every way there is.
_EVERY: Final = 13
#: Cells of a block of draws, to hold memory down.
_BLOCK: Final = 4_000_000
#: So many unlike clusters or fewer are drawn by their counts.
_KINDS: Final = 64
_SAME: Final = 1e-12
#: A studentised mean without an error to divide by.
_FAR: Final = 1e9


class Clusters(NamedTuple):
    """Sums of differences and sizes of clusters, with how many are alike."""

    total: Floats
    size: Floats
    number: NDArray[np.int64]

    @property
    def clusters(self) -> int:
        """How many there are."""
        return int(self.number.sum())

    @property
    def rows(self) -> float:
        """How many rows are in them."""
        return float(self.size @ self.number)

    @property
    def mean(self) -> float:
        """The mean difference of a row."""
        return float(self.total @ self.number) / self.rows


def members(stems: Sequence[Hashable] | None, n: int) -> NDArray[np.int64]:
    """The number of each row's stem; without stems every row is its own."""
    if stems is None:
        return np.arange(n)
    place: dict[Hashable, int] = {}
    return np.array([place.setdefault(stem, len(place)) for stem in stems], dtype=np.int64)


def gather(value: Floats, member: NDArray[np.int64], weight: Floats | None = None) -> Clusters:
    """Clusters by their sums and sizes, alike ones together; with weights, sizes are sums of those."""
    size = np.bincount(member, weight).astype(float)
    total = np.round(np.bincount(member, value), 12)
    kinds, count = np.unique(np.stack([total, size], axis=1), axis=0, return_counts=True)
    return Clusters(kinds[:, 0] + 0.0, kinds[:, 1], count)


def sign_p(found: Clusters, rng: np.random.Generator, draws: int) -> float:
    """Two-sided p of no difference: how often turning clusters about gives a sum as far from 0.

    Exact for up to 13 clusters that differ; drawn else, and then never 0 (Phipson and Smyth, Permutation p-values
    should never be zero, 2010); by its normal limit where the clusters are many.
    """
    differ = np.abs(found.total) > _SAME
    height, count = np.abs(found.total[differ]), found.number[differ]
    seen = abs(float(found.total @ found.number)) - _SAME
    if not len(height):
        return 1.0
    if _weight(height, count) > _MANY:
        return erfc(seen / sqrt(2.0 * float(height**2 @ count)))
    if count.sum() <= _EVERY:
        turns = np.array(list(product((-1.0, 1.0), repeat=int(count.sum()))))
        return float(np.mean(np.abs(turns @ np.repeat(height, count)) >= seen))
    height, place = np.unique(height, return_inverse=True)
    count = np.bincount(place, count).astype(np.int64)
    far = sum(int(np.count_nonzero(np.abs(sums) >= seen)) for sums in _turned(height, count, rng, draws))
    return (far + 1.0) / (draws + 1.0)


def _weight(value: Floats, count: NDArray[np.int64]) -> float:
    """How many clusters of one height would spread as these do."""
    return float((value**2 @ count) ** 2 / (value**4 @ count))


def _turned(height: Floats, count: NDArray[np.int64], rng: np.random.Generator, draws: int) -> Iterator[Floats]:
    """Sums with every cluster's sign by lot: by the counts of alike ones, or by a bit each."""
    if len(height) <= _KINDS:
        yield (2.0 * rng.binomial(count, 0.5, size=(draws, len(height))) - count) @ height
        return
    each = np.repeat(height, count)
    for block in _blocks(draws, len(each)):
        bits = np.frombuffer(rng.bytes(block * (-(-len(each) // 8))), np.uint8).reshape(block, -1)
        yield np.unpackbits(bits, axis=1, count=len(each)).astype(np.float64) @ (2.0 * each) - each.sum()


def limits(found: Clusters, rng: np.random.Generator, draws: int, alpha: float) -> tuple[float, float]:
    """Limits of the mean (of a ratio of sums, in general), each side at ``alpha`` / 2; they know no bounds."""
    value, error = (float(part[0]) for part in _standard_error(found.number[None, :].astype(float), found))
    off = found.total - value * found.size
    if error and _weight(off, found.number) > _MANY:
        below, above = _edgeworth(off, found, alpha)
    else:
        below, above = _bootstrap_t(found, value, rng, draws, alpha)
    return value - above * error, value - below * error


def _edgeworth(off: Floats, found: Clusters, alpha: float) -> tuple[float, float]:
    """Quantiles of the studentised mean, to the order of the root of n."""
    n = found.clusters
    skew = float(off**3 @ found.number) / n / (float(off**2 @ found.number) / n) ** 1.5
    z = NormalDist().inv_cdf(1.0 - alpha / 2.0)
    shift = skew / (6.0 * sqrt(n)) * (2.0 * z * z + 1.0)
    return -z - shift, z - shift


def _bootstrap_t(
    found: Clusters, value: float, rng: np.random.Generator, draws: int, alpha: float
) -> tuple[float, float]:
    """Quantiles of (mean - value) / standard error over resamples of clusters."""
    drawn = []
    for counts in _resampled(found, rng, draws):
        means, errors = _standard_error(counts, found)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn.append(np.where(errors > 0, (means - value) / errors, np.sign(means - value) * _FAR))
    below, above = np.quantile(np.concatenate(drawn), [alpha / 2, 1 - alpha / 2], method="median_unbiased")
    return float(below), float(above)


def _standard_error(counts: Floats, found: Clusters) -> tuple[Floats, Floats]:
    """Means and standard errors of resamples, by the linearised ratio estimator.

    Args:
        counts: (draws, kinds) how often each kind of cluster was drawn.
        found: the kinds.
    """
    s, m = found.total, found.size
    sums = counts @ np.stack([s, m, s * s, s * m, m * m], axis=1)
    clusters = found.clusters
    mean = sums[:, 0] / sums[:, 1]
    squares = sums[:, 2] - 2.0 * mean * sums[:, 3] + mean * mean * sums[:, 4]
    # rounding leaves a hair where every cluster is alike
    squares = np.where(squares > _SAME * (sums[:, 2] + clusters), squares, 0.0)
    return mean, np.sqrt(squares * clusters / max(clusters - 1, 1)) / sums[:, 1]


def _resampled(found: Clusters, rng: np.random.Generator, draws: int) -> Iterator[Floats]:
    kinds, clusters = len(found.number), found.clusters
    for block in _blocks(draws, max(kinds, clusters // 4)):
        if kinds <= _KINDS:
            yield rng.multinomial(clusters, found.number / clusters, size=block).astype(float)
            continue
        which = np.repeat(np.arange(kinds), found.number)
        picked = which[rng.integers(clusters, size=(block, clusters))] + kinds * np.arange(block)[:, None]
        yield np.bincount(picked.ravel(), minlength=block * kinds).reshape(block, kinds).astype(float)


def _blocks(draws: int, width: int) -> Iterator[int]:
    block = max(1, _BLOCK // width)
    for start in range(0, draws, block):
        yield min(block, draws - start)


def sparse(found: Clusters) -> bool:
    """Whether too few clusters differ for the bootstrap to know the tails."""
    return int(found.number[np.abs(found.total) > _SAME].sum()) < FEW


def worst_case(found: Clusters, alpha: float) -> tuple[float, float]:
    """Limits that hold whatever the few differences are like: each counts as if it were the largest possible.

    A variable in 0..1 spreads no wider than right and wrong with its mean, so the interval of proportions holds
    when the sums of gains and losses, in units of the largest cluster, are rounded away from the other side.
    """
    unit = float(found.size.max())
    gains = float(np.clip(found.total, 0, None) @ found.number) / unit
    losses = float(np.clip(-found.total, 0, None) @ found.number) / unit
    n, scale = found.clusters, unit * found.clusters / found.rows
    low, _ = proportions.interval(int(np.floor(gains + _SAME)), int(np.ceil(losses - _SAME)), n, alpha)
    _, high = proportions.interval(int(np.ceil(gains - _SAME)), int(np.floor(losses + _SAME)), n, alpha)
    return max(-1.0, low * scale), min(1.0, high * scale)
