"""Hand-made evidence of an attack: which concepts a stretch speaks of, and which it speaks of together.

"Ignore" is harmless and "instructions" is harmless; both in one stretch seldom are. The concepts are known in many
languages, so what is learned of their company in one holds in the others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
from ahocorasick_rs import AhoCorasick

from guardrails.attacks.concepts import CONCEPTS
from guardrails.learned.letters import SPACE, codes, in_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Shapes of markup and code that attacks use, in the text as normalised. Bounded, free of nested repeats.
SHAPES: Final[dict[str, str]] = {
    "turn": r"(?i)<\|?/?(?:im_start|im_end|system|assistant|user|inst|sys|eot|s)\|?>|\[/?(?:INST|SYS|system)\]|<<SYS>>",
    "speaker": r"(?im)(?:^|[\n\"'{(\[#*])\s{0,4}(?:system|assistant|user|human|ai|admin|시스템|사용자|관리자)\s{0,3}(?:message|prompt|note|override|메시지)?\s{0,2}[:\]>]",
    "fence": r"(?:[-=#*~_]{4,40}|\"{3}|'{3}|`{3}|\{\{|\}\})",
    "end": r"(?i)\b(?:end|begin|start|stop)(?:ning)? of (?:the )?(?:prompt|instruction|document|text|input|context|user|system|message)",
    "blob": r"[A-Za-z0-9+/]{40,}={0,2}|(?:[0-9a-fA-F]{2} ?){24,64}|(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|U\+[0-9A-F]{4} ?|%[0-9A-F]{2}){4,64}",
    "spread": r"(?:\b\w[ .\-_*]){6,64}",
    "shout": r"[A-Z]{2,20}(?:[ ,!]{1,3}[A-Z]{2,20}){3,20}",
    "slot": r"\[(?:[A-Z_ ]{4,40})\]|\{[a-zA-Z_ ]{2,40}\}|<[A-Z_ ]{4,40}>",
    "comment": r"<!--|/\*|display:\s?none|font-size:\s?0|color:\s?(?:white|#fff)",
    "question": r"[?？]",
}
_RUN: Final = re.compile(r" {2,}")


class AttackSignals:
    """``learned.Signals`` of attacks."""

    def __init__(self) -> None:
        stems = [(_fold(stem), row) for row, words in enumerate(CONCEPTS.values()) for stem in _stems(words)]
        self._finder = AhoCorasick([stem for stem, _ in stems])
        self._row = np.array([row for _, row in stems])
        self._shapes = [re.compile(pattern) for pattern in SHAPES.values()]
        single = [*CONCEPTS, *SHAPES]
        self.counters = len(single)
        self._pairs = np.array(list(combinations(range(len(CONCEPTS)), 2)))
        pairs = tuple(f"{list(CONCEPTS)[one]}+{list(CONCEPTS)[two]}" for one, two in self._pairs)
        self.names = (*single, *(f"{name} twice" for name in single), *pairs)

    def count(self, text: str, starts: Sequence[int], end: int) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        counts = np.zeros((len(starts), self.counters), dtype=np.int64)
        edges = np.asarray([*starts, end]) - starts[0]
        region = text[starts[0] : end]
        folded = _plain(region)
        pieces = [f" {' '.join(folded[begin:stop].split())}\n" for begin, stop in zip(edges, edges[1:], strict=False)]
        found = self._finder.find_matches_as_indexes("".join(pieces), overlapping=True)
        if found:
            at = np.array(found)
            ends = np.cumsum([len(piece) for piece in pieces])
            np.add.at(counts, (ends.searchsorted(at[:, 1], side="right"), self._row[at[:, 0]]), 1)
        for column, shape in enumerate(self._shapes, len(CONCEPTS)):
            if shape.search(region) is not None:
                for window, (begin, stop) in enumerate(zip(edges, edges[1:], strict=False)):
                    counts[window, column] = sum(1 for _ in shape.finditer(region[begin:stop]))
        return counts

    def features(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        once = (counts > 0).astype(np.int64)
        twice = (counts > 1).astype(np.int64)
        both = once[:, self._pairs[:, 0]] & once[:, self._pairs[:, 1]]
        return np.concatenate([once, twice, both], axis=1)


@lru_cache(maxsize=1)
def attack_signals() -> AttackSignals:
    """The one instance; it is immutable."""
    return AttackSignals()


def _plain(text: str) -> str:
    """Letters and digits folded, all else a space; as long as ``text``."""
    letters = codes(text)
    return np.where(in_word(letters), letters, np.uint32(SPACE)).tobytes().decode("utf-32-le", "replace")


def _stems(words: str) -> list[str]:
    return sorted({" ".join(stem.split()) for stem in words.split("|") if stem.strip()})


def _fold(stem: str) -> str:
    """As ``_plain`` reads it; in scripts with gaps a stem begins a word."""
    plain = " ".join(_plain(stem).split())
    return plain if ord(plain[0]) >= 0x0E00 else f" {plain}"
