"""Upper bounds on a mean loss that hold at a stated confidence for any number of rows. Pure.

Rows must be drawn independently (one row a question where questions repeat). Which bound is for which losses:

- 0 or 1 (``upper_rate``): Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934): exact;
- -1, 0 or 1, a loss against a gain (``net_limit``): an exact test of the sum at the worst share of rows that differ,
  that share bounded first (Berger and Boos, JASA 89, 1994, 1012-1016);
- anything in 0..1 (``upper_mean``): betting (Waudby-Smith and Ramdas, JRSS B 86, 2024, theorem 3).

Conformal risk control (Angelopoulos and others, 2024) bounds the expectation over calibration sets, not the chance
that this one misleads; a promise with a confidence needs the latter, so it is not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEPS: Final = 300
_TINY: Final = 1e-300
_CLOSE: Final = 1e-14
#: Of the error that a bound on a net loss may make, the part spent on bounding the share of rows that differ.
NUISANCE: Final = 0.05
#: A bet never stakes more than this of its capital on one row.
_LARGEST_BET: Final = 0.95


def binomial_cdf(most: int, n: int, rate: float) -> float:
    """P(at most ``most`` of ``n``) where each happens with chance ``rate``."""
    if most < 0:
        return 0.0
    if most >= n or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    return _beta_share(n - most, most + 1, 1 - rate)


def _beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b): continued fraction of DLMF 8.17.22, by Lentz's method."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta_share(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _STEPS):
        for part in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1.0 / _away(1 + part * d), _away(1 + part / c)
            found *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return front * found / a


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def upper_rate(failures: int, n: int, confidence: float) -> float:
    """The largest rate of failures that ``failures`` of ``n`` do not refute; 1 where there are no rows.

    Raises:
        ValueError: there are more failures than rows, or the confidence is not inside 0..1.
    """
    _check(failures, n, confidence)
    if failures >= n:
        return 1.0
    low, high = failures / n, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(failures, n, middle) > 1 - confidence else (low, middle)
    return high


def most_failures(n: int, rate: float, confidence: float) -> int:
    """How many of ``n`` rows may fail so that ``rate`` is still certified; -1 where not even none."""
    low, high = -1, n  # of low the bound is met, of high it is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if binomial_cdf(middle, n, rate) <= 1 - confidence else (low, middle)
    return low


def rows_needed(failures: int, rate: float, confidence: float) -> int:
    """Rows that certify ``rate`` with that many failures among them: 149 for none at 2 % and 95 %."""
    low, high = failures, failures + 1
    while binomial_cdf(failures, high, rate) > 1 - confidence:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if binomial_cdf(failures, middle, rate) > 1 - confidence else (low, middle)
    return high


def upper_mean(losses: Sequence[float] | NDArray[np.float64], confidence: float) -> float:
    """The largest mean that losses in 0..1, in an order that does not depend on them, do not refute.

    A gambler against the claim "the mean is m" bets before each row that it loses less; the claim falls once the
    capital has grown to 1 / (1 - confidence). Stakes follow the variance seen so far and not ``m``, so the capital
    rises with m and the bound is found by halving.

    Raises:
        ValueError: a loss outside 0..1, or a confidence outside.
    """
    x = np.asarray(losses, dtype=np.float64)
    _check(0, len(x), confidence)
    if len(x) and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError("losses must lie in 0..1")
    bets, goal = stakes(x, confidence), -math.log(1 - confidence)
    if not len(x) or _capital(x, bets, 1.0) < goal:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _capital(x, bets, middle) < goal else (low, middle)
    return high


def stakes(x: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """What is bet on each row, known before it: the plug-in of Waudby-Smith and Ramdas, equation 26."""
    if not len(x):
        return x
    count = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (count + 1)
    spread = (0.25 + np.cumsum((x - mean) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    wanted = np.sqrt(2 * -math.log(1 - confidence) / (before * len(x)))
    return np.asarray(np.minimum(wanted, _LARGEST_BET))


def _capital(x: NDArray[np.float64], bets: NDArray[np.float64], mean: float) -> float:
    """The logarithm of the gambler's capital in the end."""
    return float(np.log1p(bets * (mean - x)).sum())


def net_limit(differ: int, n: int, rate: float, confidence: float) -> int:
    """Losses less gains that may be among ``n`` rows, ``differ`` of which are one or the other, to certify ``rate``.

    -n - 1 where no number of gains would do. With q the share of rows that differ, the sum's distribution at a mean
    of ``rate`` is known, and its lower tail grows with q. So q is first bounded from above, at ``NUISANCE`` of the
    error that is allowed, and the rest of the error is left to the tail at that q.
    """
    _check(differ, n, confidence)
    q = max(upper_rate(differ, n, 1 - NUISANCE * (1 - confidence)), rate)
    tail = np.cumsum(sum_chances(n, (q + rate) / 2, (q - rate) / 2))
    most = int(np.searchsorted(tail, (1 - NUISANCE) * (1 - confidence), side="right")) - 1 - n
    return most if most >= -differ else -n - 1


def net_certified(losses: int, gains: int, n: int, rate: float, confidence: float) -> bool:
    """Whether so many losses and gains among ``n`` rows show a mean net loss of at most ``rate``."""
    return losses - gains <= net_limit(losses + gains, n, rate, confidence)


def upper_net(losses: int, gains: int, n: int, confidence: float) -> float:
    """The largest mean of losses less gains that so many of each among ``n`` rows do not refute; at least 0."""
    if net_certified(losses, gains, n, 0.0, confidence):
        return 0.0
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if net_certified(losses, gains, n, middle, confidence) else (middle, high)
    return high


def sum_chances(n: int, up: float, down: float) -> NDArray[np.float64]:
    """The distribution of a sum of ``n`` steps of +1, -1 or 0, from -n to n; exact but for rounding of 1e-13."""
    size = 1 << (2 * n + 1).bit_length()
    turn = np.exp(2j * np.pi * np.arange(size // 2 + 1) / size)
    wave = (up * turn.conj() + (1 - up - down) + down * turn) ** n
    chances = np.fft.irfft(wave, size)
    return np.asarray(np.maximum(np.concatenate([chances[size - n :], chances[: n + 1]]), 0.0))


def _check(failures: int, n: int, confidence: float) -> None:
    if not 0 <= failures <= n:
        raise ValueError(f"{failures} failures of {n} rows")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies inside 0..1, not at {confidence:g}")
