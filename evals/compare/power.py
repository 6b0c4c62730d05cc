"""What n rows can show: the smallest difference seen, the rows needed for one. Two-sided, as comparisons are.

Right-and-wrong scores: the exact power of McNemar's exact test, for a share of rows in which the two sides
differ. Scores of any shape: from the spread of the differences, with Guenther's correction for Student's t
(Sample size formulas for normal theory t tests, The American Statistician 35, 1981).
Where rows share questions, count questions.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, inf, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from evals.compare import beta
from evals.compare.beta import Floats

#: Rows that differ above this many: the normal limit is as good, and quick.
_MANY: Final = 4_000
#: Standard deviations of the number of rows that differ that are summed over.
_REACH: Final = 7.5
#: Rows that the exact limit lies from the normal one, at most.
_AROUND: Final = 6.0
#: No suite is larger.
_MOST_ROWS: Final = 1 << 30


def power_of(n: int, d: float, discordant: float, alpha: float = 0.05) -> float:
    """The chance that n rows show a difference of ``d``, when a share ``discordant`` of rows differs.

    A difference cannot be larger than the share that differs; where it is, all that differ favour one side.
    """
    share = min(max(discordant, abs(d)), 1.0)
    if not share or n < 1:
        return 0.0
    if n * share > _MANY:
        return _normal_power(n, abs(d), share, alpha)
    middle, reach = n * share, _REACH * sqrt(n * share * (1.0 - share)) + 8.0
    ends = max(1, int(middle - reach)), min(n, int(middle + reach)) + 1
    differ, needed = np.arange(*ends, dtype=float), _least(*ends, alpha)
    lean = (1.0 + abs(d) / share) / 2.0
    found = beta.at_least(needed, differ, lean) + beta.at_least(needed, differ, 1.0 - lean)
    return float(_chances(differ, n, share) @ found)


def visible(
    n: int,
    *,
    discordant: float | None = None,
    spread: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The smallest difference that n rows show with that power; infinite when they show none.

    Args:
        n: rows that both sides answer; questions where rows share them.
        discordant: the share of rows in which right-and-wrong scores differ.
        spread: or the standard deviation of the differences, for scores of any shape.
        power: chance to see it.
        alpha: chance to see one where there is none.
    """
    _one_of(discordant, spread)
    if spread is not None:
        a, b = _deviates(power, alpha)
        free = n - a * a / 2.0
        return (a + b) * spread / sqrt(free) if free > 0 else inf
    assert discordant is not None
    if power_of(n, 1.0, discordant, alpha) < power:
        return inf
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2.0
        low, high = (low, middle) if power_of(n, middle, discordant, alpha) >= power else (middle, high)
    return high


def needed(
    d: float,
    *,
    discordant: float | None = None,
    spread: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int:
    """The rows from which on a difference of ``d`` is seen; arguments as ``visible``'s."""
    _one_of(discordant, spread)
    if not 0 < d <= 1:
        raise ValueError(f"a difference lies above 0 and up to 1; got {d:g}")
    if spread is not None:
        a, b = _deviates(power, alpha)
        return max(2, ceil(((a + b) * spread / d) ** 2 + a * a / 2.0))
    assert discordant is not None
    low, high = 1, 2
    while power_of(high, d, discordant, alpha) < power:
        low, high = high, high * 2
        if high > _MOST_ROWS:
            raise ValueError(f"no suite shows a difference of {d:g}")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, d, discordant, alpha) >= power else (middle, high)
    return high


def needed_about(d: float, discordant: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Rows by the normal limit (Connor, Sample size for testing differences in proportions, Biometrics 43, 1987).

    What tables print; the exact test needs a few more.
    """
    a, b = _deviates(power, alpha)
    share = max(discordant, d)
    return ((a * sqrt(share) + b * sqrt(share - d * d)) / d) ** 2


def _normal_power(n: int, d: float, share: float, alpha: float) -> float:
    a = NormalDist().inv_cdf(1.0 - alpha / 2.0)
    spread = sqrt(max(share - d * d, 1e-300))
    # counts are whole: the test rejects, on average, one row later than the limit would
    return 1.0 - NormalDist().cdf((a * sqrt(share) + 1.0 / sqrt(n) - d * sqrt(n)) / spread)


@lru_cache(maxsize=16)
def _least(first: int, end: int, alpha: float) -> Floats:
    """Of so many rows that differ, the fewest on one side with which the test rejects; more than all if none.

    Kept, because a search over differences asks for the same rows each time.
    """
    differ = np.arange(first, end, dtype=float)
    about = differ / 2.0 + NormalDist().inv_cdf(1.0 - alpha / 2.0) * np.sqrt(differ) / 2.0
    low = np.maximum(np.ceil(differ / 2.0), np.floor(about) - _AROUND)
    high = np.minimum(differ + 1.0, np.ceil(about) + _AROUND)
    while np.any(high - low > 0.5):
        middle = np.floor((low + high) / 2.0)
        rejects = 2.0 * beta.at_least(middle, differ, 0.5) <= alpha
        low, high = np.where(rejects | (low >= high), low, middle + 1.0), np.where(rejects, middle, high)
    return np.asarray(high)


def _chances(k: Floats, n: int, p: float) -> Floats:
    """Binomial chances of k among n."""
    if p >= 1.0:
        return np.asarray(k == n, dtype=float)
    ways = beta.log_scale(k + 1.0, n - k + 1.0) - np.log(n + 1.0)
    return np.asarray(np.exp(ways + k * np.log(p) + (n - k) * np.log1p(-p)))


def _deviates(power: float, alpha: float) -> tuple[float, float]:
    return NormalDist().inv_cdf(1.0 - alpha / 2.0), NormalDist().inv_cdf(power)


def _one_of(discordant: float | None, spread: float | None) -> None:
    if (discordant is None) == (spread is None):
        raise ValueError("say either the share of rows that differ or the spread of the differences")
    if discordant is not None and not 0 <= discordant <= 1:
        raise ValueError(f"a share lies in 0..1; got {discordant:g}")
