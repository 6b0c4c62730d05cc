"""A text's shape: which classes of characters follow one another. It tells in microseconds that nothing is there.

A regular expression looks at every character of a prompt; most prompts hold no number at all. Here the text is
mapped to one byte a character (a digit becomes ``0``, a capital ``A``, ...) and searched for a fixed run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.matching import Gate

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
HEX = DIGITS + "abcdefABCDEF"


def gate_by_shape(classes: Mapping[str, str], needles: tuple[str, ...], drop: str = "") -> Gate:
    """A gate: whether one of ``needles`` occurs in the shape of the text from the offset on.

    Args:
        classes: the sign of a class -> its characters. All other characters become blanks.
        needles: runs of signs; the gate opens where one of them occurs.
        drop: characters that are left out of the shape, such as separators.
    """
    table = bytearray(b" " * 256)
    for sign, members in classes.items():
        for member in members:
            table[ord(member)] = ord(sign)
    mapped, dropped, runs = bytes(table), drop.encode(), tuple(needle.encode() for needle in needles)
    first = runs[0]

    def gate(text: str, start: int) -> bool:
        shape = (text[start:] if start else text).encode("ascii", "replace").translate(mapped, dropped)
        for run in runs:  # noqa: SIM110  (written out: it runs for every text)
            if run in shape:
                return True
        return False

    def gate_of_one(text: str, start: int) -> bool:
        return first in (text[start:] if start else text).encode("ascii", "replace").translate(mapped, dropped)

    return gate if len(runs) > 1 else gate_of_one
