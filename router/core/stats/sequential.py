"""Is one arm worse than the other? Asked after every outcome, with one bound on all false alarms together.

A bettor starts with a wealth of 1 and, block by block, bets on the difference of the arms. While the arms are as
the null hypothesis says, the wealth is a non-negative supermartingale, so that it *ever* reaches ``1 / alpha`` has a
probability of at most ``alpha`` (Ville), however often it is looked at and whenever one stops.

The bet is ``1 - b * (d + allowed)`` with ``d`` = the canary's outcome less the mean of the incumbent's in the same
block: outcomes are bounded, and nothing else is assumed of them (Waudby-Smith and Ramdas, "Estimating means of bounded
random variables by betting", JRSS B 2024, section 4). Where many incumbent outcomes stand beside each of the
canary's and outcomes are 0 or 1, the best such bet is the likelihood ratio itself (growth-rate optimal: Grünwald, de
Heide and Koolen, "Safe testing", JRSS B 2024). How large the difference is nobody knows beforehand, so the wealth is
spread over ``BETS``: their mixture is again a wealth.

Outcomes are *goodness*: 0 worst, 1 best. Wealth is kept as the logarithms of the single bets; arrays may have any
leading shape, so that a simulation plays many seeds at once. Wealths of independent streams (the ledgers of several
gateways) multiply: their logarithms, bet by bet, add up.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.types import Frozen

Floats = NDArray[np.float64]

#: The shares of the greatest bet, and how much of the first wealth each is given: most to those that find a drop of
#: some points near a mean of .8 (the best bet is near ``difference / variance``).
BETS: Final = (0.04, 0.08, 0.14, 0.22, 0.35, 0.6, 0.95)
SHARES: Final = (0.08, 0.12, 0.25, 0.25, 0.14, 0.08, 0.08)
NO_WEALTH: Final = (0.0,) * len(BETS)


def against_harm(d: Floats, allowed: float = 0.0) -> Floats:
    """The growth of each bet's log-wealth where the null says: the canary is worse by at most ``allowed``.

    Args:
        d: differences in -1..1, any shape; the result has one axis more, of ``len(BETS)``.
        allowed: 0 <= allowed < 1.
    """
    bets = np.asarray(BETS) / (1.0 + allowed)
    return np.log1p(-bets * (np.asarray(d, float)[..., None] + allowed))


def against_unsafe(d: Floats, margin: float) -> Floats:
    """As ``against_harm``, where the null says: the canary is worse by at least ``margin`` > 0."""
    return np.log1p(np.asarray(BETS) * (np.asarray(d, float)[..., None] + margin))


def evidence(log_wealth: Floats) -> Floats:
    """The logarithm of the whole wealth, from those of the single bets (last axis)."""
    found: Floats = np.logaddexp.reduce(np.asarray(log_wealth) + np.log(SHARES), axis=-1)
    return found


class Blocks(Frozen, frozen=True):
    """Outcomes that wait for others to be compared with. A pure state: ``add`` returns the next one.

    A block is one outcome of the scarcer arm, in the order they came, against the mean of all of the other arm's that
    wait, at least ``least``. Which outcomes meet depends on when they came, never on what they say; else a block could
    be chosen by its content and the wealth would be none.

    Attributes:
        canary_scarce: the canary is the scarcer arm. least: outcomes of the other arm in a block.
        waiting: the scarcer arm's outcomes. total, count: the sum of the other's, and of how many.
    """

    canary_scarce: bool = True
    least: int = 1
    waiting: tuple[float, ...] = ()
    total: float = 0.0
    count: int = 0

    @classmethod
    def at(cls, share: float) -> Blocks:
        """Blocks for a canary that is given this share of the traffic, 0 < share < 1.

        ``least`` is half of what the share brings for each outcome of the scarcer arm: the mean of so many adds little
        to the spread of a difference, and blocks do not have to wait.
        """
        ratio = (1 - share) / share
        return cls(canary_scarce=ratio >= 1, least=half(max(ratio, 1 / ratio)))

    def add(self, *, canary: bool, goodness: float) -> tuple[Blocks, float | None]:
        """The next state, and the difference of a block that is complete now: the canary's less the incumbent's."""
        waiting, total, count = self.waiting, self.total, self.count
        if canary == self.canary_scarce:
            waiting = (*waiting, goodness)
        else:
            total, count = total + goodness, count + 1
        if not waiting or count < self.least:
            return Blocks(self.canary_scarce, self.least, waiting, total, count), None
        d = waiting[0] - total / count
        return Blocks(self.canary_scarce, self.least, waiting[1:]), d if self.canary_scarce else -d


def half(ratio: float) -> int:
    """Half of a ratio, at least 1."""
    return max(1, int(ratio / 2 + 1e-9))


class Band(Frozen, frozen=True):
    """A running interval for the mean difference that holds at all times together: for people to read.

    Empirical-Bernstein with predictable bets (Waudby-Smith and Ramdas 2024, theorem 2; after Howard, Ramdas, McAuliffe
    and Sekhon, Annals of Statistics 2021). All fields are sums, so those of independent streams add up.

    Attributes:
        n: differences. total, squares: of them on the scale 0..1, and of their squared distances.
        bets, weighed, paid: sums of bets, of bets times values, and of what the spread costs.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    bets: float = 0.0
    weighed: float = 0.0
    paid: float = 0.0

    def add(self, d: float, alpha: float) -> Band:
        """With one more difference, -1..1. ``alpha`` is the same throughout."""
        x = (d + 1) / 2
        mean = (0.5 + self.total) / (self.n + 1)
        spread = (0.25 + self.squares) / (self.n + 1)
        t = self.n + 1
        bet = min(float(np.sqrt(2 * np.log(2 / alpha) / (spread * t * np.log(1 + t)))), 0.5)
        psi = (-float(np.log1p(-bet)) - bet) / 4
        distance = (x - mean) ** 2
        fresh = (0.5 + self.total + x) / (t + 1)
        return Band(
            t, self.total + x, self.squares + (x - fresh) ** 2, self.bets + bet, self.weighed + bet * x,
            self.paid + 4 * distance * psi,
        )  # fmt: skip

    def plus(self, other: Band) -> Band:
        """Both streams together."""
        return Band(
            self.n + other.n, self.total + other.total, self.squares + other.squares, self.bets + other.bets,
            self.weighed + other.weighed, self.paid + other.paid,
        )  # fmt: skip

    def interval(self, alpha: float) -> tuple[float, float]:
        """Low and high end for the mean difference; all of -1..1 where nothing was seen."""
        if not self.n:
            return -1.0, 1.0
        centre, half_width = self.weighed / self.bets, (float(np.log(2 / alpha)) + self.paid) / self.bets
        return max(-1.0, 2 * (centre - half_width) - 1), min(1.0, 2 * (centre + half_width) - 1)
