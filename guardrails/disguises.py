"""The ways in which a listed word is spelled to slip by: ``f u c k``, ``sh1t``, ``f*ck``, ``시 발``, ``시1발``.

They are made from the word beforehand and looked for in the same pass as the word, so they cost a text nothing.
Each comes with what must stand around it: *역시 발표* and *3시 발* are ordinary Korean, *a s s e t s* is another word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice, product
from typing import Final

#: Spellings of all words of a guard together.
MOST: Final = 100_000
#: Spellings of one word at most.
MOST_EACH: Final = 48

_LEET: Final = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8"}
_STARRED: Final = "*#"
_BETWEEN_LATIN: Final = " .-_*"
_BETWEEN_HANGUL: Final = " .1-*_~,/!@^\u1173"  # the last one is ㅡ, as it is read
_VOWELS: Final = frozenset("aeiou")
_LATIN_WORD: Final = re.compile(r"[a-z]{3,24}")
_HANGUL_WORD: Final = re.compile(r"[가-힣]{2,6}|[\u1100-\u1112]{2,6}")
_HOURS: Final = re.compile(r"(?:[0-9]|몇|한|두|세|네|섯|덟|곱|홉|열)\s?\Z")


class Kind(IntEnum):
    """How a pattern is spelled; it decides what must stand around it."""

    PLAIN = 0
    ALLOWED = 1
    LEET = 2
    SPACED = 3
    PARTED = 4  # Hangul with a mark between the syllables
    PARTED_BY_SPACE = 5


def disguises(word: str) -> Iterator[tuple[str, Kind]]:
    """Spellings of a folded word, the likeliest first; none for a short or a mixed word."""
    if _HANGUL_WORD.fullmatch(word):
        yield from islice(_parted(word), MOST_EACH)
    elif _LATIN_WORD.fullmatch(word):
        yield from islice(_misspelled(word), MOST_EACH)


def _parted(word: str) -> Iterator[tuple[str, Kind]]:
    for mark in _BETWEEN_HANGUL:
        kind = Kind.PARTED_BY_SPACE if mark == " " else Kind.PARTED
        yield mark.join(word), kind
        if len(word) > 2:
            yield f"{word[0]}{mark}{word[1:]}", kind


def _misspelled(word: str) -> Iterator[tuple[str, Kind]]:
    yield " ".join(word), Kind.SPACED
    for star in _STARRED:
        starred = word[0] + "".join(star if char in _VOWELS else char for char in word[1:])
        if starred != word and sum(char == star for char in starred) * 2 < len(word):
            yield starred, Kind.LEET
    for mark in _BETWEEN_LATIN[1:]:
        yield mark.join(word), Kind.SPACED
    for letters in product(*(char + _LEET.get(char, "") for char in word)):
        spelled = "".join(letters)
        if spelled != word and sum(map(str.isalpha, letters)) >= max(2, len(word) / 2):
            yield spelled, Kind.LEET


def stands_alone(text: str, begin: int, end: int, kind: Kind) -> bool:
    """Whether a disguised spelling stands where it means the word; looks at 3 characters to the right at most."""
    if kind is Kind.LEET:
        return not (begin and _wordly(text[begin - 1])) and not (end < len(text) and _wordly(text[end]))
    if kind is Kind.SPACED:
        mark = text[begin + 1]
        if (begin and text[begin - 1].isalnum()) or text[end : end + 1].isalnum():
            return False
        # One more letter on the same string: it spells a longer word.
        before, after = text[max(0, begin - 2) : begin], text[end : end + 2]
        return not (
            (
                len(before) == 2
                and before[1] == mark
                and before[0].isalnum()
                and not text[begin - 3 : begin - 2].isalnum()
            )
            or (len(after) == 2 and after[0] == mark and after[1].isalnum() and not text[end + 2 : end + 3].isalnum())
        )
    if _HOURS.search(text[max(0, begin - 2) : begin]):
        return False
    if kind is Kind.PARTED_BY_SPACE:
        return text[end : end + 1] in {"아", "야"} or not _hangul(text[end : end + 1])
    return True


def _wordly(char: str) -> bool:
    return char == "_" or (char.isalnum() and not _hangul(char))


def _hangul(char: str) -> bool:
    return "가" <= char <= "힣" or "ᄀ" <= char <= "ᇿ"
