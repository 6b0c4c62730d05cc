"""Families that read what is written inside a text in another form, with the families of all guards.

A finding inside a layer spans what it is written in: a mask replaces the whole encoded run, and the reason id names
the form (``secrets.github_token.base64``). Layers lie in layers: two deep are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from guardrails.encodings import (
    BEFORE,
    INLINE_MAX,
    LANES,
    UNSEEN_MAX,
    WINDOW,
    Run,
    inline,
    inline_live,
    may_hold_runs,
    packed,
    packed_spans,
    packed_tail,
    unescaped,
    unseen,
    unseen_live,
)
from guardrails.findings import reads_raw
from guardrails.matching import LEFT, Family, Hit
from guardrails.normalize import normalize
from guardrails.types import Action

DEPTH: Final = 2
_BEHIND: Final = 48  # code points of a stream that are looked at again rather than moving six anchors at every piece
_QUICK: Final = 4096  # code points of a text that grows, from which a look whether it holds any run at all is cheaper
_DIGIT: Final = re.compile("[0-9]")


@dataclass(frozen=True, slots=True)
class Inside:
    """The families of the guards, for texts that are read as wholes."""

    families: tuple[Family, ...]
    reading: tuple[tuple[Family, int, bool], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        reading = tuple((family, family.width, family.digits) for family in self.families)
        object.__setattr__(self, "reading", reading)

    @property
    def actions(self) -> frozenset[Action]:
        """Those of all families."""
        return frozenset().union(*(family.actions for family in self.families))

    def hits(self, run: Run, depth: int = 1) -> Iterator[Hit]:
        """What is found in ``run.said`` and not already in plain sight, as hits on the run."""
        said = normalize(run.said)[0]
        found = list(self._found(said, depth))
        if not found:
            return
        plain = Counter(_key(hit, run.written) for hit in self._found(run.written, DEPTH)) if run.written else Counter()
        for hit in found:
            key = _key(hit, said)
            if plain[key] > 0:
                plain[key] -= 1
                continue
            yield replace(hit, start=run.start, end=run.end, reason=f"{hit.reason}.{run.form}")

    def _found(self, said: str, depth: int) -> Iterator[Hit]:
        without = _DIGIT.search(said) is None
        for family, width, digits in self.reading:
            if not (digits and without):
                yield from family.scan(said, [0] * width, True)[0]
        if depth < DEPTH and may_hold_runs(said):
            for run in runs_of(said):
                yield from self.hits(run, depth + 1)


def runs_of(text: str) -> Iterator[Run]:
    """Every run of a whole text."""
    for start, end in inline(text, 0):
        if (run := _inline_run(text, start, end)) is not None:
            yield run
    if spans := packed_spans(text, 0):
        for lane in LANES:
            yield from packed(text, spans, lane.offset, lane, True)[0]


def _inline_run(text: str, start: int, end: int) -> Run | None:
    """What a word with tokens says; nothing where it says that in plain sight as well (``**bold**``)."""
    written = text[start:end]
    said, form = unescaped(written)
    return None if not said or said in written else Run(start, end, said, form, written)


@dataclass(frozen=True, slots=True)
class LayerFamily:
    """Reads escapes, markup, base64 and hexadecimal. It reads the folded text, as its families do."""

    inside: Inside

    width = 1 + len(LANES)
    digits = False
    hold = max(INLINE_MAX + BEFORE + 128, WINDOW + 16)
    left = LEFT

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its families."""
        return self.inside.actions

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        some = may_hold_runs(text) if last or len(text) > _QUICK else True
        if last and not some:
            return [], len(text)
        hits: list[Hit] = []
        live = min(self._inline(text, positions, last, hits, some), self._packed(text, positions, last, hits, some))
        return hits, live

    def _inline(self, text: str, positions: list[int], last: bool, hits: list[Hit], some: bool) -> int:
        live, until = (len(text), len(text)) if last else inline_live(text)
        for start, end in inline(text, positions[0]) if some else ():
            if not last and end >= until and end - start < INLINE_MAX:
                live = min(live, start)
                break
            positions[0] = end
            if (run := _inline_run(text, start, end)) is not None:
                hits += self.inside.hits(run)
        positions[0] = max(positions[0], live)
        return live

    def _packed(self, text: str, positions: list[int], last: bool, hits: list[Hit], some: bool) -> int:
        size = len(text)
        least = min(positions[1:])
        spans = packed_spans(text, least) if some else []
        if not spans:
            live = size if last else packed_tail(text)
            if live - least < _BEHIND:
                return live  # the anchors may lag: what they pass over later holds nothing either
        anchors = [position + lane.offset for position, lane in zip(positions[1:], LANES, strict=True)]
        if not spans:
            for index, lane in enumerate(LANES):
                if anchors[index] < live:
                    anchors[index] += (live - anchors[index]) // lane.per * lane.per
        else:
            live = size
            for index, lane in enumerate(LANES):
                runs, anchors[index] = packed(text, spans, anchors[index], lane, last)
                live = min(live, size if last else anchors[index])
                for run in runs:
                    hits += self.inside.hits(run)
        positions[1:] = [anchor - lane.offset for anchor, lane in zip(anchors, LANES, strict=True)]
        return live


def _key(hit: Hit, text: str) -> tuple[int, str, str]:
    return hit.item, hit.category, text[hit.start : hit.end]


@dataclass(frozen=True, slots=True)
class UnseenFamily:
    """Reads what is written in tag characters and variation selectors, which the folded text has no more."""

    inside: Inside

    raw = True
    unseen = True
    width = 1
    digits = False
    hold = UNSEEN_MAX
    left = 0

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its families."""
        return self.inside.actions

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        if text.isascii():
            return [], len(text)
        live = len(text) if last else unseen_live(text)
        hits: list[Hit] = []
        for run in unseen(text, max(0, positions[0])):
            if run.start >= live:
                break
            positions[0] = run.end
            hits += self.inside.hits(run)
        positions[0] = max(positions[0], live)
        return hits, live


def layered(families: Iterable[Family]) -> tuple[Family, ...]:
    """The families that read with ``families`` what is written in another form; none for none."""
    inside = Inside(tuple(family for family in families if not reads_raw(family)))
    return (LayerFamily(inside), UnseenFamily(inside)) if inside.families else ()
