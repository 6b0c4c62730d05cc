"""Hand-made evidence of harmful content: which concepts a stretch speaks of, and which it speaks of together.

What was learned of "group" beside "lower" from one source's groups holds for groups it never named: that is what
n-grams cannot do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from ahocorasick_rs import AhoCorasick

from guardrails.content.concepts import BEYOND_ASCII, CONCEPTS, LOWERED, NEEDS, SHAPES
from guardrails.learned.letters import SPACE, codes, in_word
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HANGUL_FROM: Final = 0x1100


@dataclass(frozen=True, slots=True)
class _Shape:
    """A pattern, with a quick way to tell that it is not there."""

    pattern: re.Pattern[str]
    needs: tuple[str, ...]
    beyond_ascii: bool
    lowered: bool

    @classmethod
    def of(cls, name: str) -> _Shape:
        """The shape of that name."""
        return cls(re.compile(SHAPES[name]), NEEDS.get(name, ()), name in BEYOND_ASCII, name in LOWERED)

    def may_be_in(self, text: str) -> bool:
        """False only if it is not in ``text``."""
        if self.beyond_ascii and text.isascii():
            return False
        if self.needs and not any(need in text for need in self.needs):
            return False
        return self.pattern.search(text.lower() if self.lowered else text) is not None

    def count(self, text: str) -> int:
        """How often it is in ``text``."""
        return sum(1 for _ in self.pattern.finditer(text.lower() if self.lowered else text))


class ContentSignals:
    """``learned.Signals`` of content."""

    def __init__(self) -> None:
        stems = [(_fold(stem), row) for row, words in enumerate(CONCEPTS.values()) for stem in _stems(words)]
        self._finder = AhoCorasick([stem for stem, _ in stems])
        self._row = np.array([row for _, row in stems])
        self._shapes = [_Shape.of(name) for name in SHAPES]
        single = [*CONCEPTS, *SHAPES]
        self.counters = len(single)
        self._pairs = np.array(list(combinations(range(len(CONCEPTS)), 2)))
        pairs = tuple(f"{list(CONCEPTS)[one]}+{list(CONCEPTS)[two]}" for one, two in self._pairs)
        self.names = (*single, *(f"{name} twice" for name in single), *pairs)

    def count(self, text: str, starts: Sequence[int], end: int) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        counts = np.zeros((len(starts), self.counters), dtype=np.int64)
        edges = [start - starts[0] for start in (*starts, end)]
        region = text[starts[0] : end]
        folded = _plain(region)
        pieces = [f" {' '.join(folded[begin:stop].split())} \n" for begin, stop in pairwise(edges)]
        found = self._finder.find_matches_as_indexes("".join(pieces), overlapping=True)
        if found:
            at = np.array(found)
            ends = np.cumsum([len(piece) for piece in pieces])
            np.add.at(counts, (ends.searchsorted(at[:, 1], side="right"), self._row[at[:, 0]]), 1)
        for column, shape in enumerate(self._shapes, len(CONCEPTS)):
            if shape.may_be_in(region):
                for window, (begin, stop) in enumerate(pairwise(edges)):
                    counts[window, column] = shape.count(region[begin:stop])
        return counts

    def features(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        once = (counts > 0).astype(np.int64)
        twice = (counts > 1).astype(np.int64)
        both = once[:, self._pairs[:, 0]] & once[:, self._pairs[:, 1]]
        return np.concatenate([once, twice, both], axis=1)


@lru_cache(maxsize=1)
def content_signals() -> ContentSignals:
    """The one instance; it is immutable."""
    return ContentSignals()


def _plain(text: str) -> str:
    """Letters and digits folded, all else a space; as long as ``text``."""
    letters = codes(text)
    return np.where(in_word(letters), letters, np.uint32(SPACE)).tobytes().decode("utf-32-le", "replace")


def _stems(words: str) -> list[str]:
    return sorted({stem.strip() for stem in words.replace("\n", " ").split("|") if stem.strip()})


def _fold(stem: str) -> str:
    """As the finder reads it: a Latin stem begins a word, a Korean one with ``^`` does; ``$`` ends it."""
    begins, ends = stem.startswith("^"), stem.endswith("$")
    plain = " ".join(_plain(normalize(stem.strip("^$"))[0]).split())
    begins = begins or ord(plain[0]) < _HANGUL_FROM
    return f"{' ' if begins else ''}{plain}{' ' if ends else ''}"
