"""Hand-made evidence of an attack: which concepts a stretch speaks of, and which it speaks of together.

"Ignore" is harmless and "instructions" is harmless; both in one stretch seldom are. The concepts are known in many
languages, so what is learned of their company in one holds in the others.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, combinations, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import re2
from ahocorasick_rs import AhoCorasick

from guardrails.attacks.concepts import CONCEPTS
from guardrails.learned.letters import SPACE, codes, in_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Shapes of markup and code that attacks use, in the text as normalised (RE2).
SHAPES: Final[dict[str, str]] = {
    "turn": r"(?i)<\|?/?(?:im_start|im_end|system|assistant|user|inst|sys|eot|s)\|?>|\[/?(?:INST|SYS|system)\]|<<SYS>>",
    "speaker": (
        r"(?im)(?:^|[\n\"'{(\[#*])\s{0,4}(?:system|assistant|user|human|ai|admin|developer|시스템|사용자|관리자|개발자)\s{0,3}"
        r"(?:message|prompt|note|notice|override|메시지|공지)?\s{0,2}[:\]>]"
    ),
    "fence": r"[-=#*~_]{4}|\"{3}|'{3}|`{3}|\{\{|\}\}",
    "end": (
        r"(?i)\b(?:end|begin|start|stop)(?:ning)? of (?:the )?"
        r"(?:prompt|instruction|document|text|input|context|user|system|message|file)"
    ),
    "blob": (
        r"[A-Za-z0-9+/]{40}|(?:[0-9a-fA-F]{2} ?){24}|"
        r"(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|U\+[0-9A-F]{4} ?|%[0-9A-F]{2}){4}"
    ),
    "spread": r"(?:\b\w[ .\-_*+\\]){6}",
    "shout": r"[A-Z]{2,20}(?:[ ,!]{1,3}[A-Z]{2,20}){3}",
    "slot": r"\[[A-Z_ ]{4,40}\]|\{[a-zA-Z_ ]{2,40}\}|<[A-Z_ ]{4,40}>",
    "comment": r"<!--|/\*|display:\s?none|font-size:\s?0|color:\s?(?:white|#fff)",
}


class AttackSignals:
    """``learned.Signals`` of attacks."""

    def __init__(self) -> None:
        stems = [(_fold(stem), row) for row, words in enumerate(CONCEPTS.values()) for stem in _stems(words)]
        self._finder = AhoCorasick([stem for stem, _ in stems])
        self._row = np.array([row for _, row in stems])
        self._shapes = [_compiled(pattern) for pattern in SHAPES.values()]
        self._any_shape = _compiled("|".join(f"(?:{pattern})" for pattern in SHAPES.values()))
        single = [*CONCEPTS, *SHAPES]
        self._pairs = np.array(list(combinations(range(len(CONCEPTS)), 2)))
        pairs = [f"{list(CONCEPTS)[one]}+{list(CONCEPTS)[two]}" for one, two in self._pairs]
        self._single = len(single)
        self.counters = len(single) + len(pairs)
        self.names = (*single, *pairs, *(f"{name} twice" for name in (*single, *pairs)))

    def count(self, text: str, starts: Sequence[int], end: int) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        windows = len(starts)
        counts = np.zeros((windows, self._single), dtype=np.int64)
        edges = [at - starts[0] for at in (*starts, end)]
        region = text[starts[0] : end]
        folded = _plain(region)
        pieces = [f" {' '.join(folded[begin:stop].split())}\n" for begin, stop in pairwise(edges)]
        found = self._finder.find_matches_as_indexes("".join(pieces), overlapping=True)
        if found:
            at = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=3 * len(found)).reshape(-1, 3)
            ends = np.cumsum([len(piece) for piece in pieces])
            cells = ends.searchsorted(at[:, 1], side="right") * self._single + self._row[at[:, 0]]
            counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)
        # No shape reaches over a null, and each window begins a line.
        apart = "\0\n".join(region[begin:stop] for begin, stop in pairwise(edges))
        if self._any_shape.search(apart) is not None:
            ends = np.asarray(edges[1:]) + 2 * np.arange(1, windows + 1)
            for column, shape in enumerate(self._shapes, len(CONCEPTS)):
                found = [match.start() for match in shape.finditer(apart)]
                if found:
                    counts[:, column] = np.bincount(ends.searchsorted(found, side="right"), minlength=windows)
        once = (counts > 0).astype(np.int64)
        # Together means in one window: in a page somebody speaks of everything somewhere.
        return np.concatenate([counts, once[:, self._pairs[:, 0]] & once[:, self._pairs[:, 1]]], axis=1)

    def features(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """See ``learned.Signals``."""
        return np.concatenate([counts > 0, counts > 1], axis=1).astype(np.int64)


@lru_cache(maxsize=1)
def attack_signals() -> AttackSignals:
    """The one instance; it is immutable."""
    return AttackSignals()


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


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
