"""Chances of outcomes, summed by hand."""

from math import factorial, prod


def multinomial(counts, shares):
    """The chance of these counts."""
    ways = factorial(sum(counts)) / prod(map(factorial, counts))
    return ways * prod(share**count for share, count in zip(shares, counts, strict=True))
