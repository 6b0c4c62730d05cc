"""The simulated traffic: what one request may come to, and how requests of two arms meet in blocks.

Everything is drawn for many days at once, arrays of (days, blocks). Which outcomes meet follows the router's own rule
(``Blocks``): the closing of blocks is written here in closed form, and a test holds it against that rule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from router.core.rollout import Signal
from router.core.stats.sequential import half

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COSTS = (0.02, 0.2, 1.0)
"""What a small, medium and large answer costs, as a share of the dearest."""


class World(NamedTuple):
    """What requests come to.

    Attributes:
        day: requests of a day. quality: the incumbent's share of right answers; drop: by how much the canary's is less.
        errors, blocked, slow: shares of requests, in both arms. tiers: shares of the tiers, in both arms.
        judged: the share of requests that have a quality signal.
    """

    day: int = 250_000
    quality: float = 0.8
    drop: float = 0.0
    errors: float = 0.01
    blocked: float = 0.02
    slow: float = 0.05
    tiers: tuple[float, float, float] = (0.6, 0.3, 0.1)
    judged: float = 1.0

    @property
    def mean_cost(self) -> float:
        """As a share of the dearest answer."""
        return float(np.dot(self.tiers, COSTS))


class Meetings(NamedTuple):
    """Blocks of a stretch with one share: arrays of (days, blocks).

    Attributes:
        size: the incumbent's outcomes in each block. seen: requests that the canary has served when it closes.
        requests: of both arms by then.
    """

    size: Ints
    seen: Ints
    requests: Ints


def meetings(rng: np.random.Generator, days: int, blocks: int, share: float) -> Meetings:
    """Blocks of a canary with at most half of the traffic."""
    return closings(np.cumsum(rng.geometric(share, (days, blocks)) - 1, axis=1), half((1 - share) / share))


def closings(arrived: Ints, least: int) -> Meetings:
    """Blocks of one canary outcome each.

    Block i closes when canary i is there and ``least`` incumbent outcomes have come since block i - 1: with c[i] of
    them before canary i, at k[i] = max(c[i], k[i-1] + least), which is a running maximum of c[i] - least * i.

    Args:
        arrived: (days, blocks), the incumbent's outcomes before each of the canary's.
        least: of them in a block.
    """
    index = np.arange(1, arrived.shape[1] + 1)
    close = least * index + np.maximum(np.maximum.accumulate(arrived - least * index, axis=1), 0)
    size = np.diff(close, axis=1, prepend=0)
    seen = np.stack([np.searchsorted(c, k, side="left") for c, k in zip(arrived, close, strict=True)])
    seen = np.maximum(seen, index)
    return Meetings(size, seen, close + seen)


def differences(rng: np.random.Generator, world: World, size: Ints) -> dict[Signal, Floats]:
    """Goodness of the canary less the incumbent's mean, for each block and signal."""
    tiers = np.asarray(world.tiers)
    costs = np.asarray(COSTS)
    ours = costs[np.searchsorted(np.cumsum(tiers)[:-1], rng.random(size.shape), side="right")]
    theirs = rng.multinomial(size, tiers) @ costs / size
    return {
        "quality": _bernoulli(rng, world.quality - world.drop, world.quality, size),
        "errors": _bernoulli(rng, 1 - world.errors, 1 - world.errors, size),
        "blocked": _bernoulli(rng, 1 - world.blocked, 1 - world.blocked, size),
        "cost": theirs - ours,
        "latency": _bernoulli(rng, 1 - world.slow, 1 - world.slow, size),
    }


def _bernoulli(rng: np.random.Generator, ours: float, theirs: float, size: Ints) -> Floats:
    return (rng.random(size.shape) < ours) - rng.binomial(size, theirs) / size
