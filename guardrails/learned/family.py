"""Learned rails as a family: windows and pages of the text are scored, and what scores too high is a hit.

A page that scores too high is a hit on its last window. So while a page is open, its last window is held back.
Every learned guard of a list reads the same hashes: ``guardrails.run`` makes one family of all that act alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from guardrails.learned.bank import score_of
from guardrails.learned.measure import BEFORE, LEFT, measure
from guardrails.learned.pages import PAGE, Page, turned
from guardrails.learned.windows import LONGEST, cut
from guardrails.matching import Hit
from guardrails.types import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.learned.bank import Bank
    from guardrails.learned.measure import Measured


class Reader(Protocol):
    """One guard's part: what it makes of the measured windows."""

    @property
    def actions(self) -> frozenset[Action]:
        """What its hits may ask for."""

    @property
    def paged(self) -> bool:
        """Whether it judges pages, too."""

    def judge(self, measured: Measured) -> list[Hit]:
        """The hits among the fresh windows, each spanning one of them."""

    def judge_pages(self, measured: Measured, pages: Sequence[Page]) -> list[Hit]:
        """The hits among the pages that are full now, each spanning the page's last window."""


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

    paged = False

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

    def judge_pages(self, measured: Measured, pages: Sequence[Page]) -> list[Hit]:  # noqa: ARG002
        """None: see ``paged``."""
        return []


@dataclass(frozen=True, slots=True)
class LearnedFamily:
    """Readers that see the same windows."""

    readers: tuple[Reader, ...]

    digits = False
    #: Where the open window begins, then the windows before it, the latest first, then where the open page begins.
    width = 2 + BEFORE

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its readers."""
        return frozenset().union(*(reader.actions for reader in self.readers))

    @property
    def paged(self) -> bool:
        """Whether some reader judges pages."""
        return any(reader.paged for reader in self.readers)

    @property
    def hold(self) -> int:
        """An open window, and the one before it where that may be the last of a page."""
        return LONGEST * (1 + self.paged)

    @property
    def left(self) -> int:
        """The stretches before a window, or the whole of the open page."""
        return PAGE + 2 * LONGEST if self.paged else LEFT

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        begin, *earlier, opened = positions
        fresh, live = cut(text, begin, last=last)
        before = {at for at in earlier if max(0, begin - LEFT) <= at < begin}
        page, pages, held = self._turn(text, positions, fresh, live, last=last)
        if not fresh and not pages:
            positions[0] = live
            return [], held
        starts = sorted({*before, *page, *fresh})
        measured = measure(text, starts, live, len(fresh))
        hits = [hit for reader in self.readers for hit in reader.judge(measured)] if fresh else []
        if pages:
            at = starts.index(page[0])
            moved = [Page(at + one.first, at + one.last) for one in pages]
            hits += [hit for reader in self.readers if reader.paged for hit in reader.judge_pages(measured, moved)]
            opened = page[pages[-1].last + 1] if pages[-1].last + 1 < len(page) else live
        latest = starts[: -BEFORE - 1 : -1]
        positions[:] = [live, *latest, *[live] * (BEFORE - len(latest)), opened]
        return hits, held

    def _turn(
        self, text: str, positions: list[int], fresh: list[int], live: int, *, last: bool
    ) -> tuple[list[int], list[Page], int]:
        """The windows since the open page began, the pages of them that are full, and from where on text is open."""
        begin, latest, opened = positions[0], positions[1], positions[-1]
        if not self.paged:
            return [], [], live
        if not last and live - opened < PAGE:
            # The page's last window so far may turn out to be its last of all.
            closed = fresh[-1:] or ([latest] if begin > opened else [])
            return [], [], min(closed, default=live)
        windows = fresh if opened == begin else cut(text, opened, last=last)[0]
        pages, used = turned(windows, live, last=last)
        return windows, pages, live if used == len(windows) else windows[-1]
