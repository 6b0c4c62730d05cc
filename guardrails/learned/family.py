"""Learned rails as a family: windows of the text are scored, and a window that scores too high is a hit.

Every learned guard of a list reads the same hashes: ``join`` makes one family of all that act alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from guardrails.learned.bank import score_of
from guardrails.learned.measure import BEFORE, LEFT, measure
from guardrails.learned.windows import LONGEST, cut
from guardrails.matching import Hit
from guardrails.types import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.learned.bank import Bank
    from guardrails.learned.measure import Measured
    from guardrails.matching import Family


class Reader(Protocol):
    """One guard's part: what it makes of the measured windows."""

    @property
    def actions(self) -> frozenset[Action]:
        """What its hits may ask for."""

    def judge(self, measured: Measured) -> list[Hit]:
        """The hits among the fresh windows, each spanning one of them."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a policy says about one head of a bank.

    Attributes:
        index: of the head in its bank.
        limit: the z from which on it is a hit (``bank.logit`` of the threshold).
    """

    index: int
    limit: float
    category: str
    action: Action


@dataclass(frozen=True, slots=True)
class HeadsReader:
    """Heads that are independent of each other: each gives its own hits. The surest stretch of a window counts."""

    bank: Bank
    heads: tuple[Head, ...]
    guard: str
    item: int

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its heads."""
        return frozenset(head.action for head in self.heads)

    def judge(self, measured: Measured) -> list[Hit]:
        """See ``Reader``."""
        best = measured.logits(self.bank, [head.index for head in self.heads]).max(axis=1)
        own = len(measured.starts) - measured.fresh
        hits: list[Hit] = []
        for row, head in enumerate(self.heads):
            for window in (best[row] >= head.limit).nonzero()[0].tolist():
                span = int(measured.starts[own + window]), int(measured.ends[own + window])
                reason = f"{self.guard}.{head.category.lower()}"
                score = score_of(float(best[row, window]))
                hits.append(Hit(*span, score, head.category, head.action, reason, self.guard, self.item))
        return hits


@dataclass(frozen=True, slots=True)
class LearnedFamily:
    """Readers that see the same windows."""

    readers: tuple[Reader, ...]

    left = LEFT
    hold = LONGEST
    digits = False
    #: Where the open window begins, then the windows before it, the latest first.
    width = 1 + BEFORE

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its readers."""
        return frozenset().union(*(reader.actions for reader in self.readers))

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        begin = positions[0]
        fresh, live = cut(text, begin, last=last)
        if not fresh:
            positions[0] = live
            return [], live
        before = sorted({at for at in positions[1:] if max(0, begin - LEFT) <= at < begin})
        starts = [*before, *fresh]
        measured = measure(text, starts, live, len(fresh))
        hits = [hit for reader in self.readers for hit in reader.judge(measured)]
        latest = starts[: -BEFORE - 1 : -1]
        positions[:] = [live, *latest, *[live] * (BEFORE - len(latest))]
        return hits, live


def join(families: Iterable[Family]) -> list[Family]:
    """The same families, with one for all learned readers that enforce and one for those that only watch."""
    joined: list[Family] = []
    readers: dict[bool, list[Reader]] = {}
    for family in families:
        if isinstance(family, LearnedFamily):
            enforces = max(family.actions) >= Action.MASK
            readers.setdefault(enforces, []).extend(family.readers)
        else:
            joined.append(family)
    return [*joined, *(LearnedFamily(tuple(same)) for _, same in sorted(readers.items()))]
