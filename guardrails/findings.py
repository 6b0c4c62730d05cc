"""From hits to findings: their order, which of them compete, and where they lie in the original text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from guardrails.matching import Family, Hit
from guardrails.normalize import normalize
from guardrails.types import Action, Finding


def order(hit: Hit) -> tuple[int, float, int, int, str]:
    """Left to right; at one place the surest, then the longest, then as the guards are listed."""
    return hit.start, -hit.score, -hit.end, hit.item, hit.category


class Sieve:
    """Drops a hit that lies inside an earlier one of the same guard and action: one value, one name.

    Hits must come in ``order``. Hits of different guards never compete, nor do different actions.
    """

    __slots__ = ("_reach",)

    def __init__(self) -> None:
        self._reach: dict[tuple[int, Action], int] = {}

    def keeps(self, hit: Hit) -> bool:
        """Whether ``hit`` says something new."""
        key = (hit.item, hit.action)
        if hit.end <= self._reach.get(key, 0):
            return False
        self._reach[key] = hit.end
        return True


class Placed(NamedTuple):
    """A hit with offsets in the text as it came, and the value that names its placeholder."""

    hit: Hit
    value: str

    @property
    def key(self) -> tuple[int, float, int, int, str]:
        """See ``order``."""
        return order(self.hit)

    def moved(self, by: int) -> Placed:
        """The same, further right."""
        hit = self.hit
        return self._replace(hit=replace(hit, start=hit.start + by, end=hit.end + by))


def value_of(part: str) -> str:
    """What names a placeholder: the folded form of what was found, or itself where nothing of it is left."""
    return normalize(part)[0] or part


def placed(hit: Hit, text: str, origins: list[int] | None, *, raw: bool = False) -> Placed:
    """Lead ``hit`` back to the text as it came.

    Args:
        hit: with offsets in ``text``.
        text: what the recogniser read.
        origins: as ``normalize`` returns them; ``None`` where ``text`` is in place.
        raw: ``text`` is not folded.
    """
    value = text[hit.start : hit.end]
    if raw:
        value = value_of(value)
    if origins is not None:
        hit = replace(hit, start=origins[hit.start], end=origins[hit.end - 1] + 1)
    return Placed(hit, value)


def finding_of(hit: Hit, base: int = 0) -> Finding:
    """What is told of a hit; ``base`` is where its text begins in a longer one."""
    return Finding(hit.guard, hit.category, hit.score, base + hit.start, base + hit.end, hit.action, hit.reason)


def told_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same without what is said twice of one place: layers may hold the same guard. The strictest action stays."""
    told: dict[tuple[str, str, int, int, str], Finding] = {}
    for finding in findings:
        key = (finding.guard, finding.category, finding.start, finding.end, finding.reason)
        known = told.get(key)
        if known is None or finding.action > known.action:
            told[key] = finding
    return tuple(told.values())


def reads_raw(family: Family) -> bool:
    """Whether a family reads the text as it came, invisible characters included, rather than folded."""
    return getattr(family, "raw", False)
