"""How long a request may take: the policy's word, and the caller's where it is shorter.

A caller says ``x-stillhouse-timeout: SECONDS`` for the whole request. The client libraries say without being asked
when they will give up (``x-stainless-read-timeout``, ``x-stainless-timeout``): nobody reads a first byte that comes
later, so that bounds the first byte, and in a whole answer, whose first byte is its end, everything.
"""

from __future__ import annotations

from math import inf, isfinite

from router.types import Frozen

LEAST = 0.001  # seconds; a limit of nothing would mean none to a client library


class Limit(Frozen, frozen=True, kw_only=True):
    """Seconds since the request arrived. ``total``: of the last byte; ``first``: of the first one."""

    total: float = inf
    first: float = inf

    def left(self, elapsed: float, total: float, first_byte: float, *, stream: bool) -> tuple[float, float]:
        """Seconds that a call may still take in all, and to its first byte, under a policy's two limits."""
        whole = max(LEAST, min(self.total, total, inf if stream else self.first) - elapsed)
        return whole, max(LEAST, min(first_byte, self.first - elapsed, whole))

    def cuts(self, elapsed: float) -> bool:
        """Whether it was the caller's own word that ended a call, give or take a twentieth of a second."""
        return elapsed + 0.05 >= min(self.total, self.first)


NONE = Limit()


def seconds_of(text: str) -> float | None:
    """A positive, finite number of seconds; None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None
