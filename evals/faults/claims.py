"""What a scenario found: a measure, its goal, and whether that was kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evals.faults.stage import Told


class Claim(NamedTuple):
    """One thing that was measured."""

    what: str
    value: float
    goal: str
    kept: bool


def most(what: str, value: float, limit: float) -> Claim:
    """It must not be above the limit."""
    return Claim(what, round(value, 3), f"≤ {limit:g}", value <= limit)


def least(what: str, value: float, limit: float) -> Claim:
    """It must not be below the limit."""
    return Claim(what, round(value, 3), f"≥ {limit:g}", value >= limit)


def share(told: list[Told]) -> float:
    """Answered well."""
    return sum(each.whole for each in told) / len(told)


def late(told: list[Told], deadline: float) -> float:
    """Seconds beyond the deadline, of the worst."""
    return max(each.seconds for each in told) - deadline


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return float(np.percentile(seconds, 99))
