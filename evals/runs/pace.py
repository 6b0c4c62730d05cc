"""How many calls a target is asked at once, and when it is left alone. ``Pace`` is pure: the time is an argument.

A target that says *too many* (429, 503) is asked half as many at once, and not at all until its Retry-After is over;
every answer lets in a little more, up to the suite's ``parallel``: additive increase, multiplicative decrease, as in
TCP (RFC 5681). Calls that were on their way when it said so tell nothing new and halve nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from evals.runs.asking import AskError

MOST_TRIES: Final = 6
FIRST_PAUSE: Final = 0.5  # seconds
MAX_PAUSE: Final = 60.0  # seconds; who wants to be left alone for longer is given up
BACKOFF: Final = 2.0


@dataclass(slots=True)
class Pace:
    """The state of one target's traffic.

    Attributes:
        most: the suite's ``parallel``.
        allowed: calls at once, at the moment; at least 1.
        until: no call begins before.
        cut_at: when it was halved last.
    """

    most: int
    allowed: float = 0.0
    until: float = float("-inf")
    cut_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.allowed = float(self.most)

    def wait(self, now: float, running: int) -> float | None:
        """Seconds until a call may begin; None where another has to end first."""
        if now < self.until:
            return self.until - now
        return 0.0 if running < int(self.allowed) else None

    def answered(self) -> None:
        """A call went well."""
        self.allowed = min(float(self.most), self.allowed + 1.0 / self.allowed)

    def limited(self, now: float, begun: float, pause: float) -> None:
        """A call that began at ``begun`` was told that there are too many."""
        self.until = max(self.until, now + pause)
        if begun > self.cut_at:
            self.allowed, self.cut_at = max(1.0, self.allowed / 2), now


def pause_before(tries: int, error: AskError, draw: float) -> float | None:
    """Seconds to wait before another try; None where there should be none.

    Args:
        tries: how many there were.
        error: how the last one ended.
        draw: uniform in [0, 1), so that workers do not come back in step.
    """
    if not error.retryable or tries >= MOST_TRIES:
        return None
    if error.retry_after is not None:
        return None if error.retry_after > MAX_PAUSE else error.retry_after
    return min(MAX_PAUSE, FIRST_PAUSE * BACKOFF ** (tries - 1) * (0.5 + draw))


@dataclass(slots=True)
class Gate:
    """Lets calls begin as the pace allows."""

    pace: Pace
    clock: Callable[[], float] = time.monotonic
    running: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def call(self) -> AsyncIterator[float]:
        """Wait for a place, hold it for one call; yields when it began."""
        while (wait := self.pace.wait(self.clock(), self.running)) != 0:
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), wait)
        self.running += 1
        try:
            yield self.clock()
        finally:
            self.running -= 1
            self._moved.set()
