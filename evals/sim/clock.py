"""Virtual time: what is to happen, in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

Event = list[Any]  # when, number, what; a list, because what is called off is emptied
Action = Callable[[], None]


class Clock:
    """``now`` is seconds. Events at the same instant happen in the order in which they were asked for."""

    __slots__ = ("_heap", "_number", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[Event] = []
        self._number = 0

    def at(self, when: float, what: Action) -> Event:
        """Do ``what`` at ``when``; the event can be called off."""
        self._number += 1
        event = [when, self._number, what]
        heapq.heappush(self._heap, event)
        return event

    def after(self, seconds: float, what: Action) -> Event:
        """The same, from now on."""
        return self.at(self.now + seconds, what)

    @staticmethod
    def off(event: Event | None) -> None:
        """It shall not happen."""
        if event is not None:
            event[2] = None

    def run(self) -> None:
        """Until nothing is left to happen."""
        heap, pop = self._heap, heapq.heappop
        while heap:
            when, _, what = pop(heap)
            if what is not None:
                self.now = when
                what()
