"""The rows that two runs share, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from evals.compare.beta import Floats
from evals.runs.record import Item


class Pairs(NamedTuple):
    """Items of the same row and sample of two runs, in the candidate's order.

    Attributes:
        candidate, incumbent: the items.
        only_candidate, only_incumbent: how many rows the other side lacks.
    """

    candidate: tuple[Item, ...]
    incumbent: tuple[Item, ...]
    only_candidate: int
    only_incumbent: int

    @property
    def quality(self) -> tuple[Floats, Floats]:
        """Both columns of quality; NaN where an answer was not judged."""
        return _column(self.candidate), _column(self.incumbent)

    @property
    def stems(self) -> list[str]:
        """The question of each row; samples of one row share it."""
        return [stem_of(item) for item in self.candidate]

    def score(self, scorer: str) -> tuple[Floats, Floats]:
        """Both columns of one scorer's score."""
        sides = (self.candidate, self.incumbent)
        left, right = (np.array([item.scores.get(scorer, np.nan) for item in side], float) for side in sides)
        return left, right

    def labels(self, name: str) -> list[str]:
        """The value of a slice in each row; empty where it has none."""
        return [item.slices.get(name, "") for item in self.candidate]


def pair(candidate: Iterable[Item], incumbent: Iterable[Item]) -> Pairs:
    """Pair by row id and sample, where both ask the same. Each side holds one target's items: filter first."""
    left, right = ({(item.id, item.sample): item for item in side} for side in (candidate, incumbent))
    both = [key for key in left if key in right and left[key].prompt == right[key].prompt]
    return Pairs(
        tuple(left[key] for key in both),
        tuple(right[key] for key in both),
        len(left) - len(both),
        len(right) - len(both),
    )


def stem_of(item: Item) -> str:
    """The question of a row; a row without one is its own."""
    return item.stem or item.id


def _column(items: Iterable[Item]) -> Floats:
    return np.array([np.nan if item.quality is None else item.quality for item in items], float)
