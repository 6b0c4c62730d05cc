"""Numbers and days as values, so that *1,200*, *1.2 thousand*, *1천2백* and *twelve hundred* are one number.

English and Korean. A day is compared by what both texts say of it: *3 May 2024* and *2024-05-03* are one day, and
*May 2024* does not contradict them. Every pattern is linear: no repeat inside a repeat.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from guardrails.korean_numbers import NATIVE, native_korean, sino_korean


class Quantity(NamedTuple):
    """A number or a part of a day in a text.

    Attributes:
        keys: names of the value; all of them must be known for it to be supported.
    """

    start: int
    end: int
    keys: tuple[str, ...]


_ONES: Final = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10,
}  # fmt: skip
_SCALES: Final = {
    "hundred": 100, "thousand": 10**3, "k": 10**3, "million": 10**6, "billion": 10**9, "bn": 10**9, "trillion": 10**12,
}  # fmt: skip
_MONTHS: Final = {
    name: number
    for number, long in enumerate(
        "january february march april may june july august september october november december".split(),  # noqa: SIM905 -- a table
        1,
    )
    for name in (long, long[:3])
}

_DIGITS: Final = r"[0-9]{1,3}(?:,[0-9]{3}){1,6}(?:\.[0-9]{1,9})?(?![0-9])|[0-9]{1,18}(?:\.[0-9]{1,9})?"
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WORD: Final = "|".join(sorted((*_ONES, *_ORDINALS), key=len, reverse=True))
_SCALE: Final = "|".join(sorted(_SCALES, key=len, reverse=True))
_COUNTERS: Final = (
    "개|명|번|살|마리|권|시간|시|가지|달|잔|대|곳|장|채|송이|그루|분|원|년|월|일|주|퍼센트|프로|달러|미터|층|회"
)
_FIND: Final = re.compile(
    rf"""
    (?=[0-9일이삼사오육칠팔구십백천만억조하한둘두셋세넷네다여아열스서마쉰]|\b[jfmasondzet])  # to be quick
    (?:
      (?P<iso>(?P<y1>[12][0-9]{{3}})\s?[-./]\s?(?P<m1>[01]?[0-9])\s?[-./]\s?(?P<d1>[0-3]?[0-9])(?![0-9]))
    | (?P<kor>(?:(?P<y2>[12][0-9]{{3}})\s?년\s?)?(?P<m2>[01]?[0-9])\s?월(?:\s?(?P<d2>[0-3]?[0-9])\s?일)?)
    | (?P<mdy>\b(?P<m3>{_MONTH})\b\.?(?:\s(?P<d3>[0-3]?[0-9])(?:st|nd|rd|th)?(?![0-9]))?(?:,?\s(?P<y3>[12][0-9]{{3}}))?)
    | (?P<dmy>\b(?P<d4>[0-3]?[0-9])(?:st|nd|rd|th)?\s(?:of\s)?(?P<m4>{_MONTH})\b\.?(?:,?\s(?P<y4>[12][0-9]{{3}}))?)
    | (?P<mixed>(?:(?:{_DIGITS})\s?[십백천만억조]{{1,2}}\s?){{1,4}})
    | (?P<num>(?<![a-z0-9])(?:{_DIGITS})(?:\s?(?P<scale>{_SCALE})\b)?)
    | (?P<word>\b(?:{_WORD})(?:[\s-](?:and\s)?(?:{_WORD}|hundred|thousand|million|billion)){{0,6}}\b)
    | (?P<sino>[일이삼사오육칠팔구십백천만억조]{{2,14}}|[일이삼사오육칠팔구십백천](?=\s?(?:{_COUNTERS})))
    | (?P<native>(?<![가-힣])(?:{"|".join(sorted(NATIVE, key=len, reverse=True))}){{1,2}}(?=\s?(?:{_COUNTERS})))
    )
    """,
    re.VERBOSE,
)


def quantities(text: str) -> list[Quantity]:
    """Every number and day of a folded, lower-case text, in order."""
    found = []
    for match in _FIND.finditer(text):
        keys = _keys(match)
        if keys:
            found.append(Quantity(match.start(), match.end(), keys))
    return found


def known(text: str) -> frozenset[str]:
    """What is known to somebody who has read ``text``: every name of its values, and the months of its days."""
    keys = {key for quantity in quantities(text) for key in quantity.keys}
    return frozenset(keys | {f"m{key[1:].split('-')[0]}" for key in keys if key[0] == "d"})


def _keys(match: re.Match[str]) -> tuple[str, ...]:
    for name, parts in (("iso", "1"), ("kor", "2"), ("mdy", "3"), ("dmy", "4")):
        if match[name] is not None:
            return _day(match[f"y{parts}"], match[f"m{parts}"], match[f"d{parts}"])
    if match["mixed"] is not None:
        return _number(sino_korean(re.sub(r"[\s,]", "", match["mixed"])))
    if match["num"] is not None:
        digits = re.match(r"[0-9,.]+", match["num"])
        value = Fraction(digits[0].rstrip(".,").replace(",", "")) if digits else None
        return _number(value if value is None or not match["scale"] else value * _SCALES[match["scale"]])
    if match["word"] is not None:
        return _number(_english(re.split(r"[\s-]+", match["word"])))
    if match["sino"] is not None:
        return _number(sino_korean(match["sino"]))
    return _number(native_korean(match["native"]))


def _number(value: Fraction | None) -> tuple[str, ...]:
    return () if value is None else (f"n{value}",)


def _day(year: str | None, month: str, day: str | None) -> tuple[str, ...]:
    """Its day or month, and its year, each known apart: a source may say the year elsewhere."""
    number = _MONTHS.get(month) or int(month)
    if not 1 <= number <= 12:
        return ()
    if day is not None:
        return (f"d{number}-{int(day)}", *((f"n{year}",) if year else ()))
    # A month alone is as often a modal verb (may), a march or a date's remainder.
    return (f"m{number}", f"n{year}") if year else ()


def _english(words: list[str]) -> Fraction | None:
    if words in (["one"], ["second"]):
        return None  # "one of them", "a second": seldom a number
    total = part = 0
    for word in words:
        if word == "hundred":
            part = (part or 1) * 100
        elif word in _SCALES:
            total, part = total + (part or 1) * _SCALES[word], 0
        elif word != "and":
            part += _ONES.get(word, _ORDINALS.get(word, 0))
    return Fraction(total + part)
