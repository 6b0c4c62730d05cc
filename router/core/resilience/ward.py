"""What one process does with suspects: they wait, and then come in one request at a time until one has ended well.

The verdicts come from ``crashes``; all processes that share what they know of crashes come to the same. Whether a trial
went well each process finds out for itself: it is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from router.core.resilience.crashes import Crash, Held, Waits, held

TRIAL = 1.0  # seconds to come again after, while another request is on trial


class Ward:
    """One process's. Times are seconds of the clock by which crashes are told.

    Attributes:
        held: tenant -> what is held against it, its time over or not.
        refused: requests that were turned away.
    """

    __slots__ = ("_passed", "_trials", "_waits", "held", "refused")

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self.held: Mapping[str, Held] = {}
        self._trials: dict[str, float] = {}  # tenant -> the end of the wait after which it is tried
        self._passed: dict[str, float] = {}
        self.refused = 0

    def learn(self, crashes: Iterable[Crash], lifted: Mapping[str, float]) -> None:
        """Take up what is known of crashes now; all of it, for a verdict may also be mended."""
        self.held = held(crashes, self._waits, lifted)
        self._passed = {name: until for name, until in self._passed.items() if name in self.held}

    def wait(self, tenant: str, now: float) -> float:
        """Seconds after which to come again; 0 where a request may come in. A refusal is counted."""
        mine = self.held.get(tenant)
        if mine is None or self._passed.get(tenant) == mine.until:
            return 0.0
        left = mine.until - now
        if left <= 0:
            if tenant not in self._trials:
                return 0.0
            left = TRIAL
        self.refused += 1
        return left

    def try_out(self, tenant: str) -> bool:
        """A request came in; whether it is a trial, whose end is told to ``lived``."""
        mine = self.held.get(tenant)
        if mine is None or self._passed.get(tenant) == mine.until or tenant in self._trials:
            return False
        self._trials[tenant] = mine.until
        return True

    def lived(self, tenant: str) -> None:
        """A trial has ended, and the process lives: its tenant comes and goes as it likes."""
        self._passed[tenant] = self._trials.pop(tenant)

    def waiting(self, now: float) -> dict[str, Held]:
        """Who has to wait now."""
        return {name: each for name, each in self.held.items() if each.until > now}
