"""Why of a session only the first outcome counts: outcomes of one session are alike, and bets on all of them add up.

Sessions have a length and a quality of their own; both arms are the same policy. Counting every outcome bets again and
again on the same luck.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from evals.rollout.days import BATCH
from router.core.stats.sequential import against_harm, evidence

MEAN_TURNS = 4.0
ALIKE = 3.0
"""a + b of the beta distribution of a session's own quality: the correlation within a session is 1 / (1 + ALIKE)."""
AGAINST = 9  # the incumbent's outcomes in a block


def false_alarms(quality: float, alpha: float, outcomes: int, runs: int, seed: int) -> dict[str, NDArray[np.bool_]]:
    """For each way of counting, which runs raise an alarm though both arms are the same policy."""
    parts = [
        _batch(np.random.default_rng([seed, 11, start]), quality, alpha, outcomes, min(BATCH, runs - start))
        for start in range(0, runs, BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _batch(rng: np.random.Generator, quality: float, alpha: float, n: int, runs: int) -> dict[str, NDArray[np.bool_]]:
    ours, first = _outcomes(rng, quality, runs, n)
    theirs = np.mean([_outcomes(rng, quality, runs, n)[0] for _ in range(AGAINST)], axis=0)
    d = ours - theirs
    every = np.cumsum(against_harm(d), axis=1)
    only = np.cumsum(against_harm(d) * first[..., None], axis=1)
    ways = {"every outcome": every, "the first of each session": only}
    return {name: np.any(evidence(wealth) >= -log(alpha), axis=1) for name, wealth in ways.items()}


def _outcomes(
    rng: np.random.Generator, quality: float, runs: int, n: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(runs, n) outcomes in the order of their sessions, and which are the first of one."""
    first = rng.random((runs, n)) < 1 / MEAN_TURNS
    first[:, 0] = True
    own = rng.beta(quality * ALIKE, (1 - quality) * ALIKE, (runs, n))
    at = np.maximum.accumulate(np.where(first, np.arange(n), 0), axis=1)
    return rng.random((runs, n)) < np.take_along_axis(own, at, axis=1), first
