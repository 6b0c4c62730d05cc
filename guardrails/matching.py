r"""How recognisers read a text that may still be growing. The laws of streaming live here.

A *family* is a few recognisers that share a gate and a tail. It is asked to ``scan`` a text from where
each recogniser stopped last time, and answers with

* the hits that no further text can change, and
* ``live``: the first offset at which a hit could still begin, be completed or be changed.

Three laws make "in pieces" equal to "as a whole", whatever the cuts:

1. A recogniser's opinion at offset ``a`` depends on at most ``left`` characters before ``a``, and on text
   to the right only through characters of its family's alphabet.
2. A candidate that begins before ``live`` is final. One that reaches the end of the text consists of the
   alphabet only, so ``live`` is at or before its start.
3. After a candidate a recogniser goes on at the candidate's end, accepted or not.

Whole texts are scanned by the same code with ``last=True``: there is only one implementation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from guardrails.types import Action

# Code points to the left that an opinion may depend on: context words, look-behinds.
LEFT = 64


@dataclass(frozen=True, slots=True)
class Hit:
    """A finding before its offsets are led back to the original text.

    Attributes:
        item: index of the guard in its list; hits of one item compete with each other only.
        late: in a stream, its text may have left already.
    """

    start: int
    end: int
    score: float
    category: str
    action: Action
    reason: str
    guard: str
    item: int
    late: bool = False


class Family(Protocol):
    """Recognisers that are scanned together."""

    @property
    def width(self) -> int:
        """How many positions ``scan`` keeps."""

    @property
    def actions(self) -> frozenset[Action]:
        """What its hits may ask for; all of them enforce (mask, block) or none does."""

    @property
    def hold(self) -> int:
        """The longest tail, in code points, that can be live."""

    @property
    def left(self) -> int:
        """How far to the left of a position an opinion may look."""

    @property
    def digits(self) -> bool:
        """Whether every hit holds a digit, so that a text without one need not be scanned."""

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """Final hits at or after ``positions`` (which move on), and ``live``."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that looks like a value, with the text around it."""

    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What was matched."""
        return self.text[self.start : self.end]

    def after(self, words: re.Pattern[str], reach: int = 48) -> bool:
        """Whether one of ``words`` stands at most ``reach`` code points before the value."""
        return words.search(self.text, max(0, self.start - reach), self.start) is not None


# Text and offset -> falsy when no candidate begins at or after the offset; cheap.
Gate = Callable[[str, int], object]
Find = Callable[[str, int], Iterator[tuple[int, int]]]
Judge = Callable[[Candidate], float]


@dataclass(frozen=True, slots=True)
class Rule:
    """One recogniser.

    Attributes:
        category: what it recognises.
        find: candidate spans from an offset on, in order, without overlaps.
        judge: candidate -> score 0..1; 0 means it is not one.
        limit: a candidate this long has outgrown what the rule declares: if the rule enforces, it blocks.
    """

    category: str
    find: Find
    judge: Judge
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ByPattern:
    """Candidates are the matches of a pattern."""

    pattern: re.Pattern[str]

    def __call__(self, text: str, start: int) -> Iterator[tuple[int, int]]:
        """See ``Find``."""
        return (match.span() for match in self.pattern.finditer(text, start))


def by_pattern(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> ByPattern:
    """Candidates are the matches of ``pattern`` (bounded, free of nested repeats; ASCII classes)."""
    return ByPattern(re.compile(pattern, flags | re.ASCII))


@dataclass(frozen=True, slots=True)
class Kind:
    """What the rules of one family share.

    Attributes:
        name: for the reader and for grouping.
        gate: falsy when ``text`` holds no candidate of any rule from the offset on; cheap.
        live: law 2 of this module, for a text that may grow.
        hold: the longest tail that ``live`` leaves.
        digits: whether the gate opens only where there is a digit (0-9).
        starts: where a candidate of any rule can begin, from an offset on. With it the rules (all of them
            ``by_pattern``) are matched there only, so a text is searched once and not once for each rule.
    """

    name: str
    gate: Gate
    live: Callable[[str], int]
    hold: int
    digits: bool = False
    starts: Callable[[str, int], Iterator[int]] | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule with what the configuration says about its hits."""

    rule: Rule
    category: str
    action: Action
    allow: frozenset[str]


@dataclass(frozen=True, slots=True)
class RuleFamily:
    """Rules of one kind within one guard."""

    kind: Kind
    bound: tuple[Bound, ...]
    guard: str
    item: int

    left = LEFT

    @property
    def width(self) -> int:
        """The family's own position, then one for each rule that is ahead of it."""
        return 1 + len(self.bound)

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its rules."""
        return frozenset(bound.action for bound in self.bound)

    @property
    def hold(self) -> int:
        """As the kind declares."""
        return self.kind.hold

    @property
    def digits(self) -> bool:
        """As the kind declares."""
        return self.kind.digits

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``Family``."""
        live = len(text) if last else self.kind.live(text)
        start = positions[0]
        hits: list[Hit] = []
        if not self.kind.gate(text, start):
            pass
        elif self.kind.starts is not None:
            self._scan_starts(self.kind.starts(text, start), text, positions, live, hits)
        else:
            for index, bound in enumerate(self.bound, 1):
                positions[index] = self._scan_one(bound, text, max(start, positions[index]), live, hits)
        positions[0] = max(start, live)
        return hits, live

    def _scan_one(self, bound: Bound, text: str, start: int, live: int, hits: list[Hit]) -> int:
        rule = bound.rule
        for begin, end in rule.find(text, start):
            if begin >= live:
                break
            start = end
            self._judge(bound, Candidate(text, begin, end), hits)
        return start

    def _scan_starts(self, starts: Iterator[int], text: str, positions: list[int], live: int, hits: list[Hit]) -> None:
        matchers = [(index, bound, _at(bound.rule)) for index, bound in enumerate(self.bound, 1)]
        for begin in starts:
            if begin >= live:
                break
            for index, bound, match in matchers:
                if positions[index] <= begin and (found := match(text, begin)):
                    positions[index] = found.end()
                    self._judge(bound, Candidate(text, begin, found.end()), hits)

    def _judge(self, bound: Bound, candidate: Candidate, hits: list[Hit]) -> None:
        rule = bound.rule
        score = rule.judge(candidate)
        if score <= 0 or candidate.value in bound.allow:
            return
        span = candidate.start, candidate.end
        overlong = rule.limit is not None and span[1] - span[0] >= rule.limit
        hits.append(
            make_hit(span, score, bound.category, bound.action, guard=self.guard, item=self.item, overlong=overlong)
        )


def _at(rule: Rule) -> Callable[[str, int], re.Match[str] | None]:
    if not isinstance(rule.find, ByPattern):
        raise TypeError(f"the rule for {rule.category} is matched at starts and needs a pattern")
    return rule.find.pattern.match


def starts_by(pattern: str) -> Callable[[str, int], Iterator[int]]:
    """Starts are where ``pattern`` matches; it should begin with a literal or a class, which is searched fast."""
    finditer = re.compile(pattern, re.ASCII).finditer

    def starts(text: str, start: int) -> Iterator[int]:
        return (match.start() for match in finditer(text, start))

    return starts


def gate_by(pattern: str) -> Gate:
    """A gate: whether ``pattern`` occurs at or after the offset."""
    return re.compile(pattern, re.ASCII).search


def live_by(begun: str, limit: int) -> Callable[[str], int]:
    """A tail: the leftmost suffix, at most ``limit`` long, that matches ``begun``."""
    search = re.compile(f"(?:{begun})\\Z", re.ASCII).search

    def live(text: str) -> int:
        found = search(text, max(0, len(text) - limit))
        return found.start() if found else len(text)

    return live


def make_hit(
    span: tuple[int, int],
    score: float,
    category: str,
    action: Action,
    *,
    guard: str,
    item: int,
    overlong: bool = False,
) -> Hit:
    """A hit with its reason id; one that outgrew its declared length blocks where it would have masked."""
    reason = f"{guard}.{category.lower()}"
    if overlong:
        reason += ".overlong"
        if action >= Action.MASK:
            action = Action.BLOCK
    return Hit(*span, score, category, action, reason, guard, item)


def run_start(text: str, alphabet: str, limit: int) -> int:
    """Where the run of ``alphabet`` at the end of ``text`` begins, at most ``limit`` before the end."""
    size = len(text)
    window = text[-limit:] if size > limit else text
    return size - len(window) + len(window.rstrip(alphabet))
