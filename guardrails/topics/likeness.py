"""How like a topic a sentence is: by what its words mean, and by the words themselves.

A topic is a few short texts: its definition and its examples. A sentence is held against each of them; the best and
the middle count. How often ordinary prompts are that like it by chance was counted when the topic was
compiled, and is what turns a likeness into a confidence.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from guardrails.topics.words import packaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from guardrails.topics.words import Table

#: Fewer words than this say nothing of a topic.
FEWEST: Final = 2


@dataclass(frozen=True)
class Sense:
    """A sentence, read.

    Attributes:
        words: rare enough to tell something -> how rare.
        size: length of the vector of ``words``.
        meaning: (dimensions), of length 1 or 0.
    """

    words: dict[int, int]
    size: float
    meaning: NDArray[np.float64]


def sense(table: Table, words: Sequence[int]) -> Sense | None:
    """What the words of one sentence say; none where they are too few."""
    kept = {word: weight for word in words if (weight := table.weight(word)) > 0}
    if len(kept) < FEWEST:
        return None
    return Sense(kept, float(np.sqrt(sum(weight * weight for weight in kept.values()))), table.meaning(tuple(kept)))


@dataclass(frozen=True)
class Likeness:
    """A topic's texts, read.

    Attributes:
        meanings: (texts, dimensions); ``middle`` of length 1.
        near: the texts that must not count, though like it: the same arrays.
    """

    texts: tuple[Sense, ...]
    meanings: NDArray[np.float64]
    middle: NDArray[np.float64]
    near: tuple[Sense, ...]
    mix: tuple[float, float, float]

    def of(self, read: Sense) -> float:
        """How like the topic a sentence is; not at all, if it is more like a text that must not count."""
        best, middle, words = self.parts(read)
        score = self.mix[0] * best + self.mix[1] * middle + self.mix[2] * words
        if self.near:
            ours = self.mix[0] * best + self.mix[2] * words
            theirs = max(
                self.mix[0] * float(s.meaning @ read.meaning) + self.mix[2] * _shared(s, read) for s in self.near
            )
            if theirs > ours:
                return -1.0
        return score

    def parts(self, read: Sense) -> tuple[float, float, float]:
        """Likeness to the meaning of the best text, to the middle of all, and in words to the best text."""
        best = max(float(text.meaning @ read.meaning) for text in self.texts)
        return best, float(self.middle @ read.meaning), max(_shared(text, read) for text in self.texts)


def likeness(table: Table, texts: Iterable[str], near: Iterable[str]) -> Likeness:
    """A topic from its name, definition and examples, and from what must not count."""
    read = tuple(made for text in texts if (made := sense(table, table.words(text))) is not None)
    meanings = np.array([each.meaning for each in read]) if read else np.zeros((0, table.vectors.shape[1]))
    middle = meanings.sum(axis=0)
    size = float(np.sqrt((middle * middle).sum()))
    unlike = tuple(made for text in near if (made := sense(table, table.words(text))) is not None)
    return Likeness(read, meanings, middle / size if size else middle, unlike, table.mix)


def _shared(one: Sense, other: Sense) -> float:
    """Cosine of their words, weighed by rarity."""
    few, many = (one, other) if len(one.words) < len(other.words) else (other, one)
    return sum(weight * weight for word, weight in few.words.items() if word in many.words) / (one.size * other.size)


@dataclass(frozen=True, slots=True)
class Chance:
    """How like a topic ordinary prompts are, each by its most like sentence; in rising order."""

    ordinary: tuple[float, ...]

    def rate(self, score: float) -> float:
        """The share of ordinary prompts that reach ``score``; never quite 0."""
        above = len(self.ordinary) - bisect_left(self.ordinary, score)
        return (above + 1) / (len(self.ordinary) + 1)

    def limit(self, rate: float) -> float:
        """The score above which at most a share of ``rate`` of them lies."""
        return self.ordinary[max(0, len(self.ordinary) - 1 - int(rate * len(self.ordinary)))]


@dataclass(frozen=True)
class Ordinary:
    """Sentences of ordinary prompts, side by side.

    Attributes:
        meanings: (sentences, dimensions).
        sizes, owners: (sentences) length in words' weights, and which prompt it is of; in order.
        places: word -> sentences that hold it.
    """

    meanings: NDArray[np.float64]
    sizes: NDArray[np.float64]
    owners: NDArray[np.intp]
    places: dict[int, NDArray[np.intp]]
    prompts: int

    @classmethod
    def of(cls, table: Table) -> Ordinary:
        """Those that the table holds."""
        read = [(owner, made) for owner, prompt in enumerate(table.prompts) for words in prompt
                if (made := sense(table, words)) is not None]  # fmt: skip
        places: dict[int, list[int]] = {}
        for index, (_, each) in enumerate(read):
            for word in each.words:
                places.setdefault(word, []).append(index)
        return cls(
            np.array([each.meaning for _, each in read]),
            np.array([each.size for _, each in read]),
            np.array([owner for owner, _ in read], dtype=np.intp),
            {word: np.array(found, dtype=np.intp) for word, found in places.items()},
            len(table.prompts),
        )

    def chance(self, topic: Likeness) -> Chance:
        """How like ``topic`` they are: what ``Likeness.of`` says, for all at once."""
        scores = self._best(topic.texts, topic.mix) + topic.mix[1] * (self.meanings @ topic.middle)
        if topic.near:
            theirs, mine = self._best(topic.near, topic.mix, together=True), self._best(topic.texts, topic.mix)
            scores = np.where(theirs > mine, -1.0, scores)
        best = np.full(self.prompts, -1.0)
        np.maximum.at(best, self.owners, scores)
        return Chance(tuple(sorted(best.tolist())))

    def _best(self, texts: Sequence[Sense], mix: tuple[float, ...], *, together: bool = False) -> NDArray[np.float64]:
        meant = np.stack([mix[0] * (self.meanings @ text.meaning) for text in texts])
        worded = np.stack([mix[2] * self._shared(text) for text in texts])
        best: NDArray[np.float64] = (meant + worded).max(axis=0) if together else meant.max(axis=0) + worded.max(axis=0)
        return best

    def _shared(self, text: Sense) -> NDArray[np.float64]:
        sums = np.zeros(len(self.sizes))
        for word, weight in text.words.items():
            if word in self.places:
                sums[self.places[word]] += weight * weight
        shares: NDArray[np.float64] = sums / (self.sizes * text.size)
        return shares


@lru_cache(maxsize=1)
def ordinary() -> Ordinary:
    """The packaged ones, read on first use."""
    return Ordinary.of(packaged())
