"""The most that a run may spend: a call's predicted cost is set aside before it is made."""

from __future__ import annotations

import asyncio


class Budget:
    """Nano-dollars. Without a limit it only counts.

    Attributes:
        spent: by calls that have ended.
        over: a call did not fit; nothing may begin any more.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.spent = 0
        self.over = False
        self._held = 0
        self._running = 0
        self._moved = asyncio.Condition()

    async def take(self, predicted: int | None) -> bool:
        """Set a call's cost aside. Where it does not fit, calls on their way are waited for: they may cost less.

        Args:
            predicted: None where nothing is known yet; such a call is made alone.
        """
        async with self._moved:
            while not self.over:
                if self._fits(predicted):
                    self._held += predicted or 0
                    self._running += 1
                    return True
                if not self._running:
                    self.over = True
                    self._moved.notify_all()
                    break
                await self._moved.wait()
            return False

    def _fits(self, predicted: int | None) -> bool:
        if self.limit is None:
            return True
        if predicted is None:
            return not self._running and self.spent < self.limit
        return self.spent + self._held + predicted <= self.limit

    async def settle(self, predicted: int | None, cost: int | None) -> None:
        """A call has ended. What it cost is taken for what was predicted where it is not known.

        Args:
            predicted: what was set aside for it.
            cost: 0 for a call that failed.
        """
        async with self._moved:
            self._held -= predicted or 0
            self._running -= 1
            self.spent += (predicted or 0) if cost is None else cost
            self._moved.notify_all()
