r"""Values that only the words before them tell: ``PIN is 4711``, ``비밀번호는 hunter2!``, ``exp 03/29``.

A *cue* is a word, a connection (``is``, ``:``, ``는``) and then the value, with nothing between. Cues are found in
one pass over the text, whatever their number, so a text without them costs one look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from ahocorasick_rs import AhoCorasick

from guardrails.matching import LEFT, Candidate, Hit, make_hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.types import Action


@dataclass(frozen=True, slots=True)
class Cue:
    """One kind of value and the words that announce it.

    Attributes:
        category: what the value is.
        literals: lower-case; one of them stands where ``said`` begins.
        said: from the literal up to the value; shorter than ``LEFT``, less one.
        value: matched where ``said`` ends; a group of the name ``value`` narrows it.
        begun: what a value that may still grow looks like, up to the end of the text.
        limit: no value is longer, with all that is looked at behind it.
        judge: the value -> score; 0 means it is none.
    """

    category: str
    literals: tuple[str, ...]
    said: re.Pattern[str]
    value: re.Pattern[str]
    begun: re.Pattern[str]
    limit: int
    judge: Callable[[Candidate], float]

    def live(self, text: str, begin: int) -> bool:
        """Whether the value at ``begin`` could still grow or change."""
        return len(text) - begin <= self.limit and self.begun.fullmatch(text, begin) is not None


@dataclass(frozen=True, slots=True)
class SpokenFamily:
    """All cues that share one fate (enforced or only reported)."""

    cues: tuple[tuple[tuple[Cue, Action], ...], ...]  # by index of the literal
    literals: AhoCorasick
    actions: frozenset[Action]
    allow: frozenset[str]
    hold: int
    item: int

    width = 1
    digits = False
    left = LEFT

    @classmethod
    def of(cls, chosen: list[tuple[Cue, Action]], allow: frozenset[str], item: int) -> SpokenFamily:
        """The family of these cues."""
        by_literal: dict[str, list[tuple[Cue, Action]]] = {}
        for cue, action in chosen:
            for literal in cue.literals:
                by_literal.setdefault(literal, []).append((cue, action))
        return cls(
            cues=tuple(tuple(pairs) for pairs in by_literal.values()),
            literals=AhoCorasick(list(by_literal)),
            actions=frozenset(action for _, action in chosen),
            allow=allow,
            hold=max(cue.limit for cue, _ in chosen),
            item=item,
        )

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        start = positions[0]
        places = self._values(text, start)
        live = len(text)
        if not last:
            live = min((begin for begin, cue, _ in places if begin < live and cue.live(text, begin)), default=live)
        hits = [hit for begin, cue, action in places if begin < live and (hit := self._read(text, begin, cue, action))]
        positions[0] = max(start, live)
        return hits, live

    def _values(self, text: str, start: int) -> list[tuple[int, Cue, Action]]:
        """Where a value is announced, from ``start`` on; once, however many literals say so."""
        begin = max(0, start - LEFT + 1)
        found = self.literals.find_matches_as_indexes(_lower(text[begin:] if begin else text), overlapping=True)
        places: dict[tuple[int, str], tuple[int, Cue, Action]] = {}
        for index, offset, _ in found:
            for cue, action in self.cues[index]:
                said = cue.said.match(text, begin + offset)
                if said and said.end() >= start:
                    places[said.end(), cue.category] = said.end(), cue, action
        return sorted(places.values(), key=itemgetter(0))

    def _read(self, text: str, begin: int, cue: Cue, action: Action) -> Hit | None:
        match = cue.value.match(text, begin)
        if match is None:
            return None
        span = match.span("value") if "value" in cue.value.groupindex else match.span()
        candidate = Candidate(text, *span)
        score = cue.judge(candidate)
        if score <= 0 or candidate.value in self.allow:
            return None
        return make_hit(span, score, cue.category, action, guard="pii", item=self.item)


def _lower(text: str) -> str:
    """In lower case, every character in its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)
