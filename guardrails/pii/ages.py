"""Ages that say so themselves: ``34 years old``, ``a 34-year-old``, ``만 34세``, ``34살``."""

from __future__ import annotations

import re

from guardrails.matching import Candidate, Kind, Rule, by_pattern, live_by

_EDGE = r"(?<![0-9A-Za-z_.,/$-])"
# `21세기` is a century, `3세대` a generation: nothing but a particle may follow the syllable.
_KOREAN = r" ?[세살](?=[의이인가는은로에부까입여남때였]|(?![0-9A-Za-z가-힣]))"
_ENGLISH = r"[ -]?(?:years?|yrs?|months?)[ -]old(?![A-Za-z])| ?y/?o(?![A-Za-z/])"


def _judge(candidate: Candidate) -> float:
    return 0.85 if 0 < int("".join(filter(str.isdigit, candidate.value))) < 120 else 0.0


_HINTS = ("old", "yo", "y/o", "세", "살")
_FORM = re.compile(rf"[0-9](?:{_ENGLISH}|{_KOREAN})", re.ASCII)


def _gate(text: str, start: int) -> bool:
    part = text[start:]
    return any(hint in part for hint in _HINTS) and _FORM.search(part) is not None


AGE = Kind(
    "age",
    _gate,
    live_by(
        _EDGE + r"[0-9]{1,3}(?:[ -]?[a-z/]{0,6}(?:[ -][a-z]{0,3})?| ?[세살][의이인가는은로에부까입여남때였]?)?", 18
    ),
    18,
    digits=True,
)

RULES: tuple[tuple[Kind, Rule], ...] = (
    (AGE, Rule("AGE", by_pattern(rf"{_EDGE}[0-9]{{1,3}}(?:{_ENGLISH}|{_KOREAN})"), _judge)),
)
