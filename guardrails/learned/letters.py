"""A text as an array of letters: one code a character, so that what is done to all of them is done at once.

Letters are folded as a reader would: case, accents and Latin look-alikes of other alphabets are gone, every digit
is the same digit, every gap is one space. Everything is one character to one character.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACE: Final = 32
_DIGIT: Final = 48
#: Codes below have their own entry; above are scripts without case or accents of their own.
_TABLE: Final = 0x3100
#: Letters of other alphabets that are drawn like Latin ones, and the Latin ones.
_ALIKE: Final = ("аеорсхуіѕјԁһԛԝкмтвнοανρτικυχωɑɡıℓǀ", "aeopcxyisjdhqwkmtbhoavptikuxwagill")
_HANGUL: Final = 0xAC00, 0xD7A3
_SYLLABLES_OF_LEAD: Final = 588
_SYLLABLES_OF_VOWEL: Final = 28
_LEAD: Final = 0x1100
_VOWEL: Final = 0x1161
_TAIL: Final = 0x11A7


def codes(text: str) -> NDArray[np.uint32]:
    """The letters of ``text`` (already normalised), as many as it has code points."""
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    folded, _ = _tables()
    if text.isascii():
        return folded[raw]
    return np.where(raw < _TABLE, folded[np.minimum(raw, _TABLE - 1)], raw)


def in_word(letters: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which letters belong to words: letters and digits of any script."""
    _, wordy = _tables()
    return wordy[np.minimum(letters, _TABLE)]


def is_hangul(letters: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which letters are Hangul: syllables, or single jamo."""
    syllable = (letters >= _HANGUL[0]) & (letters <= _HANGUL[1])
    return syllable | ((letters >= _LEAD) & (letters < _LEAD + 0x100))


def jamo(letters: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Hangul taken apart: each syllable as lead, vowel and tail (if any), all else as a space.

    Returns:
        The longer array, and for each of its places the place in ``letters`` that it came from.
    """
    offset = letters - np.uint32(_HANGUL[0])  # wraps around for what comes before
    syllable = offset <= _HANGUL[1] - _HANGUL[0]
    single = ~syllable & is_hangul(letters)
    tail = np.where(syllable, offset % _SYLLABLES_OF_VOWEL, 0)
    parts = 1 + syllable + (tail > 0)
    origin = np.repeat(np.arange(len(letters)), parts)
    first = np.cumsum(parts) - parts
    out = np.full(len(origin), SPACE, dtype=np.uint32)
    out[first[single]] = letters[single]
    out[first[syllable]] = _LEAD + offset[syllable] // _SYLLABLES_OF_LEAD
    out[first[syllable] + 1] = _VOWEL + offset[syllable] % _SYLLABLES_OF_LEAD // _SYLLABLES_OF_VOWEL
    closed = tail > 0
    out[first[closed] + 2] = _TAIL + tail[closed]
    return out, origin


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """For each code below the table's end: the letter it is read as; and whether it belongs to a word.

    The last entry of the second stands for all codes beyond.
    """
    alike = dict(zip(*_ALIKE, strict=True))
    folded = np.array([_folded(chr(code), alike) for code in range(_TABLE)], dtype=np.uint32)
    wordy = np.array([*(chr(code).isalnum() or _marks(chr(code)) for code in range(_TABLE)), True])
    return folded, wordy


def _folded(char: str, alike: dict[str, str]) -> int:
    if char.isspace() or not char.isprintable():
        return SPACE
    if char.isdecimal():
        return _DIGIT
    low = char.lower()
    low = low if len(low) == 1 else char
    base = unicodedata.normalize("NFD", low)[0] if "\u00c0" <= low < "\u0530" or "\u1e00" <= low < "\u2000" else low
    return ord(alike.get(base, base))


def _marks(char: str) -> bool:
    """Combining marks: the vowels of Indic and Thai writing are marks, and belong to their words."""
    return unicodedata.category(char)[0] == "M"
