"""Numbers, amounts and days as English and Korean texts write them: patterns to find them, readers to understand them.

Texts are folded before (``guardrails.normalize``): digits are ASCII. Patterns are RE2, in any case, without groups.
A quantity may carry a relation (*at least 30 days*, *30일 이내*), which is read with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Final, NamedTuple

from guardrails.korean_numbers import LARGE, NATIVE, SINO, SMALL, native_korean, sino_korean


class Quantity(NamedTuple):
    """A value with its relation: ``days <= 30`` is ``Quantity("<=", 30)``."""

    relation: str
    value: Fraction | date


# --- relations

_BEFORE: Final = {
    "at least": ">=", "no less than": ">=", "not less than": ">=", "no fewer than": ">=", "a minimum of": ">=",
    "minimum": ">=", "최소": ">=", "적어도": ">=",
    "at most": "<=", "no more than": "<=", "not more than": "<=", "a maximum of": "<=", "maximum": "<=",
    "up to": "<=", "within": "<=", "not exceeding": "<=", "최대": "<=",
    "more than": ">", "over": ">", "above": ">", "exceeding": ">", "longer than": ">", "greater than": ">",
    "less than": "<", "under": "<", "below": "<", "fewer than": "<", "shorter than": "<",
    "exactly": "=", "정확히": "=",
}  # fmt: skip
_AFTER: Final = {
    "or more": ">=", "or longer": ">=", "이상": ">=",
    "or less": "<=", "or fewer": "<=", "이하": "<=", "이내": "<=", "안에": "<=", "까지": "<=",
    "초과": ">", "넘": ">", "이 지나": ">", "이 지난": ">", "미만": "<", "도 안": "<",
}  # fmt: skip
_DAY_BEFORE: Final = {
    "on or after": ">=", "no earlier than": ">=", "since": ">=", "from": ">=",
    "on or before": "<=", "no later than": "<=", "by": "<=", "until": "<=",
    "after": ">", "before": "<", "on": "=",
}  # fmt: skip
_DAY_AFTER: Final = {
    "or later": ">=",
    "이후": ">=",
    "부터": ">=",
    "or earlier": "<=",
    "이전": "<=",
    "까지": "<=",
    "전": "<",
    "후": ">",
}

# --- units: the first word of a line is its name

_UNITS: Final = (
    ("minute", "minutes", "min", "분"),
    ("hour", "hours", "hr", "hrs", "시간"),
    ("day", "days", "일", "날"),
    ("week", "weeks", "주일", "주간", "주"),
    ("month", "months", "개월", "달"),
    ("year", "years", "년", "해"),
    ("KRW", "won", "원", "₩"),
    ("USD", "dollars", "dollar", "달러", "불", "$"),
    ("EUR", "euros", "euro", "유로", "€"),
    ("percent", "percentage", "퍼센트", "프로", "%"),
    ("g", "grams", "gram", "그램"),
    ("kg", "kilograms", "kilogram", "킬로그램"),
    ("m", "metres", "metre", "meters", "meter", "미터"),
    ("km", "kilometres", "kilometre", "kilometers", "kilometer", "킬로미터"),
    ("item", "items", "piece", "pieces", "개"),
    ("person", "people", "persons", "명"),
    ("time", "times", "회", "번"),
)  # fmt: skip
#: How much of the second unit one of the first is.
_WORTH: Final = {
    ("week", "day"): 7, ("hour", "minute"): 60, ("day", "hour"): 24, ("week", "hour"): 168, ("day", "minute"): 1440,
    ("year", "month"): 12, ("kg", "g"): 1000, ("km", "m"): 1000,
}  # fmt: skip

# --- number words

_ENGLISH: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
#: Days that have names of their own.
_DAYS: Final = {
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9, "열흘": 10,
    "보름": 15,
}  # fmt: skip


def _any(words: Iterable[str]) -> str:
    """One of the words, the longest first; gaps between words are any space."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest) + ")"


_DIGITS: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,9})?"
_LARGE_MARK: Final = _any((*LARGE, "천만", "백만", "십만", "천", "백"))
_MIXED: Final = rf"\b{_DIGITS}\s?{_LARGE_MARK}(?:\s?{_DIGITS}\s?{_LARGE_MARK}?){{0,3}}"
_SINO_MARKS: Final = "[" + "".join((*SINO, *SMALL, *LARGE)) + "]"
_ENGLISH_RUN: Final = rf"\b{_any((*_ENGLISH, *_SCALES))}(?:(?:\s+and\s+|[\s-]){_any((*_ENGLISH, *_SCALES))}){{0,7}}\b"
_LONG_NATIVE: Final = _any(word for word in NATIVE if len(word) > 1)
#: Numbers that are plain by themselves, and Korean ones that are so beside a unit only: 이 is two, and also "this".
_NUMBER: Final = rf"(?:{_MIXED}|-?\b{_DIGITS}|{_ENGLISH_RUN})"
_BESIDE_UNIT: Final = rf"(?:{_SINO_MARKS}{{1,12}}|(?:{_any(NATIVE)}){{1,2}}|\ban?\b)"
_ALONE: Final = rf"(?:{_NUMBER}|{_SINO_MARKS}{{2,12}}|{_LONG_NATIVE}(?:{_any(NATIVE)})?)"
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH: Final = _any((*_MONTHS, *(month[:3] for month in _MONTHS), "sept"))
_DAY: Final = (
    r"(?:[0-9]{4}\s?[-./]\s?[0-9]{1,2}\s?[-./]\s?[0-9]{1,2}|[0-9]{4}\s?년\s?[0-9]{1,2}\s?월\s?[0-9]{1,2}\s?일"
    rf"|{_MONTH}\.?\s+[0-9]{{1,2}}(?:st|nd|rd|th)?,?\s+[0-9]{{4}}|[0-9]{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}\.?,?\s+[0-9]{{4}})"
)


def unit_names(unit: str) -> Mapping[str, Fraction]:
    """Word of a text -> how many of ``unit`` one of it is; the unit itself and those that convert exactly."""
    lines = {line[0]: line for line in _UNITS}
    known = next((name for name, line in lines.items() if unit.casefold() in [w.casefold() for w in line]), None)
    if known is None:
        return MappingProxyType({unit.casefold(): Fraction(1)})
    worth = {known: Fraction(1)}
    for (large, small), many in _WORTH.items():
        if small == known:
            worth[large] = Fraction(many)
        elif large == known:
            worth[small] = Fraction(1, many)
    return MappingProxyType({word.casefold(): many for name, many in worth.items() for word in lines[name]})


def quantity_pattern(unit: str) -> str:
    """RE2 for a number with its relation and, where ``unit`` is given, its unit."""
    before, after = rf"(?:{_any(_BEFORE)}\s+)?", rf"(?:\s?{_any(_AFTER)})?"
    if not unit:
        return f"{before}{_ALONE}{after}"
    words = _any(unit_names(unit))
    named = f"{_any(_DAYS)}|" if "일" in unit_names(unit) else ""
    numbers = rf"(?:{words}\s?)?{_NUMBER}(?:[\s-]?{words})?|{_BESIDE_UNIT}[\s-]?{words}"
    return rf"{before}(?:{named}{numbers}){after}"


def day_pattern() -> str:
    """RE2 for a day of the calendar with its relation."""
    return rf"(?:{_any(_DAY_BEFORE)}\s+)?{_DAY}(?:\s?{_any(_DAY_AFTER)})?"


def read_quantity(text: str, unit: str) -> Quantity | None:
    """What a match of ``quantity_pattern`` says; None when it is no number after all."""
    relation, rest = _relation(text, _BEFORE, _AFTER)
    worth = Fraction(1)
    names = unit_names(unit) if unit else {}
    if "일" in names and rest in _DAYS:
        return Quantity(relation, _DAYS[rest] * names["일"])
    found = False
    for word in sorted(names, key=lambda word: -len(word)):
        bare = rest.removesuffix(word) if rest.endswith(word) else rest.removeprefix(word)
        if bare != rest and bare.strip():
            rest, worth, found = bare.strip(" -"), names[word], True
            break
    if rest in ("a", "an"):
        return Quantity(relation, worth) if found else None
    value = read_number(rest)
    return None if value is None else Quantity(relation, value * worth)


def read_day(text: str) -> Quantity | None:
    """What a match of ``day_pattern`` says; None when the calendar has no such day."""
    relation, rest = _relation(text, _DAY_BEFORE, _DAY_AFTER)
    numbers = [int(part) for part in re.findall("[0-9]+", rest)]
    month = re.search("[a-z]{3,}", rest)
    if month is not None:
        at = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(month.group()[:3]))
        year, number, day = numbers[1], at, numbers[0]
    else:
        year, number, day = numbers
    try:
        return Quantity(relation, date(year, number, day))
    except ValueError:
        return None


_UNIT_WORD: Final = re.compile(
    r"[\s-]?(?:"
    + "|".join(
        re.escape(word) + r"(?![a-z])" if word.isascii() else re.escape(word) for line in _UNITS for word in line
    )
    + ")",
    re.IGNORECASE,
)
_CURRENCY: Final = frozenset({"$", "€", "₩"})
_LONGER_BEFORE: Final = re.compile(r"[0-9][-.,~]?$")
_LONGER_AFTER: Final = re.compile(r"[0-9]|[.,-][0-9]|[~%/]")
#: A value that ends without a unit of its own.
_BARE: Final = re.compile(rf"(?P<digit>[0-9])$|\b{_any((*_ENGLISH, *_SCALES))}$", re.IGNORECASE)
_NOT_BEFORE: Final = re.compile(r"(?:\bnot|n't)\s+$", re.IGNORECASE)
_NOT_AFTER: Final = re.compile(r"\s?(?:이|가|은|는)?\s*아니")


def torn(text: str, start: int, end: int) -> bool:
    """Whether the value at ``start`` to ``end`` is a piece of something else, or is denied.

    A piece of a longer number or word, a number of another unit or currency, the end of a range (*10-30*).
    """
    before, inside, after = text[max(0, start - 16) : start], text[start:end], text[end : end + 16]
    if _NOT_BEFORE.search(before) or _NOT_AFTER.match(after):
        return True
    if inside[:1] == "-" and before[-1:].strip():
        return True
    if _LONGER_BEFORE.search(before) and inside.lstrip("-")[:1].isdigit():
        return True
    bare = _BARE.search(inside)
    if bare is None:
        return False
    if bare["digit"] and _LONGER_AFTER.match(after):
        return True
    return before.rstrip()[-1:] in _CURRENCY or _UNIT_WORD.match(after) is not None


def _relation(text: str, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, str]:
    rest = " ".join(text.casefold().split())
    for word in sorted(before, key=lambda word: -len(word)):
        if rest.startswith(word + " "):
            return before[word], rest[len(word) + 1 :]
    for word in sorted(after, key=lambda word: -len(word)):
        if rest.endswith(word):
            return after[word], rest.removesuffix(word).strip()
    return "=", rest


def read_number(text: str) -> Fraction | None:
    """A number in digits or words; None when it is none."""
    text = " ".join(text.casefold().split())
    if re.fullmatch(f"-?{_DIGITS}", text):
        return Fraction(text.replace(",", ""))
    if re.search("[a-z]", text):
        return _english(re.split(r"[\s-]+", text))
    compact = text.replace(" ", "").replace(",", "")
    found = sino_korean(compact)
    return found if found is not None else native_korean(compact)


def _english(words: list[str]) -> Fraction | None:
    total = part = 0
    for word in words:
        if word == "and":
            continue
        if word in _ENGLISH:
            part += _ENGLISH[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word in _SCALES:
            total, part = total + (part or 1) * _SCALES[word], 0
        else:
            return None
    return Fraction(total + part)
