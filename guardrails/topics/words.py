"""Words as short vectors: what makes *shares* and *stocks*, *mortgage* and *대출* neighbours.

The table is packaged (``guardrails/models/topics``): for the hash of a word its vector and its rarity. It was taken
once from a sentence encoder; Korean stems have the vectors of what they mean in English. Beside it lie the hashed words
of ordinary prompts, which tell how far a topic's likeness reaches by chance.

All sums are of integers, so what is made of a text does not depend on what is read beside it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from guardrails.grounding.reading import stem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_TOKEN: Final = re.compile(r"[가-힣]+|[^\W가-힣_]{2,24}")
_HANGUL: Final = re.compile(r"[가-힣]")
#: Rarity of a word that the table does not know, in its units.
UNKNOWN: Final = 100
_SHORTEST_PIECE: Final = 2


def hash_of(word: str) -> int:
    """A word's place in the table."""
    return crc32(word.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Table:
    """The packaged words, and what ordinary prompts are made of.

    Attributes:
        index: hash of a word -> its row.
        vectors: (words, dimensions) int8.
        rarity: (words) 0..255; 0 for words that say nothing of a topic.
        prompts: ordinary prompts: of each its sentences, of each its words' hashes.
        mean, turn: what to take from a unit vector, and the matrix that then makes all directions equally usual.
        mix: what the likeness of meanings, of the middle, and of words weighs.
    """

    index: dict[int, int]
    vectors: NDArray[np.int64]
    rarity: NDArray[np.int64]
    prompts: tuple[tuple[tuple[int, ...], ...], ...]
    mean: NDArray[np.float64]
    turn: NDArray[np.float64]
    mix: tuple[float, float, float]

    def words(self, text: str) -> tuple[int, ...]:
        """The distinct words of a text, hashed, each in the form that the table knows if it knows one."""
        return tuple(dict.fromkeys(found for word in _TOKEN.findall(text.lower()) for found in self._forms(word)))

    def _forms(self, word: str) -> Iterator[int]:
        whole = hash_of(word)
        if whole in self.index:
            yield whole
            return
        bare = stem(word)
        key = hash_of(bare)
        if key in self.index or not _HANGUL.match(word):
            yield key
            return
        # A Korean compound: its longest known pieces from the left, else the stem as it is.
        pieces = list(self._pieces(bare))
        yield from pieces or [key]

    def _pieces(self, word: str) -> Iterator[int]:
        start = 0
        while start < len(word) - 1:
            for end in range(min(len(word), start + 8), start + _SHORTEST_PIECE - 1, -1):
                key = hash_of(word[start:end])
                if key in self.index:
                    yield key
                    start = end - 1
                    break
            start += 1

    def weight(self, word: int) -> int:
        """How rare a word is."""
        row = self.index.get(word)
        return UNKNOWN if row is None else int(self.rarity[row])

    def meaning(self, words: Sequence[int]) -> NDArray[np.float64]:
        """(dimensions) of what the words mean together, of length 1, or 0 where none is known."""
        rows = [row for word in words if (row := self.index.get(word)) is not None]
        total = (self.rarity[rows] @ self.vectors[rows]).astype(np.float64)
        turned = self.turn @ (_unit(total) - self.mean) if total.any() else total
        return _unit(turned)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    size = float(np.sqrt((vector * vector).sum()))
    return vector / size if size else vector


def from_bytes(raw: bytes) -> Table:
    """A table from the bytes of its ``weights.npz``.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    hashes, vectors = arrays["hashes"], arrays["vectors"].astype(np.int64)
    if len(hashes) != len(vectors) or arrays["turn"].shape != (vectors.shape[1],) * 2:
        raise ValueError("the words of 'topics' do not fit this version: train them again")
    return Table(
        index={key: row for row, key in enumerate(hashes.tolist())},
        vectors=vectors,
        rarity=arrays["rarity"].astype(np.int64),
        prompts=_prompts(arrays["prompt_words"].tolist(), arrays["prompt_ends"].tolist(), arrays["prompt_of"].tolist()),
        mean=arrays["mean"].astype(np.float64),
        turn=arrays["turn"].astype(np.float64),
        mix=tuple(arrays["mix"].astype(np.float64).tolist()),
    )


def _prompts(words: list[int], ends: list[int], owners: list[int]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    prompts: dict[int, list[tuple[int, ...]]] = {}
    start = 0
    for end, owner in zip(ends, owners, strict=True):
        prompts.setdefault(owner, []).append(tuple(words[start:end]))
        start = end
    return tuple(tuple(sentences) for sentences in prompts.values())


@lru_cache(maxsize=1)
def packaged() -> Table:
    """The table that comes with the package, loaded on first use."""
    return from_bytes((files("guardrails") / "models" / "topics" / "weights.npz").read_bytes())
