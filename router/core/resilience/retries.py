"""A budget of retries: the first calls of a deployment pay for them.

Each first call earns ``share`` of a token, each further call to the same deployment costs a whole one. While little
fails, every request may try again; when everything fails, what is asked of a deployment stays within ``1 + share``
of what callers asked, and ``per_second`` besides. A further call that worked after a *fault* gives its token back: it
was no waste, so the budget does not keep callers from a fail-over that works. After a sign of *overload* nothing is
given back, for there even a call that works took another's place.
"""

from __future__ import annotations

SHARE = 0.1
PER_SECOND = 5.0  # besides: where few ask, a share of them would leave nobody a second try
BURST = 10.0  # tokens at most, and at the beginning


class RetryBudget:
    """One deployment's."""

    __slots__ = ("_burst", "_per_second", "_seen", "_share", "refused", "tokens")

    def __init__(self, share: float = SHARE, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._share, self._burst, self._per_second = share, burst, per_second
        self._seen = float("inf")
        self.tokens = burst
        self.refused = 0

    def earn(self, now: float) -> None:
        """A first call is made. ``now``: monotonic seconds."""
        rested = max(0.0, now - self._seen)
        self._seen = now
        self.tokens = min(self._burst, self.tokens + self._share + self._per_second * rested)

    def spend(self) -> bool:
        """Whether a further call may be made; if so, it is paid for."""
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        """A further call that followed a fault has worked."""
        self.tokens = min(self._burst, self.tokens + 1)
