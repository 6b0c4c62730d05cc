"""What speaks for a sentence, and against it: shares between 0 and 1, by comparing it with what the sources say.

All of it is linear in the texts: sources are indexed once, and each sentence is compared closely with its few best
matches only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from guardrails.grounding.quantities import known
from guardrails.grounding.reading import Sentence, sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: A stem that stands in more sentences than these does not tell which one is meant.
_COMMON: Final = 64
#: How many source sentences are compared closely.
_CLOSE: Final = 4

#: What ``Evidence`` says of a sentence, in the order of the model's weights. ``lack`` counts against, the rest for it.
SUPPORT: Final = (
    "stems", "pairs", "grams", "best_stems", "best_grams", "new_stems",
    "lack_values", "lack_names", "denial", "nothing_shared",
)  # fmt: skip
ANSWERS: Final = ("asked_stems", "asked_grams", "source_link", "kind", "lack_kind", "nothing_shared")


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources, indexed."""

    read: tuple[Sentence, ...]
    stems: frozenset[str]
    names: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    grams: frozenset[str]
    values: frozenset[str]
    where: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Sources:
        """Read the sources."""
        kept = tuple(texts)
        read = tuple(sentence for text in kept for sentence in sentences(text))
        where: defaultdict[str, list[int]] = defaultdict(list)
        for index, sentence in enumerate(read):
            for stem in set(sentence.stems):
                where[stem].append(index)
        return cls(
            read=read,
            stems=frozenset(where),
            names=frozenset().union(*(sentence.names for sentence in read)),
            pairs=frozenset(pair for sentence in read for pair in _pairs(sentence.stems)),
            grams=frozenset().union(*(sentence.grams for sentence in read)),
            values=frozenset().union(*(known(text.lower()) for text in kept)),
            where={stem: tuple(places) for stem, places in where.items() if len(places) <= _COMMON},
        )

    def nearest(self, sentence: Sentence) -> list[Sentence]:
        """The source sentences that share most stems with it, the best first."""
        votes: Counter[int] = Counter()
        for stem in set(sentence.stems):
            votes.update(self.where.get(stem, ()))
        ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:_CLOSE]
        return [self.read[index] for index, _ in ranked]


def support(sentence: Sentence, sources: Sources, asked: frozenset[str]) -> tuple[float, ...]:
    """How well the sources bear ``sentence``: values of ``SUPPORT``.

    Args:
        sentence: of the answer.
        sources: what it should rest on.
        asked: stems of the question, which prove nothing.
    """
    near = sources.nearest(sentence)
    # Of equals, the one that affirms or denies as it does: a doubt speaks for the sentence.
    best = max(near, key=lambda o: (_share(sentence.grams, o.grams), o.denies == sentence.denies), default=None)
    new = [stem for stem in sentence.stems if stem not in asked]
    best_stems = max((_share(set(sentence.stems), set(other.stems)) for other in near), default=0.0)
    values = [value for value in sentence.values if not all(key in sources.values for key in value.keys)]
    names = [name for name in sentence.names if name not in sources.stems and name not in asked]
    pairs = list(_pairs(sentence.stems))
    return (
        _share(sentence.stems, sources.stems),
        _share(pairs, sources.pairs),
        _share(sentence.grams, sources.grams),
        best_stems,
        _share(sentence.grams, best.grams) if best else 0.0,
        _share(new, sources.stems),
        _some(len(values)),
        _some(len(names)),
        float(best is not None and best.denies != sentence.denies) * best_stems,
        float(not near),
    )


def answers(read: Sequence[Sentence], asked: Sequence[Sentence], sources: Sources | None) -> tuple[float, ...]:
    """How well a whole text answers a question: values of ``ANSWERS``."""
    wanted = {stem for sentence in asked for stem in sentence.stems}
    given = {stem for sentence in read for stem in sentence.stems}
    question_grams = frozenset().union(*(sentence.grams for sentence in asked))
    answer_grams = frozenset().union(*(sentence.grams for sentence in read))
    linked = 0.0
    if sources is not None:
        near = {stem for sentence in asked for other in sources.nearest(sentence) for stem in other.stems}
        linked = _share(given - wanted, near)
    asks = _kind(" ".join(sentence.text.lower() for sentence in asked))
    fits = _fits(asks, read)
    shared = bool(wanted & given)
    return (
        _share(wanted, given),
        _share(question_grams, answer_grams),
        linked,
        float(fits is True),
        float(fits is False),
        float(not shared and not linked),
    )


_KINDS: Final = (
    ("number", ("how many", "how much", "how old", "how long", "when ", "what year", "몇", "얼마", "언제")),
    ("name", ("who ", "whose ", "where ", "which country", "which city", "누구", "누가", "어디")),
)


def _kind(question: str) -> str:
    return next((kind for kind, words in _KINDS if any(word in question for word in words)), "")


def _fits(kind: str, read: Sequence[Sentence]) -> bool | None:
    if kind == "number":
        return any(sentence.values for sentence in read)
    if kind == "name":
        return any(sentence.names for sentence in read) or any(sentence.korean for sentence in read) or None
    return None


def _pairs(stems: Sequence[str]) -> Iterable[tuple[str, str]]:
    return pairwise(stems)


def _share(part: Iterable[object], whole: Iterable[object]) -> float:
    items = list(part)
    known_items = whole if isinstance(whole, set | frozenset) else set(whole)
    return sum(item in known_items for item in items) / len(items) if items else 0.0


def _some(count: int) -> float:
    """0, then 3/4, 15/16, ...: one is nearly as bad as many."""
    return 1.0 - 0.25**count
