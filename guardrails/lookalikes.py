"""A second reading for letters of other scripts that are drawn like Latin ones.

Every look-alike is mapped by itself and stays in its place, so the second reading streams as the first does. What
keeps Russian and Greek safe is the judgement afterwards: a hit counts only where look-alikes and ASCII letters
stand together in it, or where a longer word made of look-alikes alone follows Latin text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from guardrails.long import occurs
from guardrails.matching import Family, Hit
from guardrails.types import Action

# After Unicode's confusables (UTS 39): Cyrillic, Greek, Armenian, the phonetic alphabet, small capitals.
_PAIRS: Final = (
    ("авеѕіїјкмнорстухԁԛԝһгѵӏҽ", "abesiijkmhopctyxdqwhrvle"),
    ("АВЕЅІЇЈКМНОРСТУХԌԚԜҺѴӀ", "ABESIIJKMHOPCTYXGQWHVI"),
    ("αεικνορτυχωϲ", "aeiknoptuxwc"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC"),
    ("աոսհցզօյլԁՏՍԼՕ", "wnuhgqojldSULO"),
    ("ɑɡɩıʀɴʏʙɢʜʟ", "agiirnybghl"),
    ("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱ", "acdejkmoptuvwzfs"),
)
_LATIN: Final = {ord(odd): plain for odds, plains in _PAIRS for odd, plain in zip(odds, plains, strict=True)}
_ANY: Final = re.compile("[" + "".join(map(chr, sorted(_LATIN))) + "]+")
_ASCII: Final = re.compile("[A-Za-z]")
# Latin text, and nothing but marks and spaces between it and the word.
_AFTER_LATIN: Final = re.compile(r"[A-Za-z][^\w]{0,8}\Z")
_AFTER: Final = 10
_LONE: Final = 4  # letters that a word of look-alikes alone must have
_SEEN: Final = 1 << 40  # more than any position


def has_any(text: str) -> bool:
    """Whether look-alikes occur in ``text``."""
    return not text.isascii() and occurs(_ANY, text)


def plain(text: str) -> str:
    """The text with look-alikes as Latin letters; every character stays in its place."""
    return _ANY.sub(lambda run: run.group().translate(_LATIN), text)


def disguised(text: str, start: int, end: int) -> bool:
    """Whether look-alikes pretend to be Latin between ``start`` and ``end``."""
    odd = sum(len(run.group()) for run in _ANY.finditer(text, start, end))
    if not odd:
        return False
    if _ASCII.search(text, start, end):
        return True
    return odd >= _LONE and _AFTER_LATIN.search(text[max(0, start - _AFTER) : start]) is not None


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """A family that reads the text twice once look-alikes have turned up in it.

    Until then both readings are one, so the second one's positions are the first one's.
    """

    inner: Family

    @property
    def width(self) -> int:
        """The positions of both readings, and whether they have parted."""
        return 2 * self.inner.width + 1

    @property
    def actions(self) -> frozenset[Action]:
        """Those of the family."""
        return self.inner.actions

    @property
    def hold(self) -> int:
        """As the family declares."""
        return self.inner.hold

    @property
    def left(self) -> int:
        """As the family declares, and the Latin text before a word."""
        return max(self.inner.left, _AFTER)

    @property
    def digits(self) -> bool:
        """As the family declares: look-alikes are letters."""
        return self.inner.digits

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        width = self.inner.width
        parted = positions[-1] > _SEEN
        if not parted and text.isascii():
            found = self.inner.scan(text, positions, last)
            positions[width:-1] = positions[:width]  # both readings are one
            return found
        begun = not parted and not text.isascii() and _ANY.search(text, max(0, min(positions[:width]))) is not None
        first = positions[:width]
        hits, live = self.inner.scan(text, first, last)
        second = first
        if parted or begun:
            second = positions[width : 2 * width]
            more, also = self.inner.scan(plain(text), second, last)
            hits += [hit for hit in more if disguised(text, hit.start, hit.end)]
            live = min(live, also)
        positions[:] = [*first, *second, 2 * _SEEN if parted or begun else positions[-1]]
        return hits, live
