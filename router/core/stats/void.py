"""When a promise is void: tests that watch a stream and may be looked at after every request. Pure state machines.

A promise is shown on rows. It stands while the traffic is like them and its losses stay within it. Two watches, both
of the kind of Shiryaev and Roberts, ``R = (R + 1) · bet``, where ``bet`` is what a unit of money becomes in one round
of a game that is fair or worse while all is well. Such an R may reach A in less than A requests on average only if
something has changed (e-detectors; Shin, Ramdas and Rinaldo, 2024, theorem 2.4): ``patience`` is that A, the least
mean number of requests between two false alarms.

- ``Losses``: bets on each loss that becomes known being larger than the promise allows;
- ``Likeness``: bets that a number which is known of every request (a chance, its novelty) is not drawn like those
  before it. Its rank among all before is uniform while they are exchangeable (conformal test martingales; Vovk,
  Gammerman and Shafer, 2005, chapter 7.1; Vovk, 2021).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

#: Parts of the largest stake there is, played side by side.
LOSS_STAKES: Final = (0.02, 0.05, 0.12)
NET_STAKES: Final = (0.08, 0.2, 0.45)
BINS: Final = 10
#: How fast old ranks are forgotten, and how many even ranks are believed in beforehand.
FADING: Final = 0.985
EVEN: Final = 30.0
_CEILING: Final = 1e200


@dataclass(slots=True)
class Losses:
    """Watches losses that become known, each in 0..1, or in -1..1 for a net loss.

    Attributes:
        limit: the promise. net: whether gains count. patience: requests between false alarms.
    """

    limit: float
    net: bool = False
    patience: float = 20_000.0
    level: float = field(default=0.0, init=False)
    _levels: list[float] = field(default_factory=list, init=False)

    def update(self, loss: float) -> bool:
        """Take one loss; whether the promise is void.

        Raises:
            ValueError: the loss is outside its range.
        """
        least = -1.0 if self.net else 0.0
        if not least <= loss <= 1.0:
            raise ValueError(f"a loss lies in {least:g}..1, not at {loss:g}")
        stakes = NET_STAKES if self.net else LOSS_STAKES
        largest = 1.0 / (self.limit - least)
        levels = self._levels or [0.0] * len(stakes)
        bets = [1.0 + share * largest * (loss - self.limit) for share in stakes]
        self._levels = [min((level + 1.0) * bet, _CEILING) for level, bet in zip(levels, bets, strict=True)]
        self.level = sum(self._levels) / len(self._levels)
        return self.level >= self.patience


@dataclass(slots=True)
class Likeness:
    """Watches numbers that are known of every request against those of the rows that showed a promise.

    Attributes:
        known: a sorted list of the rows' values for each number; grows with the stream.
        patience: requests between false alarms, over all numbers together.
    """

    known: list[list[float]]
    patience: float = 20_000.0
    level: float = field(default=0.0, init=False)
    _levels: list[float] = field(default_factory=list, init=False)
    _seen: list[list[float]] = field(default_factory=list, init=False)

    @classmethod
    def of(cls, rows: Iterable[Sequence[float]], patience: float = 20_000.0) -> Likeness:
        """From the rows' numbers, a sequence for each row."""
        return cls([sorted(column) for column in zip(*rows, strict=True)], patience)

    def update(self, numbers: Sequence[float], lots: Sequence[float]) -> bool:
        """Take one request; whether the promise is void.

        Args:
            numbers: in the order of the rows'.
            lots: uniform in [0, 1), one each: they part equal numbers, so that ranks are uniform.
        """
        count = len(self.known)
        if not self._levels:
            self._levels, self._seen = [0.0] * count, [[EVEN / BINS] * BINS for _ in range(count)]
        for place, (known, number, lot) in enumerate(zip(self.known, numbers, lots, strict=True)):
            below, upto = bisect_left(known, number), bisect_right(known, number)
            rank = (below + lot * (upto - below + 1)) / (len(known) + 1)
            cell = min(int(rank * BINS), BINS - 1)
            seen = self._seen[place]
            bet = BINS * seen[cell] / sum(seen)
            self._levels[place] = min((self._levels[place] + 1.0) * bet, _CEILING)
            for other in range(BINS):
                seen[other] = FADING * seen[other] + (1 - FADING) * EVEN / BINS
            seen[cell] += 1.0
            insort(known, number)
        # Each of several watches must be that much more patient.
        self.level = max(self._levels) / count
        return self.level >= self.patience
