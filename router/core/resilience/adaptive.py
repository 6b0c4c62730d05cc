"""How many calls at once a server bears, learned: additive increase, multiplicative decrease.

A sign of overload (it refuses for rate or load, or does not answer in time) takes a tenth away, at most once for each
round of answers, so that one bad moment counts once. Each answer that came while the limit was in use adds its part
of one. How long answers take is no sign: a model's times differ a hundredfold by what it is asked. After Chiu and
Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance" (1989).
"""

from __future__ import annotations

DOWN = 0.9


class Adaptive:
    """``limit`` stays between ``low`` and ``high``, and begins at ``high``."""

    __slots__ = ("_high", "_low", "_quiet_until", "_value")

    def __init__(self, high: int, low: int = 1) -> None:
        self._low, self._high = low, high
        self._value = float(high)
        self._quiet_until = float("-inf")

    @property
    def limit(self) -> int:
        """Calls at once."""
        return int(self._value)

    def observe(self, now: float, took: float, in_flight: int, *, overloaded: bool) -> None:
        """A call is over.

        Args:
            now: seconds.
            took: seconds that it lasted; a round.
            in_flight: calls under way when it ended, itself included.
            overloaded: the server said so, or did not answer in time.
        """
        if overloaded:
            if now >= self._quiet_until:
                self._value = max(float(self._low), self._value * DOWN)
                self._quiet_until = now + took
        elif in_flight >= 0.8 * self.limit:
            self._value = min(float(self._high), self._value + 1 / self._value)
