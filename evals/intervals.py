"""Intervals of shares: Wilson's score interval (JASA 22, 1927), at 95 %."""

from __future__ import annotations

from math import sqrt

Z = 1.959964  # the normal distribution's 97.5 % point


def wilson(right: int, of: int) -> tuple[float, float]:
    """The interval of ``right`` in ``of``; (0, 1) when there is nothing to count."""
    return wilson_share(right / of, of) if of else (0.0, 1.0)


def wilson_share(share: float, of: int) -> tuple[float, float]:
    """The interval of a share in [0, 1] that was seen in ``of`` cases, at least one."""
    weight = 1 + Z * Z / of
    middle = (share + Z * Z / (2 * of)) / weight
    reach = Z * sqrt(share * (1 - share) / of + Z * Z / (4 * of * of)) / weight
    # the bounds hold what was seen, which rounding may cost at the ends
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
