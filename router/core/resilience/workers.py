"""Who may use a worker next: heavy work, shared fairly by the time that it takes, and bounded by tenant.

Laws, each kept by a property test:

- never more than ``places`` pieces at once, and never more than a tenant's part of them;
- nobody waits while a worker is free that he may use;
- what waits is bounded in seconds, not in number: a tenant brings no more than ``share`` of ``most``, or one piece;
- tenants who have work waiting get the same time, whatever the size of their pieces (start-time fair queueing; Goyal,
  Vin and Cheng, SIGCOMM 1996): each has a clock of the time it was given, and whose clock is behind is next. Who had
  nothing to do for a while is owed nothing for it;
- a tenant's own pieces are taken in order.

What a piece will take is told from its size, at the pace of late; what it took is put right at its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Final, Literal

PLACES: Final = 2
"""Threads share one interpreter, so more of them make nobody faster; a second one lets small work pass a big piece."""
MOST: Final = 4.0
"""Seconds of work that may wait for a process's workers."""
_PACE: Final = 1e-7  # seconds a byte, until it is known
_SLOWER, _FASTER = (
    0.3,
    0.03,
)  # weight of a piece that was slower than that, or faster: to wait long is the worse mistake
_KEPT: Final = 256  # clocks of tenants who have nothing to do


class Piece:
    """One piece of work. ``wake`` is called when it need not wait any more."""

    __slots__ = ("seconds", "size", "state", "tenant", "wake")

    def __init__(self, tenant: str, size: int, seconds: float) -> None:
        self.tenant, self.size, self.seconds = tenant, size, seconds
        self.state: Literal["working", "waiting", "away"] = "away"
        self.wake: Callable[[], None] | None = None


class _Tenant:
    """What a tenant has there: pieces that wait, how many are being worked on, seconds of both, and its clock."""

    __slots__ = ("given", "held", "line", "seconds")

    def __init__(self, given: float) -> None:
        self.given, self.held, self.seconds = given, 0, 0.0
        self.line: deque[Piece] = deque()


class Workers:
    """One process's.

    Attributes:
        working: pieces being worked on. backlog: seconds of work that waits or is being done, as expected.
        refused: how often work was turned away.
    """

    __slots__ = ("_given", "_most", "_now", "_of_one", "_pace", "_places", "_there", "backlog", "refused", "working")

    def __init__(self, share: float = 1.0, places: int = PLACES, most: float = MOST) -> None:
        self._places, self._most = places, most
        self._of_one = ceil(places * share), most * share
        self._pace = _PACE
        self._now = 0.0  # the clock of whoever began last
        self._there: dict[str, _Tenant] = {}
        self._given: dict[str, float] = {}  # the clocks of those who have nothing there, where they run ahead
        self.working = self.refused = 0
        self.backlog = 0.0

    def full(self, tenant: str, size: int) -> float:
        """Seconds after which to come again; 0 where work of this size may come now."""
        seconds, there = size * self._pace, self._there.get(tenant)
        if there is None:
            return 0.0 if self.backlog < self._most else max(1.0, self.backlog - self._most)
        if there.seconds + seconds > self._of_one[1] or self.backlog + seconds > self._most:
            return max(1.0, there.seconds)
        return 0.0

    def has_work_of(self, tenant: str) -> bool:
        """Whether it is this tenant's own work that it would have to wait for."""
        return tenant in self._there

    def ask(self, tenant: str, size: int, *, known: bool = False) -> Piece:
        """Bring work of ``size`` bytes. See ``state``: working, waiting or away; ``end`` is said by the first two.

        ``known``: an earlier piece of the same request was taken, so this one is, too.
        """
        piece = Piece(tenant, size, size * self._pace)
        if not known and self.full(tenant, size):
            self.refused += 1
            return piece
        there = self._there.get(tenant)
        if there is None:
            there = self._there[tenant] = _Tenant(max(self._now, self._given.pop(tenant, 0.0)))
        there.line.append(piece)
        there.seconds += piece.seconds
        self.backlog += piece.seconds
        piece.state = "waiting"
        self._fill()
        return piece

    def end(self, piece: Piece, took: float) -> None:
        """It is done, after ``took`` seconds of work, or not wanted any more. Others begin."""
        if piece.state == "away":
            return
        there = self._there[piece.tenant]
        if piece.state == "working":
            self.working -= 1
            there.held -= 1
            there.given += took - piece.seconds
            self._learn(took / piece.size if piece.size else self._pace)
        else:
            there.line.remove(piece)
        piece.state = "away"
        there.seconds -= piece.seconds
        self.backlog -= piece.seconds
        if not there.held and not there.line:
            self._gone(piece.tenant, there.given)
        self._fill()

    def _learn(self, pace: float) -> None:
        self._pace += (_SLOWER if pace > self._pace else _FASTER) * (pace - self._pace)

    def _gone(self, tenant: str, given: float) -> None:
        del self._there[tenant]
        if not self._there:  # nobody is owed anything
            self._given.clear()
            self._now = self.backlog = 0.0
            return
        self._given[tenant] = given
        if len(self._given) > _KEPT:
            self._given = {name: at for name, at in self._given.items() if at > self._now}

    def _fill(self) -> None:
        while self.working < self._places:
            ready = [each for each in self._there.values() if each.line and each.held < self._of_one[0]]
            if not ready:
                return
            there = min(ready, key=lambda each: each.given)
            piece = there.line.popleft()
            self._now = max(self._now, there.given)
            there.given += piece.seconds
            there.held += 1
            self.working += 1
            piece.state = "working"
            if piece.wake is not None:
                piece.wake()
