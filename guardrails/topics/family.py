"""Denied topics as a family: every sentence is held against every topic, and one that is too like is a hit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from guardrails.config import action_of, refuse
from guardrails.learned.windows import LONGEST, cut
from guardrails.matching import LEFT, Hit
from guardrails.normalize import normalize
from guardrails.topics.likeness import Chance, Likeness, likeness, ordinary, sense
from guardrails.topics.words import packaged
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.topics.config import Topic, TopicsConfig
    from guardrails.topics.words import Table

GUARD: Final = "topics"


@dataclass(frozen=True)
class Denied:
    """One topic, compiled.

    Attributes:
        limit: the likeness beyond which a sentence is about it.
    """

    category: str
    likeness: Likeness
    chance: Chance
    limit: float


@dataclass(frozen=True)
class TopicFamily:
    """All topics of one guard; they read the same sentences. See ``matching.Family``."""

    table: Table
    topics: tuple[Denied, ...]
    action: Action
    item: int

    left = LEFT
    hold = LONGEST
    digits = False
    width = 1

    @property
    def actions(self) -> frozenset[Action]:
        """The one of its guard."""
        return frozenset((self.action,))

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``. A sentence is judged by itself, so nothing depends on how the text was cut."""
        starts, live = cut(text, positions[0], last=last)
        positions[0] = live
        hits: list[Hit] = []
        for start, end in pairwise([*starts, live]):
            piece = text[start:end]
            left, right = start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
            hits += self._judge(text[left:right], left, right)
        return hits, live

    def _judge(self, sentence: str, start: int, end: int) -> list[Hit]:
        read = sense(self.table, self.table.words(sentence))
        if read is None:
            return []
        hits = []
        for topic in self.topics:
            score = topic.likeness.of(read)
            if score > topic.limit:
                sure = 1 - topic.chance.rate(score)
                hits.append(Hit(start, end, sure, topic.category, self.action, f"{GUARD}.denied", GUARD, self.item))
        return hits


def compile_topics(config: TopicsConfig, item: int) -> tuple[TopicFamily, ...]:
    """The one family of this guard.

    Raises:
        GuardConfigError: a topic says nothing that could be compared.
    """
    return (TopicFamily(packaged(), compiled(config.topics, config.false_alarms), action_of(config.action), item),)


def compiled(topics: Iterable[Topic], rate: float) -> tuple[Denied, ...]:
    """The topics, each with the limit that a share of ``rate`` of ordinary prompts reaches.

    Raises:
        GuardConfigError: one says nothing that could be compared.
    """
    return tuple(_compiled(topic, place, rate) for place, topic in enumerate(topics))


def _compiled(topic: Topic, place: int, rate: float) -> Denied:
    texts = [normalize(text)[0] for text in (f"{topic.name}. {topic.definition}", *topic.examples)]
    read = likeness(packaged(), texts, [normalize(text)[0] for text in topic.not_examples])
    if not read.texts:
        hint = "describe the topic in a sentence, in the words that people would use"
        refuse(
            [GuardConfigError(("topics", place, "definition"), "this definition says nothing to compare with", hint)]
        )
    by_chance = ordinary().chance(read)
    return Denied("_".join(topic.name.upper().split()), read, by_chance, by_chance.limit(rate))
