"""Who is let in, who waits, who is turned away at once: a bounded queue in front of bounded places.

Laws, each kept by a property test:

- never more than ``places`` inside, never more than ``queue`` waiting, and nobody waits while a place is free
  that he may take;
- no tenant holds more than ``share`` of the places or of the queue, so the rest are there for others;
- a higher class is let in first, and finds room in a full queue by turning away the lowest;
- within a class the tenant with the fewest inside is next;
- a tenant's own are taken in order while they wait briefly, and newest first once they are late: those who waited
  long have mostly given up, and serving them first would make everybody late (LIFO under overload, as described in
  Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Literal

Rank = Literal["batch", "default", "critical"]
RANKS: tuple[Rank, ...] = ("batch", "default", "critical")
LATE = 0.1  # seconds
_LEVEL = {rank: level for level, rank in enumerate(RANKS)}


class Entry:
    """One request at the gate. ``wake`` is called when it stops waiting, let in or not."""

    __slots__ = ("level", "since", "state", "tenant", "wake")

    def __init__(self, tenant: str, level: int, since: float) -> None:
        self.tenant, self.level, self.since = tenant, level, since
        self.state: Literal["inside", "waiting", "away"] = "away"
        self.wake: Callable[[], None] | None = None


class Gate:
    """One process's, or one bulkhead's.

    Attributes:
        places: how many may be inside; may change while running (``resize``).
        inside: how many are.
        waiting: how many wait.
    """

    __slots__ = ("_held", "_lines", "_queue", "_queued", "_share", "inside", "places", "waiting")

    def __init__(self, places: int, queue: int, share: float = 1.0) -> None:
        self.places, self._queue, self._share = places, queue, share
        self.inside = self.waiting = 0
        self._held: dict[str, int] = {}  # tenant -> inside
        self._queued: dict[str, int] = {}  # tenant -> waiting
        self._lines: tuple[dict[str, deque[Entry]], ...] = tuple({} for _ in RANKS)

    def enter(self, now: float, tenant: str = "", rank: Rank = "default") -> Entry:
        """Come to the gate. See ``state``: inside, waiting or away; ``leave`` is said by the first two."""
        entry = Entry(tenant, _LEVEL[rank], now)
        held = self._held.get(tenant, 0)
        if self.inside < self.places and held < self._most(self.places):
            self._held[tenant] = held + 1
            self.inside += 1
            entry.state = "inside"
        elif self._queue and self._room(entry):
            self._lines[entry.level].setdefault(tenant, deque()).append(entry)
            self._queued[tenant] = self._queued.get(tenant, 0) + 1
            self.waiting += 1
            entry.state = "waiting"
        return entry

    def leave(self, entry: Entry, now: float) -> None:
        """It is served, or has waited long enough. Others are let in."""
        if entry.state == "inside":
            entry.state = "away"
            self.inside -= 1
            _less(self._held, entry.tenant)
            self._fill(now)
        elif entry.state == "waiting":
            self._withdraw(entry)

    def resize(self, places: int, now: float) -> None:
        """Have more places, or fewer; who is inside stays."""
        self.places = places
        self._fill(now)

    def _most(self, of: int) -> int:
        return ceil(of * self._share)

    def _room(self, entry: Entry) -> bool:
        """Room in the queue and in the tenant's part of it; where there is none, a lower class makes some."""
        own = self._queued.get(entry.tenant, 0) >= self._most(self._queue)
        if not own and self.waiting < self._queue:
            return True
        for line in self._lines[: entry.level]:
            names = [name for name in line if not own or name == entry.tenant]
            if names:
                oldest = line[max(names, key=lambda name: len(line[name]))][0]
                self._withdraw(oldest)
                self._woken(oldest)
                return True
        return False

    def _withdraw(self, entry: Entry) -> None:
        line = self._lines[entry.level]
        own = line[entry.tenant]
        own.remove(entry)
        if not own:
            del line[entry.tenant]
        _less(self._queued, entry.tenant)
        self.waiting -= 1
        entry.state = "away"

    def _fill(self, now: float) -> None:
        while self.inside < self.places and self.waiting:
            entry = self._next(now)
            if entry is None:
                return
            self._withdraw(entry)
            self._held[entry.tenant] = self._held.get(entry.tenant, 0) + 1
            self.inside += 1
            entry.state = "inside"
            self._woken(entry)

    def _next(self, now: float) -> Entry | None:
        most = self._most(self.places)
        for line in reversed(self._lines):
            may = [tenant for tenant in line if self._held.get(tenant, 0) < most]
            if may:
                own = line[min(may, key=lambda tenant: (self._held.get(tenant, 0), line[tenant][0].since))]
                return own[-1] if now - own[0].since > LATE else own[0]
        return None

    @staticmethod
    def _woken(entry: Entry) -> None:
        if entry.wake is not None:
            entry.wake()


def _less(counts: dict[str, int], tenant: str) -> None:
    """One fewer; tenants with none are not kept."""
    if counts[tenant] == 1:
        del counts[tenant]
    else:
        counts[tenant] -= 1
