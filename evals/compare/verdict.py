"""No worse than d: shown, not shown, or more than the suite can see.

A difference that nobody could have seen is not a difference that is absent. So *no worse than d* passes only when
the interval's lower end lies above -d, and it is refused where the rows could not have told. (At equal quality,
showing *no worse than d* takes as many rows as seeing a difference of d: the same two errors, the same d.)
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from evals.compare.paired import Difference
from evals.compare.power import needed, visible
from evals.runs.record import Verdict


class Judged(NamedTuple):
    """A verdict and one sentence for it; ``error`` is a verdict that could not be reached, which is no pass."""

    verdict: Verdict
    why: str


def no_worse(difference: Difference, d: float, *, power: float = 0.8) -> Judged:
    """Whether the candidate is no worse than ``d`` below the incumbent.

    Args:
        difference: candidate minus incumbent.
        d: the loss that is still accepted, 0..1, above 0.
        power: with which the rows must be able to see d.
    """
    if not 0 < d <= 1:
        raise ValueError(f"the loss that is accepted lies above 0 and up to 1; got {d:g}")
    interval = f"{points(difference.value)} ({points(difference.low)} to {points(difference.high)})"
    if difference.high < -d:
        return Judged("fail", f"worse by more than {points(d, sign=False)} points: {interval}")
    if difference.low > -d:
        return Judged("pass", f"no worse than {points(d, sign=False)} points: {interval}")
    if difference.high < 0:
        return Judged("fail", f"worse, by {interval} points")
    sees = seen_by(difference, power)
    if sees > d:
        return Judged("error", _too_few(difference, d, sees, power))
    return Judged("fail", f"not shown to be no worse than {points(d, sign=False)} points: {interval}")


def seen_by(difference: Difference, power: float = 0.8) -> float:
    """The smallest difference that these rows could have shown."""
    if difference.method == "exact":
        # Where no row differs, as many could as are hidden from n rows with that confidence.
        return visible(difference.n, discordant=max(difference.discordant, 1.0 / difference.n), power=power)
    return visible(difference.stems, spread=max(difference.spread, 1.0 / difference.stems), power=power)


def points(share: float, *, sign: bool = True) -> str:
    """A share as percentage points."""
    return f"{100 * share:+.1f}" if sign else f"{100 * share:.1f}".removesuffix(".0")


def _too_few(difference: Difference, d: float, sees: float, power: float) -> str:
    if difference.method == "exact":
        rows = needed(d, discordant=max(difference.discordant, 1.0 / difference.n), power=power)
    else:
        rows = needed(d, spread=max(difference.spread, 1.0 / difference.stems), power=power)
    seen = "no difference at all" if sees == inf else f"no less than {points(sees, sign=False)} points"
    return (
        f"refused: {difference.stems} questions show {seen} at {power:.0%} power; "
        f"{rows} would show {points(d, sign=False)}"
    )
