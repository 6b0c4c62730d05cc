"""Is a server silent, or only slow? Evidence from calls that wait for their first byte.

From the answers that came, the survival function S of "seconds to the first byte per unit of work" is learned.
If the server were well, the calls that wait now would all have stayed silent since the last sign of life with
probability ``Π S(age now) / S(age then)``. Where that falls below one in a million, as after three calls in a row
beyond the 99th percentile, the server is held to be a black hole. So a burst that has just begun is no evidence,
forty calls that wait at once are much sooner than two, and one straggler never is.

Sums err to the side of patience: a bucket counts as still to come while a call's age now is inside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from math import exp, log

DOUBT = 3 * log(100)  # nats; three calls beyond the 99th percentile
MOST_A_CALL = log(100)  # what one call can say at most
LEAST_KNOWN = 50  # answers before anything is said
MOST_KNOWN = 1024  # then all counts are halved, so that what is learned follows the server
LONGEST = 60.0  # seconds; how patient a mistake can make it
_STEP = log(1.05)
_FROM = log(0.001)
_BUCKETS = 300  # 1 ms to 2,300 s, each a twentieth wider than the one before
_LOOK = 0.1  # seconds between two looks


def work_of(input_tokens: int, output_tokens: float, *, stream: bool) -> float:
    """How much longer than a bare question a call may take to its first byte, as a factor.

    A prompt has to be read before anything can come; a whole answer has to be written as well. Both scales are
    rough (4,000 tokens read, or 100 written, take as long as a call without any), and need not be better: the rest
    is learned.
    """
    work = 1.0 + input_tokens / 4000
    return work if stream else work + output_tokens / 100


class Silence:
    """One server. ``began`` and ``work`` of each waiting call; what is learned comes from ``heard``.

    Args:
        floor: seconds; no shorter silence is ever held against a server.
    """

    __slots__ = ("_base", "_counts", "_floor", "_heard", "_looked", "_total")

    def __init__(self, floor: float = 1.5) -> None:
        self._base = self._floor = floor
        self._counts = [0] * _BUCKETS
        self._total = 0
        self._heard = float("-inf")
        self._looked = float("-inf")

    def heard(self, now: float, took: float, work: float) -> None:
        """A first byte came after ``took`` seconds."""
        self._heard = now
        self._counts[int(_place(took / work))] += 1
        self._total += 1
        if self._total > MOST_KNOWN:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)
        if self._floor > self._base:
            self._floor = max(self._base, self._floor * 0.999)

    def alive(self, now: float) -> None:
        """A sign of life that says nothing about time, such as a refusal."""
        self._heard = now

    def was_wrong(self, silence: float) -> None:
        """A server that was given up has answered after ``silence`` seconds: be more patient with it for a while."""
        self._floor = min(LONGEST, max(2 * self._floor, 1.25 * silence))

    def patience(self, work: float) -> float:
        """Seconds that a call which looks again may take to its first byte: half as long again as 99 of 100 do."""
        above = self._total / 100
        for bucket in range(_BUCKETS - 1, -1, -1):
            above -= self._counts[bucket]
            if above < 0:
                break
        usual = exp(_FROM + (bucket + 1) * _STEP) if self._total >= LEAST_KNOWN else LONGEST
        return max(2 * self._floor, 1.5 * usual * work)

    def silent(self, now: float, waiting: Iterable[tuple[float, float]]) -> bool:
        """Whether ``waiting`` (began, work) have been without a sign of life for too long to be chance."""
        if now - self._heard < self._floor or self._total < LEAST_KNOWN or now - self._looked < _LOOK:
            return False
        self._looked = now
        return self.evidence(now, waiting) >= DOUBT

    def evidence(self, now: float, waiting: Iterable[tuple[float, float]]) -> float:
        """In nats; 0 where the silence is shorter than the floor."""
        calls = list(waiting)
        if not calls or now - max(self._heard, min(began for began, _ in calls)) < self._floor:
            return 0.0
        above = [*accumulate(reversed(self._counts))][::-1]  # answers in this bucket or a later one
        evidence = 0.0
        for began, work in calls:
            place = _place(max(0.0, self._heard - began) / work)
            whole = int(place)
            before = above[whole] - (place - whole) * self._counts[whole] + 1
            still = above[int(_place((now - began) / work))] + 1
            evidence += min(MOST_A_CALL, max(0.0, log(before / still)))
        return evidence


def _place(seconds: float) -> float:
    """Which bucket, and how far into it."""
    return 0.0 if seconds <= 0.001 else min(_BUCKETS - 1.0, (log(seconds) - _FROM) / _STEP)
