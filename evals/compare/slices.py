"""The same comparison in every slice, without finding a worse one in each crowd of twenty.

Slices overlap (language, task, tag), so their tests depend on each other; Holm's control of any false alarm holds
whatever the dependence is. Benjamini and Hochberg's, of the share of false ones among the alarms, is offered for
wide screens of slices that are followed up.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from evals.compare.beta import Floats
from evals.compare.paired import DRAWS, SEED, Difference, NoPairs, compare

Control = Literal["holm", "bh"]
#: With fewer questions than this a slice is shown, not judged.
THIN: Final = 30


class SliceDifference(NamedTuple):
    """One slice's comparison.

    Attributes:
        slice, value: e.g. ``language`` and ``ko``.
        difference: on its rows; ``None`` when no row has both scores.
        p: adjusted for all slices that were judged; ``None`` where this one was not.
        thin: why it was not judged, in a sentence; empty otherwise.
    """

    slice: str
    value: str
    difference: Difference | None
    p: float | None
    thin: str = ""

    def shown(self, alpha: float = 0.05) -> bool:
        """Whether a difference stands out even among so many slices."""
        return self.p is not None and self.p <= alpha and self.difference is not None and self.difference.shown


def by_slice(
    candidate: Sequence[float] | Floats,
    incumbent: Sequence[float] | Floats,
    stems: Sequence[Hashable] | None,
    slices: Mapping[str, Sequence[str]],
    *,
    control: Control = "holm",
    thin: int = THIN,
    seed: int = SEED,
    draws: int = DRAWS,
) -> tuple[SliceDifference, ...]:
    """Compare in every value of every slice; arguments as ``compare``'s.

    Args:
        candidate: scores by row.
        incumbent: those of the same rows.
        stems: the question of each row, or ``None``.
        slices: slice -> its value in each row; an empty value belongs to none.
        control: how p is adjusted: ``holm`` or ``bh``.
        thin: fewer questions than this are not judged; the number is set before the scores are seen.
        seed: of each slice's draws.
        draws: their number.
    """
    left, right = np.asarray(candidate, float), np.asarray(incumbent, float)
    known = ~(np.isnan(left) | np.isnan(right))
    found = []
    for name in slices:
        labels = np.asarray(slices[name], dtype=object)
        for value in sorted({str(label) for label in labels if label}):
            here = np.flatnonzero((labels == value) & known)
            part = None if stems is None else [stems[index] for index in here.tolist()]
            found.append((name, value, _difference(left[here], right[here], part, seed, draws)))
    judged = [d.p for _, _, d in found if d is not None and d.stems >= thin]
    adjusted = iter(holm(judged) if control == "holm" else benjamini_hochberg(judged))
    return tuple(
        SliceDifference(name, value, d, next(adjusted))
        if d is not None and d.stems >= thin
        else SliceDifference(name, value, d, None, _why(d, thin))
        for name, value, d in found
    )


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p, controlling the chance of any false alarm (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = worst
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p, controlling the share of false alarms among alarms (Benjamini and Hochberg, JRSS B 57, 1995)."""
    order = np.argsort(p, kind="stable")
    adjusted, best = [0.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        index = order[rank - 1]
        best = min(best, len(p) / rank * p[index])
        adjusted[index] = best
    return adjusted


def _difference(
    left: Floats, right: Floats, stems: Sequence[Hashable] | None, seed: int, draws: int
) -> Difference | None:
    try:
        return compare(left, right, stems, seed=seed, draws=draws)
    except NoPairs:
        return None


def _why(difference: Difference | None, thin: int) -> str:
    if difference is None:
        return "no row of it has a score of both sides"
    return f"too thin to judge: {difference.stems} questions, and {thin} are the least"
