"""Pairs of scores from worlds whose truth is known."""

from math import factorial, prod

import numpy as np


def multinomial(counts, shares):
    """The chance of these counts."""
    ways = factorial(sum(counts)) / prod(map(factorial, counts))
    return ways * prod(share**count for share, count in zip(shares, counts, strict=True))


def binary(rng, n, quality=0.8):
    """Two equal sides, right or wrong, on rows that are easy or hard for both."""
    hard = rng.random(n)
    return tuple((rng.random(n) < np.where(hard < 0.5, quality - 0.15, quality + 0.15)).astype(float) for _ in "AB")
