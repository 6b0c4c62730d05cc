"""The ``content`` guard: what a text is about, or does to someone, in the categories of Bedrock's content filters.

A learned rail: it judges sentences and the stretches that end with them, in English and Korean, with weights that
``python -m evals.rails content`` fits. Insults are told by one head for each language, the rest by one for both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from guardrails.config import Strict, action_of, refuse, suggest
from guardrails.content.signals import content_signals
from guardrails.learned import Head, HeadsReader, LearnedFamily, load, logit
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from guardrails.learned import Bank
    from guardrails.matching import Family

Strength = Literal["none", "low", "medium", "high"]
Confidence = Literal["NONE", "LOW", "MEDIUM", "HIGH"]
#: What a hit of this guard may do: its span is a sentence, so there is nothing to mask in place of a value.
ContentAction = Literal["detect", "block"]

CATEGORIES: Final = ("SEXUAL", "VIOLENCE", "HATE", "INSULTS", "MISCONDUCT")
#: Head of the bank -> category.
HEADS: Final[dict[str, str]] = {
    "sexual": "SEXUAL",
    "violence": "VIOLENCE",
    "hate": "HATE",
    "insults-en": "INSULTS",
    "insults-ko": "INSULTS",
    "misconduct": "MISCONDUCT",
}
#: What a finding of a category means, for people.
SENTENCES: Final[dict[str, str]] = {
    "SEXUAL": "This text is sexual.",
    "VIOLENCE": "This text threatens or relishes violence.",
    "HATE": "This text attacks people for what they are.",
    "INSULTS": "This text insults someone.",
    "MISCONDUCT": "This text asks for help to commit a crime or to harm or cheat someone.",
}
#: Score from which on a finding has a confidence. Every head is scaled so that these mean the same in all.
CONFIDENCES: Final[tuple[tuple[float, Confidence], ...]] = ((0.9, "HIGH"), (0.75, "MEDIUM"), (0.5, "LOW"))
#: The score that a filter of some strength acts on: a weak one acts on sure findings only.
FLOORS: Final[dict[str, float]] = {"low": 0.9, "medium": 0.75, "high": 0.5}


class ContentConfig(Strict):
    """Which categories to look for, how hard, and what to do about them.

    Attributes:
        strength: of every category that ``filters`` does not name.
        filters: category -> strength; ``none`` is not evaluated.
        action: what to do about a finding.
        actions: category -> action, where it differs.
    """

    strength: Strength = "medium"
    filters: Annotated[dict[str, Strength], Field(default_factory=dict)]
    action: ContentAction = "block"
    actions: Annotated[dict[str, ContentAction], Field(default_factory=dict)]


def confidence(score: float) -> Confidence:
    """A finding's score in Bedrock's words."""
    return next((name for floor, name in CONFIDENCES if score >= floor), "NONE")


def compile_content(config: ContentConfig, item: int) -> tuple[Family, ...]:
    """One family for the categories that enforce, one for those that only watch.

    Raises:
        GuardConfigErrors: a category is not known.
    """
    refuse([*_unknown("filters", config.filters), *_unknown("actions", config.actions)])
    bank = content_bank()
    heads: dict[Action, list[Head]] = {}
    for index, name in enumerate(bank.heads):
        category = HEADS[name]
        strength = config.filters.get(category, config.strength)
        if strength != "none":
            action = action_of(config.actions.get(category, config.action))
            heads.setdefault(action, []).append(Head(index, logit(FLOORS[strength]), category, action))
    return tuple(LearnedFamily((HeadsReader(bank, tuple(same), "content", item),)) for _, same in sorted(heads.items()))


@lru_cache(maxsize=1)
def content_bank() -> Bank:
    """The packaged weights, read on first use."""
    return load("content", content_signals())


def _unknown(key: str, said: Mapping[str, object]) -> Iterable[GuardConfigError]:
    for name in said:
        if name not in CATEGORIES:
            yield GuardConfigError((key, name), f"unknown category {name!r}", suggest(name, CATEGORIES))
