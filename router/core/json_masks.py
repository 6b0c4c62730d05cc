"""Keeps JSON valid when a mask fell on a bare number.

A placeholder inside a JSON string is plain text. In the place of a number it would be ``{"card": [CARD_1]}``, which no
reader takes; here it gets its quotation marks. Outside a string a bracket before a capital letter is never JSON, so a
placeholder there can be told without knowing where the masks were.
"""

from __future__ import annotations

import re

_BARE = re.compile(r"\[[A-Z][A-Z0-9_-]*_[0-9]{1,9}\]")
_MARK = re.compile(r'["\\]')


class JsonMasks:
    """One text of JSON in the making. Placeholders come whole; everything else may be cut anywhere."""

    __slots__ = ("_escaped", "_inside")

    def __init__(self) -> None:
        self._inside = False  # a string
        self._escaped = False  # the last character was a backslash inside one

    def feed(self, text: str) -> str:
        """The next piece, with quotation marks around bare placeholders."""
        pieces: list[str] = []
        done = at = 0
        while at < len(text):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            mark = _MARK.search(text, at)
            end = mark.start() if mark else len(text)
            if not self._inside:
                pieces += [text[done:at], _BARE.sub(r'"\g<0>"', text[at:end])]
                done = end
            if mark is None:
                break
            at = end + 1
            if mark.group() == '"':
                self._inside = not self._inside
            elif self._inside:
                self._escaped = True
        pieces.append(text[done:])
        return "".join(pieces)
