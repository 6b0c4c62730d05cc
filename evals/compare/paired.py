"""Candidate against incumbent, on the same rows.

A difference that is *shown* is one whose interval excludes 0. Under no difference that happens to at most 5 % of
comparisons: the interval is never narrower than the exact test beside it allows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.compare import clusters, proportions
from evals.compare.beta import Floats

#: What draws repeat from, unless told otherwise.
SEED: Final = 20261124
DRAWS: Final = 9_999


class NoPairs(ValueError):
    """There is no row that both sides answered."""


class Difference(NamedTuple):
    """Candidate minus incumbent.

    Attributes:
        value: the mean difference of a row.
        low, high: its 95 % interval (or of the confidence asked for).
        p: of no difference at all, two-sided.
        n: rows that both sides have a score for.
        stems: questions among them; what is drawn.
        method: ``exact`` (McNemar), ``bootstrap`` (studentised, over stems) or ``sparse`` (too few rows differ
            for the bootstrap: the worst case of what they may be).
        missing: rows left out because one side has no score.
        spread: of the differences: the standard deviation of a stem's mean.
        discordant: the share of rows that differ.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    stems: int
    method: str
    missing: int = 0
    spread: float = 0.0
    discordant: float = 0.0

    @property
    def shown(self) -> bool:
        """Whether there is a difference beyond chance."""
        return self.low > 0 or self.high < 0


def compare(
    candidate: Sequence[float] | Floats,
    incumbent: Sequence[float] | Floats,
    stems: Sequence[Hashable] | None = None,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
    confidence: float = 0.95,
) -> Difference:
    """The paired difference of two columns of scores in 0..1; NaN is unknown and drops the pair.

    Right-and-wrong scores of unlike questions are judged exactly. All else is clustered by stem: rows that share
    one count as one draw.

    Args:
        candidate: scores by row.
        incumbent: those of the same rows, in the same order.
        stems: the question of each row; without them every row is its own.
        seed: of all draws; equal seeds, equal results.
        draws: for tests and bootstraps; p is never below 1 / (draws + 1) where it is drawn.
        confidence: of the interval.

    Raises:
        NoPairs: no row has both scores.
        ValueError: the columns differ in length, or a score lies outside 0..1.
    """
    left, right, member, missing = _pairs(candidate, incumbent, stems)
    difference, alpha = left - right, 1.0 - confidence
    n, questions = len(difference), int(member.max()) + 1
    mean_of_stem = np.bincount(member, difference) / np.bincount(member)
    spread = float(np.std(mean_of_stem, ddof=1)) if questions > 1 else 0.0
    differ = float(np.mean(difference != 0))
    if questions == n and _binary(left) and _binary(right):
        better, worse = int(np.sum(difference > 0)), int(np.sum(difference < 0))
        low, high = proportions.interval(better, worse, n, alpha)
        p = proportions.exact_p(better, worse)
        return Difference((better - worse) / n, low, high, p, n, questions, "exact", missing, spread, differ)
    found, rng = clusters.gather(difference, member), np.random.default_rng(seed)
    p = clusters.sign_p(found, rng, draws)
    few = clusters.sparse(found)
    low, high = clusters.worst_case(found, alpha) if few else clusters.limits(found, rng, draws, alpha)
    low, high = max(low, -1.0), min(high, 1.0)
    if p > alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    method = "sparse" if few else "bootstrap"
    return Difference(found.mean, low, high, p, n, questions, method, missing, spread, differ)


def _pairs(
    candidate: Sequence[float] | Floats, incumbent: Sequence[float] | Floats, stems: Sequence[Hashable] | None
) -> tuple[Floats, Floats, NDArray[np.int64], int]:
    left, right = np.asarray(candidate, float), np.asarray(incumbent, float)
    if left.shape != right.shape or left.ndim != 1 or (stems is not None and len(stems) != len(left)):
        asked = "" if stems is None else f", {len(stems)} stems"
        raise ValueError(f"pairs need columns of one length; got {left.shape}, {right.shape}{asked}")
    both = ~(np.isnan(left) | np.isnan(right))
    if not both.any():
        raise NoPairs(f"none of {len(left)} rows has a score of both sides")
    for side in (left[both], right[both]):
        if side.min() < 0 or side.max() > 1:
            raise ValueError(f"scores lie in 0..1; found {side.min():g}..{side.max():g}")
    used = None if stems is None else [stem for stem, use in zip(stems, both, strict=True) if use]
    return left[both], right[both], clusters.members(used, int(both.sum())), int((~both).sum())


def _binary(scores: Floats) -> bool:
    return bool(np.all((scores == 0) | (scores == 1)))
