r"""Where a text is cut into the windows that learned rails judge: its sentences, or what is closest to them.

A window ends after an end mark and a gap, after a full-width end mark, or after a line. It has at least
``SHORTEST`` code points (so that "1." or "e.g." is none), and at most ``LONGEST``: a sentence without an end is
cut at its last gap. Whether a window ends somewhere never depends on what comes after that place, unless
the text goes on to ``LONGEST``: so a text that still grows is cut as the whole of it will be.
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST: Final = 16
LONGEST: Final = 256
_END: Final = re.compile("[.!?…。！？\n](?:(?<=[。！？\n])|[\"')\\]”’»*_]*\\s)")
_INK: Final = re.compile(r"\S")


def cut(text: str, start: int, *, last: bool) -> tuple[list[int], int]:
    """Cut a text from some window on.

    Args:
        text: normalised, and perhaps still growing.
        start: where a window begins.
        last: no more text comes.

    Returns:
        Where the closed windows begin, in order, and where the open one begins (the end of the text if none is open).
    """
    starts: list[int] = []
    size = len(text)
    while start < size:
        end = _end(text, start, last=last)
        if end is None:
            break
        starts.append(start)
        start = end
    return starts, start


def _end(text: str, start: int, *, last: bool) -> int | None:
    """Where the window that begins at ``start`` ends; none while it is open."""
    limit = start + LONGEST
    full = len(text) >= limit
    ink = _INK.search(text, start, limit)
    if ink is not None:
        found = _END.search(text, min(ink.start() + SHORTEST, limit), limit)
        if found is not None:
            return found.end()
    if full:
        gap = max(text.rfind(" ", start + LONGEST // 2, limit), text.rfind("\t", start + LONGEST // 2, limit))
        return gap + 1 if gap >= 0 else limit
    return len(text) if last else None
