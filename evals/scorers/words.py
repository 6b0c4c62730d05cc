"""Answers read as words: equal to a reference, holding one, like one."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from router.core.shapes import plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PARTICLES: Final = "은는이가을를의에도로와과입니다이다에요예요년개일왕"


def same(answer: str, references: Iterable[str], *, strict: bool) -> bool:
    """Whether the answer is one of the references; unless ``strict``, as words alone."""
    if strict:
        return answer.strip() in {reference.strip() for reference in references}
    return plain_words(answer) in set(map(plain_words, references))


def holds(answer: str, wanted: Iterable[str]) -> bool:
    """Whether the answer holds one of ``wanted`` as words of their own; a Korean particle may follow."""
    said = f" {plain_words(answer)} "
    return any(_stands_in(want, said) for want in map(plain_words, wanted))


def _stands_in(want: str, said: str) -> bool:
    hangul = bool(re.search("[가-힣]", want))
    after = rf"(?:[{_PARTICLES}]*)(?!\w)" if hangul else r"(?!\w)" if want.isascii() and not want.isdigit() else ""
    return bool(re.search(rf"(?<!\w){re.escape(want)}{after or '(?![0-9])'}", said))


def word_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over words, as in SQuAD (arXiv 1606.05250), without its articles."""
    return _f1(plain_words(answer).split(), plain_words(reference).split())


def letter_f1(answer: str, reference: str, n: int) -> float:
    """The same over n-grams of letters; a text shorter than ``n`` is one gram."""
    return _f1(_grams(answer, n), _grams(reference, n))


def _grams(text: str, n: int) -> list[str]:
    letters = plain_words(text).replace(" ", "")
    if not letters:
        return []
    return [letters[at : at + n] for at in range(max(1, len(letters) - n + 1))]


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return float(list(said) == list(wanted))
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))
