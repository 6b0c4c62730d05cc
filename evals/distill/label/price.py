"""What labelling would cost, before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Final, NamedTuple

from evals.distill.example import Example
from evals.distill.label.teacher import Teacher, asked
from evals.runs.cache import Cache
from router.core.tokens import estimate_tokens

FEWEST: Final = 20
"""Answers whose lengths must be known before a likely cost is told."""


class Estimate(NamedTuple):
    """Nano-dollars, by the price book or the settings.

    Attributes:
        calls: to make. known: answers that were paid for already.
        most: if every answer were as long as it may be; None where a price is not known.
        low, high: where 95 % of such costs lie, by the lengths of answers that are known; None without enough of them.
    """

    calls: int
    known: int
    most: int | None
    low: int | None = None
    high: int | None = None

    @property
    def free(self) -> bool:
        """Nothing can be spent."""
        return self.calls == 0 or self.most == 0


def estimate(teacher: Teacher, rows: Sequence[Example], cache: Cache, answers: Sequence[str]) -> Estimate:
    """What asking about ``rows`` would cost; prompts count by estimated tokens, which errs by about a fifth.

    Args:
        teacher: open.
        rows: to ask about.
        cache: what was paid for.
        answers: of the loop's rows, for their lengths.
    """
    every = [asked(row) for row in rows]
    todo = [row for row in every if cache.get(teacher.key(row, 0)) is None]
    costs = [teacher.foretell(row) for row in todo]
    known = [cost for cost in costs if cost is not None]
    calls, most = len(todo), sum(known) if len(known) == len(costs) else None
    lengths = [estimate_tokens(text) for text in answers]
    if most is None or len(lengths) < FEWEST or not todo:
        return Estimate(calls, len(every) - calls, most)
    # the mean of the next n answers about the mean of those that are known, normal
    half = 1.96 * stdev(lengths) * math.sqrt(1 / calls + 1 / len(lengths))
    ends = [max(0, round(fmean(lengths) + side * half)) for side in (-1, 1)]
    low, high = (sum(teacher.cost(row, end) or 0 for row in todo) for end in ends)
    return Estimate(calls, len(every) - calls, most, min(low, most), min(high, most))
