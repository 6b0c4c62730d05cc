"""Worlds whose truth is known: two sides that are equal, or differ by a stated amount, as seeded scores.

Hard rows are hard for both sides, as in life; samples of one question go up and down together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from evals.compare.beta import Floats

#: Chance of a question to be answered the other way in one of its samples.
_FLIP: Final = 0.2
_SAMPLES: Final = 3


class Sides(NamedTuple):
    """Scores of the candidate and of the incumbent, and the questions they share, if any."""

    candidate: Floats
    incumbent: Floats
    stems: list[int] | None = None


def right_and_wrong(rng: np.random.Generator, n: int, quality: float = 0.8) -> Sides:
    """Two equal sides, right or wrong, on rows that are easy or hard for both."""
    chance = np.where(rng.random(n) < 0.5, quality - 0.15, quality + 0.15)
    one, other = ((rng.random(n) < chance).astype(float) for _ in range(2))
    return Sides(one, other)


def continuous(rng: np.random.Generator, n: int) -> Sides:
    """Two equal sides with skewed scores about a level of the row."""
    level = rng.beta(6, 2, n)
    one, other = (np.clip(level + rng.gamma(1.0, 0.15, n) - 0.15, 0, 1) for _ in range(2))
    return Sides(one, other)


def sampled(rng: np.random.Generator, n: int, scores: Callable[[np.random.Generator, int], Sides]) -> Sides:
    """Rows that are three samples each of a third as many questions."""
    questions = n // _SAMPLES
    sides = scores(rng, questions)
    flips = rng.random((2, questions, _SAMPLES)) < _FLIP
    rows = [
        np.where(flip, 1 - side[:, None], side[:, None]).ravel() for flip, side in zip(flips, sides[:2], strict=True)
    ]
    return Sides(rows[0], rows[1], np.repeat(np.arange(questions), _SAMPLES).tolist())


def better_by(rng: np.random.Generator, n: int, d: float, discordant: float) -> Sides:
    """A candidate that is right ``d`` more often, where the sides differ in a share ``discordant`` of rows."""
    draw, same = rng.random(n), (rng.random(n) < 0.5).astype(float)
    better, worse = draw < (discordant + d) / 2, draw > 1 - (discordant - d) / 2
    return Sides(np.where(better, 1.0, np.where(worse, 0.0, same)), np.where(better, 0.0, np.where(worse, 1.0, same)))


def rare_losses(rng: np.random.Generator, n: int) -> tuple[Sides, float]:
    """Small common gains and rare large losses, the shape that percentiles cover badly; and the true difference."""
    difference = rng.gamma(2.0, 0.02, n) - 0.3 * (rng.random(n) < 0.1)
    return Sides(np.clip(0.6 + difference, 0, 1), np.full(n, 0.6)), 2.0 * 0.02 - 0.1 * 0.3


#: Equal sides, by name.
EQUAL: Final[Mapping[str, Callable[[np.random.Generator], Sides]]] = {
    "right and wrong, 150 rows": lambda rng: right_and_wrong(rng, 150),
    "right and wrong, 60 rows, few differ": lambda rng: right_and_wrong(rng, 60, 0.85),
    "right and wrong, 3 samples of 50 questions": lambda rng: sampled(rng, 150, right_and_wrong),
    "continuous, 60 rows": lambda rng: continuous(rng, 60),
    "continuous, 32 rows": lambda rng: continuous(rng, 32),
    "continuous, 3 samples of 30 questions": lambda rng: sampled(rng, 90, continuous),
}
