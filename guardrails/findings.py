"""From hits to findings: their order, which of them compete, and where they lie in the original text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails.types import Action, Finding

if TYPE_CHECKING:
    from guardrails.matching import Hit


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


def located(hit: Hit, origins: list[int] | None, base: int) -> Finding:
    """The finding of ``hit`` in code points of the original text.

    Args:
        hit: with offsets in the folded text.
        origins: as ``normalize`` returns them.
        base: what to add where the folded text is a window of a longer one.
    """
    if origins is None:
        start, end = hit.start, hit.end
    else:
        start, end = origins[hit.start], origins[hit.end - 1] + 1
    return Finding(hit.guard, hit.category, hit.score, base + start, base + end, hit.action, hit.reason)
