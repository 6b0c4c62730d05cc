"""How far two judgements of the same answers agree, beyond chance. Pure.

Krippendorff's alpha for scores, with squared differences (Content Analysis, 2004, ch. 11), and Cohen's kappa of
*right enough* (a score of at least one half; Educ. Psychol. Meas. 20, 1960), both with a bootstrap interval over
answers. Where all judgements are alike, agreement beyond chance cannot be told from chance: both are unknown then.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.types import Frozen

FEWEST: Final = 10
"""Answers judged twice below which nothing is said."""

ENOUGH: Final = 0.667
"""Alpha from which tentative conclusions are allowed, by Krippendorff's own rule."""

LEAST: Final = 0.5
"""And its interval's low end must not lie below this."""

DRAWS: Final = 2_000
_RIGHT: Final = 0.5
Floats = NDArray[np.float64]


class Agreement(Frozen, frozen=True, kw_only=True):
    """Two columns of scores of the same answers.

    Attributes:
        alpha, kappa: with their 95 % intervals; NaN where they cannot be told.
        same: the share of answers that both find right, or both wrong.
    """

    n: int
    alpha: float = nan
    alpha_low: float = nan
    alpha_high: float = nan
    kappa: float = nan
    kappa_low: float = nan
    kappa_high: float = nan
    same: float = nan

    @property
    def known(self) -> bool:
        """Whether anything can be said."""
        return self.n >= FEWEST and isfinite(self.alpha) and isfinite(self.alpha_low)

    @property
    def enough(self) -> bool:
        """Whether the scores may be used; a check that told nothing is no pass."""
        return self.known and self.alpha >= ENOUGH and self.alpha_low >= LEAST


def agreement(one: Sequence[float], other: Sequence[float], seed: int = 20261124) -> Agreement:
    """Compare two judges, or two sittings of one; scores in 0..1, in the same order."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} scores against {len(b)}")
    if not len(a):
        return Agreement(n=0)
    rng = np.random.default_rng(seed)
    index = rng.integers(len(a), size=(DRAWS, len(a)))
    drawn_a, drawn_b = a[index], b[index]
    alpha_low, alpha_high = _limits(alpha(drawn_a, drawn_b))
    kappa_low, kappa_high = _limits(kappa(drawn_a, drawn_b))
    return Agreement(
        n=len(a),
        alpha=float(alpha(a[None], b[None])[0]),
        alpha_low=alpha_low,
        alpha_high=alpha_high,
        kappa=float(kappa(a[None], b[None])[0]),
        kappa_low=kappa_low,
        kappa_high=kappa_high,
        same=float(np.mean((a >= _RIGHT) == (b >= _RIGHT))),
    )


def alpha(a: Floats, b: Floats) -> Floats:
    """Krippendorff's alpha of each row of two judges' scores (draws, n); NaN where all scores are alike.

    1 - observed / expected disagreement; two judges and no gaps make 2 n values, whose pairs are n (2 n - 1).
    """
    n = a.shape[1]
    observed = ((a - b) ** 2).mean(axis=1)
    whole = np.concatenate([a, b], axis=1)
    expected = 2 * whole.var(axis=1) * (2 * n) / max(2 * n - 1, 1)
    return np.where(expected > 0, 1 - observed / np.where(expected > 0, expected, 1.0), nan)


def kappa(a: Floats, b: Floats) -> Floats:
    """Cohen's kappa of *right enough* of each row (draws, n); NaN where chance alone agrees always."""
    first, second = a >= _RIGHT, b >= _RIGHT
    seen = (first == second).mean(axis=1)
    p, q = first.mean(axis=1), second.mean(axis=1)
    chance = p * q + (1 - p) * (1 - q)
    return np.where(chance < 1, (seen - chance) / np.where(chance < 1, 1 - chance, 1.0), nan)


def _limits(drawn: Floats) -> tuple[float, float]:
    """Percentile limits; unknown where more than a twentieth of the draws cannot be told."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.95 * len(drawn):
        return nan, nan
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)
