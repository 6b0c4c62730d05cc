"""Long texts, a window at a time, so that no single search holds the interpreter for long.

A search of ``re`` gives other threads no turn before its end, and in ten megabytes that is tens of milliseconds in
which nobody is served. What makes a text in pieces equal to the whole (``matching``) makes windows equal to it, too: a
family reads each as a text that may still grow, and what it leaves open begins the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from guardrails.matching import Family, Hit

#: Code points that are searched in one step: about a millisecond for the slowest of the searches.
WINDOW: Final = 32_768


def occurs(one: re.Pattern[str], text: str, between: Callable[[], object] | None = None, window: int = WINDOW) -> bool:
    """Whether a pattern of single characters is anywhere in ``text``; ``between`` as for ``scan_long``."""
    for at in range(0, len(text), window):
        if one.search(text, at, at + window) is not None:
            return True
        if between is not None:
            between()
    return False


def scan_long(
    family: Family, text: str, between: Callable[[], object] | None = None, window: int = WINDOW
) -> list[Hit]:
    """All hits of a whole text, as ``family.scan(text, …, True)`` finds them; ``between`` is called between windows."""
    positions = [0] * family.width
    hits: list[Hit] = []
    begin = end = 0
    while True:
        end = min(len(text), end + window)
        last = end == len(text)
        found, live = family.scan(text[begin:end], positions, last)
        hits += [replace(hit, start=hit.start + begin, end=hit.end + begin) for hit in found] if begin else found
        if last:
            return hits
        if between is not None:
            between()
        if (passed := live - family.left) > 0:
            positions = [position - passed for position in positions]
            begin += passed
