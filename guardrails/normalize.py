"""Text as the recognisers read it: compatibility forms folded, invisible characters gone.

Every character is mapped by itself (never composed with a neighbour), so text that arrives in pieces
is read exactly as the whole text is. Offsets in the result lead back to the original.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Characters that hide inside a value without being seen: soft hyphen, joiners and zero-width spaces,
# direction marks, Hangul fillers, variation selectors, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DASHES = frozenset("‐‑‒–—―−﹘﹣－⁃")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Runs outside the scripts that are known to stay as they are: ASCII, Latin letters, Hangul syllables,
# kana, unified ideographs and the usual quotation marks.
_MAYBE = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ÿ가-힣ぁ-ゖァ-ヺ一-鿿‘’“”]+")


@lru_cache(maxsize=8192)
def _plain(char: str) -> str:
    """The form of one character that recognisers read: zero, one or more characters."""
    if _INVISIBLE.match(char):
        return ""
    if char in _DASHES:
        return "-"
    if _SURROGATE.match(char):
        return "\ufffd"
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    return unicodedata.normalize("NFKC", char)


def normalize(text: str) -> tuple[str, list[int] | None]:
    """Fold ``text`` for recognition.

    Returns:
        The folded text and, for each of its characters, the offset of the original character it came
        from; ``None`` when every character stayed in its place (the usual case).
    """
    if text.isascii():
        return text, None
    pieces: list[str] = []
    origins: list[int] = []
    in_place = True
    done = 0
    for run in _MAYBE.finditer(text):
        start, end = run.span()
        pieces.append(text[done:start])
        folded = [_plain(char) for char in run.group()]
        if in_place and any(len(form) != 1 for form in folded):
            in_place = False
            origins.extend(range(done))
        if not in_place:
            origins.extend(range(done, start))
            for offset, form in enumerate(folded, start):
                origins.extend([offset] * len(form))
        pieces.extend(folded)
        done = end
    if not pieces:
        return text, None
    pieces.append(text[done:])
    if in_place:
        return "".join(pieces), None
    origins.extend(range(done, len(text)))
    return "".join(pieces), origins
