"""Intervals of shares."""

from __future__ import annotations

from math import sqrt


def wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's score interval); (0, 1) when there is nothing to count."""
    if not of:
        return 0.0, 1.0
    z = 1.959964
    share, weight = right / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / weight
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / weight
    return max(0.0, middle - reach), min(1.0, middle + reach)
