"""What else one might do with the same outcomes.

Look again and again at an ordinary test, look once at the end, or know beforehand what the drop is.

All on the first step alone (the canary keeps its share all day) and on quality alone, at the same chance of a false
alarm as the router's test of quality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evals.rollout.days import BATCH
from evals.rollout.world import Floats, Ints, World, meetings
from router.core.stats.sequential import against_harm, evidence

EVERY = 50  # canary outcomes between two looks of the peeking test


def stops(world: World, share: float, alpha: float, known: float, days: int, seed: int, upto: int) -> dict[str, Ints]:
    """For each way of testing and each day: the canary's outcomes at the alarm; -1 without one.

    ``alpha`` is the chance of a false alarm that each way is meant to have, ``known`` the drop that the one who knows
    bets on, ``upto`` how many outcomes of the canary are looked at.
    """
    parts = [
        _batch(np.random.default_rng([seed, 7, start]), world, share, alpha, known, min(BATCH, days - start), upto)
        for start in range(0, days, BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _batch(
    rng: np.random.Generator, world: World, share: float, alpha: float, known: float, days: int, upto: int
) -> dict[str, Ints]:
    size = meetings(rng, days, upto, share).size
    ours = rng.random(size.shape) < world.quality - world.drop
    theirs = rng.binomial(size, world.quality)
    d = ours - theirs / size
    gap = _z(np.cumsum(ours, 1), np.cumsum(theirs, 1), np.cumsum(size, 1))
    least = NormalDist().inv_cdf(1 - alpha)
    looked = np.zeros(size.shape, bool)
    looked[:, EVERY - 1 :: EVERY] = True
    bet = known / (world.quality * (1 - world.quality))
    ways: Mapping[str, Callable[[], NDArray[np.bool_]]] = {
        "ours": lambda: evidence(np.cumsum(against_harm(d), axis=1)) >= -log(alpha),
        "knows the drop": lambda: np.cumsum(np.log1p(-bet * d), axis=1) >= -log(alpha),
        f"z-test after every {EVERY}": lambda: (gap >= least) & looked,
        "z-test once, at the end": lambda: (gap >= least) & (np.arange(upto) == upto - 1),
    }
    return {name: _first(way()) for name, way in ways.items()}


def _z(ours: Floats, theirs: Floats, of: Ints) -> Floats:
    """How many standard errors the canary is below, two shares with a common spread."""
    n = np.arange(1, ours.shape[1] + 1)
    common = (ours + theirs) / (n + of)
    spread = np.sqrt(np.maximum(common * (1 - common), 1e-9) * (1 / n + 1 / of))
    gap: Floats = (theirs / of - ours / n) / spread
    return gap


def _first(hit: NDArray[np.bool_]) -> Ints:
    return np.where(hit.any(1), hit.argmax(1) + 1, -1)
