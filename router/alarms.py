"""Many waits, one timer.

Every request waits for something that nearly never takes too long: a head, a body, a caller who may leave. A timer of
the loop for each costs as much as a guard, set and cancelled for nothing. Here a wait is an entry in a dictionary, and
the loop has one timer, at the earliest moment at which any of them may be over. What ends before then has paid for
nothing but its entry.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol


class Alarm(Protocol):
    """A wait. ``due`` is the loop's time at which it is over; it may only grow while the alarm is set."""

    due: float

    def ring(self) -> None:
        """The time is over. Called once, and the alarm is not set any more."""


class Alarms:
    """Those of one loop."""

    __slots__ = ("_at", "_set", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._set: dict[Alarm, None] = {}
        self._at = inf
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._set)

    def set(self, alarm: Alarm) -> None:
        """Ring when it is due, unless it is dropped before."""
        self._set[alarm] = None
        if alarm.due < self._at:
            self._wake_at(alarm.due)

    def drop(self, alarm: Alarm) -> None:
        """Do not ring. Nothing happens where it is not set."""
        self._set.pop(alarm, None)

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = due
        self._timer = self.loop.call_at(due, self._wake)

    def _wake(self) -> None:
        """Ring what is due, and sleep until the next of the others may be."""
        self._at, self._timer = inf, None
        now = self.loop.time()
        for alarm in [each for each in self._set if each.due <= now]:
            if alarm in self._set:  # one that rings may drop others
                del self._set[alarm]
                alarm.ring()
        due = min([each.due for each in self._set], default=inf)
        if due < self._at:  # one that rings may set others, too
            self._wake_at(due)
