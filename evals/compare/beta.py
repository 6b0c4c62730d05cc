"""The beta distribution over whole arrays, on numpy alone."""

from __future__ import annotations

from math import lgamma
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Terms of the continued fraction; it needs about the root of the larger parameter.
_MOST_TERMS: Final = 20_000
_CLOSE: Final = 1e-14
_TINY: Final = 1e-300

_lgamma = np.frompyfunc(lgamma, 1, 1)


def cdf(x: Floats | float, a: Floats | float, b: Floats | float) -> Floats:
    """The regularised incomplete beta function I_x(a, b), elementwise; a, b > 0.

    Lentz's way through the continued fraction (DLMF 8.17.22), taken on the side where it converges quickly.
    """
    x, a, b = np.broadcast_arrays(np.asarray(x, float), np.asarray(a, float), np.asarray(b, float))
    inside = np.clip(x, 0.0, 1.0)
    mirrored = inside > (a + 1.0) / (a + b + 2.0)
    at = np.where(mirrored, 1.0 - inside, inside)
    one, other = np.where(mirrored, b, a), np.where(mirrored, a, b)
    with np.errstate(divide="ignore"):
        front = one * np.log(at) + other * np.log1p(-at) + log_scale(one, other)
    tail = np.exp(front) * _fraction(at, one, other) / one
    return np.asarray(np.clip(np.where(mirrored, 1.0 - tail, tail), 0.0, 1.0))


def log_scale(a: Floats | float, b: Floats | float) -> Floats:
    """-log B(a, b): the logarithm of the density's constant."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return np.asarray(_lgamma(a + b) - _lgamma(a) - _lgamma(b), dtype=float)


def at_least(k: Floats | float, n: Floats | float, p: Floats | float) -> Floats:
    """The chance of k or more successes among n of chance p, elementwise."""
    k, n, p = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float), np.asarray(p, float))
    inner = (k > 0) & (k <= n)
    found = np.where(k > 0, 0.0, 1.0)
    if inner.any():
        found[inner] = cdf(p[inner], k[inner], n[inner] - k[inner] + 1.0)
    return found


def _fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    """The continued fraction of DLMF 8.17.22, by the modified Lentz method."""
    c = np.ones_like(x)
    d = 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    value = d.copy()
    for m in range(1, _MOST_TERMS):
        twice = a + 2.0 * m
        for step in (
            m * (b - m) * x / ((twice - 1.0) * twice),
            -(a + m) * (a + b + m) * x / (twice * (twice + 1.0)),
        ):
            d = 1.0 / _away(1.0 + step * d)
            c = _away(1.0 + step / c)
            value = value * c * d
        if np.all(np.abs(c * d - 1.0) < _CLOSE):
            return value
    raise ArithmeticError("the incomplete beta function did not settle")


def _away(value: Floats) -> Floats:
    """Zero would divide."""
    return np.where(np.abs(value) < _TINY, _TINY, value)
