"""How many calls at once a server bears, learned: additive increase, multiplicative decrease.

A sign of overload (a refusal for rate, a time-out, an answer much later than the best lately seen) takes a tenth
away, at most once for each round of answers, so that one bad moment counts once. Each answer that came in time while
the limit was in use adds its part of one. After Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
Congestion Avoidance" (1989).
"""

from __future__ import annotations

DOWN = 0.9
SLOW = 3.0  # times the best time lately seen
FORGET = 0.001  # how fast the best time drifts up to what is seen


class Adaptive:
    """``limit`` stays between ``low`` and ``high``."""

    __slots__ = ("_best", "_high", "_low", "_quiet_until", "_value")

    def __init__(self, low: int, high: int, start: int | None = None) -> None:
        self._low, self._high = low, high
        self._value = float(high if start is None else start)
        self._best = 0.0
        self._quiet_until = float("-inf")

    @property
    def limit(self) -> int:
        """Calls at once."""
        return int(self._value)

    def observe(self, now: float, took: float, in_flight: int, *, overloaded: bool) -> None:
        """A call is over.

        Args:
            now: seconds.
            took: seconds to its first byte, per unit of work where calls differ.
            in_flight: calls under way when it ended, itself included.
            overloaded: the server or a time-out said so.
        """
        if not overloaded:
            self._best = min(took, self._best + FORGET * (took - self._best)) if self._best else took
            overloaded = took > SLOW * self._best
        if overloaded:
            if now >= self._quiet_until:
                self._value = max(float(self._low), self._value * DOWN)
                self._quiet_until = now + max(took, self._best)
        elif in_flight >= 0.8 * self.limit:
            self._value = min(float(self._high), self._value + 1 / self._value)
