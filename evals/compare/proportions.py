"""Pairs of right and wrong: the exact test, and the interval of the difference that agrees with it.

McNemar's exact conditional test: of the pairs that differ, as many should favour either side. The interval of
the difference of shares is Fay and Lumbard's (Confidence intervals for difference in proportions for matched
pairs compatible with exact McNemar's or sign tests, Statistics in Medicine 40, 2021, 1147-1159): it excludes 0
exactly where the two-sided test rejects.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from evals.compare import beta
from evals.compare.beta import Floats

#: Cells of the tables by which a distribution is held, and how many of them are one where they are summed over;
#: the limits are off by less than 1e-3 with five pairs, 1e-5 with a hundred.
_CELLS: Final = 2048
_COARSE: Final = 4
#: How many standard deviations a table reaches; beyond lies less than 1e-6 of an exponential tail.
_REACH: Final = 14.0


def exact_p(better: int, worse: int) -> float:
    """McNemar's exact two-sided p: twice the smaller tail, at most 1."""
    differ = better + worse
    if not differ:
        return 1.0
    return min(1.0, 2.0 * float(beta.at_least(max(better, worse), differ, 0.5)))


def interval(better: int, worse: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Limits of (better - worse) / n among n pairs, each side at ``alpha`` / 2."""
    if not 0 <= better + worse <= n or not n:
        raise ValueError(f"{better} better and {worse} worse pairs cannot be among {n}")
    return -_upper(worse, better, n, alpha / 2), _upper(better, worse, n, alpha / 2)


def _upper(better: int, worse: int, n: int, tail: float) -> float:
    """The upper limit; the lower one is the same seen from the other side.

    The share that differs and the share of those that favour us each have a confidence distribution of
    Clopper and Pearson; their product's quantile is the limit, for the wider of the two that the first may have.
    """
    differ = better + worse
    if not worse:
        # all that differ may favour us, so only how many differ is in doubt
        return _quantile(*_cumulative(differ + 1, n - differ), 1.0 - tail) if differ < n else 1.0
    lean = _cumulative(better + 1, worse)
    limits = [_product_quantile(lean, _cumulative(differ, n - differ + 1), 1.0 - tail)]
    if differ < n:
        limits.append(_product_quantile(lean, _cumulative(differ + 1, n - differ), 1.0 - tail))
    else:
        limits.append(2.0 * _quantile(*lean, 1.0 - tail) - 1.0)
    return max(limits)


def _cumulative(a: int, b: int) -> tuple[Floats, Floats]:
    """Edges of cells and the cumulative chance of Beta(a, b) at them; a, b >= 1."""
    mean = a / (a + b)
    reach = _REACH * np.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
    edges = np.linspace(max(0.0, mean - reach), min(1.0, mean + reach), _CELLS + 1)
    inside = np.clip(edges, 1e-300, 1.0 - 1e-16)
    density = np.exp((a - 1) * np.log(inside) + (b - 1) * np.log1p(-inside) + beta.log_scale(a, b))
    # the trapezoid rule: for a smooth bump that starts and ends near 0 it is as exact as any, and quick
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return edges, below / below[-1]


def _quantile(edges: Floats, cumulative: Floats, level: float) -> float:
    return float(np.interp(level, cumulative, edges))


def _product_quantile(lean: tuple[Floats, Floats], shares: tuple[Floats, Floats], level: float) -> float:
    """The quantile of share * (2 * lean - 1), share >= 0; by bisection on its distribution."""
    edges, cumulative = (column[::_COARSE] for column in lean)
    favour, weight = edges[1:] + edges[:-1] - 1.0, np.diff(cumulative)
    favour = np.where(favour == 0, 1e-15, favour)
    negative = favour < 0
    low, high = -1.0, 1.0
    for _ in range(26):
        middle = (low + high) / 2.0
        below = np.interp(middle / favour, *shares, left=0.0, right=1.0)
        below[negative] = 1.0 - below[negative]
        low, high = (middle, high) if float(weight @ below) < level else (low, middle)
    return high
