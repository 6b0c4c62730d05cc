"""Word salad at either end of a prompt: strings that attacks on routers put there, and no sentence looks like.

English prose hardly runs six words without an article, a preposition or another small word. A longer run that
touches the beginning or the end, and is not the whole text, says nothing about the ask beside it. Only words in
ASCII letters are looked at: a number, a formula, a label or another script ends a run.
"""

from __future__ import annotations

import re
from typing import Final

#: Shortest run that is taken out, in words.
RUN: Final = 6
#: Words that must be left beside it.
LEFT: Final = 3
#: How far from an end is looked at first, in code points: most prompts hold a small word within a few.
_CLOSE: Final = 24
_NEAR: Final = 120
_MARKS: Final = ".,;:!?()[]{}<>$\\\"'-|/`"
_TOKEN: Final = re.compile(r"\S+")
_SMALL: Final = frozenset(
    """
    the of a an to in is are am be been was were and or nor for on onto with within without that which who whom
    whose what how when where why by as at it its if from this these those each every has have had having can
    could cannot not no do does did will would should shall may might must than then there here any all some
    both either neither i you he she we they your my his her our their me him us them but so into out up down
    off over under after before about between more most less least one two three per via let just only also such
    same other another while because since until yes
    """.split()  # noqa: SIM905 - a list of words reads as words
)


def without_salad(text: str) -> str:
    """The text without a salad at its beginning and at its end; linear, and cheap where there is none."""
    if _SMALL.isdisjoint(text[:_CLOSE].split()) and _begins(text[:_NEAR].split()):
        text = _beheaded(text)
    if _SMALL.isdisjoint(text[-_CLOSE:].split()) and _begins(text[-_NEAR:].split()[::-1]):
        text = _curtailed(text)
    return text


def _begins(tokens: list[str]) -> bool:
    """Whether nothing among the first words ends a run. A word cut at the window's edge counts as one."""
    words = 0
    for token in tokens:
        kind = _kind(token)
        if kind < 0:
            return False
        words += kind
        if words >= RUN:
            return True
    return True


def _kind(token: str) -> int:
    """1 for a word that may be part of a salad, 0 for a bare mark, -1 for what ends a run."""
    word = token.strip(_MARKS)
    if not word:
        return 0
    return 1 if len(word) > 1 and word.isascii() and word.isalpha() and word not in _SMALL else -1


def _beheaded(text: str) -> str:
    tokens = list(_TOKEN.finditer(text))
    kinds = [_kind(token.group()) for token in tokens]
    end = next((i for i, kind in enumerate(kinds) if kind < 0), len(tokens))
    worth = sum(kinds[:end]) >= RUN and len(tokens) - end >= LEFT
    return text[tokens[end].start() :] if worth else text


def _curtailed(text: str) -> str:
    tokens = list(_TOKEN.finditer(text))
    kinds = [_kind(token.group()) for token in tokens]
    begin = next((i + 1 for i in reversed(range(len(tokens))) if kinds[i] < 0), 0)
    # The run may have swallowed the last word of the sentence before it.
    for i in range(begin, len(tokens)):
        if tokens[i].group()[-1] in ".?!":
            if sum(kinds[i + 1 :]) >= RUN:
                begin = i + 1
            break
    worth = sum(kinds[begin:]) >= RUN and begin >= LEFT
    return text[: tokens[begin - 1].end()] if worth else text
