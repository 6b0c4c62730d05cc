"""The words every guard speaks: an action, a finding, a verdict.

Knows nothing of HTTP, tiers, policies or money. Offsets are code points in the original text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec


class Action(IntEnum):
    """What a guard does about a finding. The order is the order of strictness: the highest wins."""

    NONE = 0
    DETECT = 1
    MASK = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        """The lower-case word used in YAML, JSON and reports."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a guard saw.

    Attributes:
        guard: name in the catalogue, e.g. ``pii``.
        category: name in the published category table, e.g. ``EMAIL`` or ``KR_RRN``.
        score: confidence, 0..1.
        start, end: half-open span in code points of the original text.
        action: what the configuration says to do about it.
        reason: stable id, e.g. ``pii.email``; a sentence for people is in the catalogue.
    """

    guard: str
    category: str
    score: float
    start: int
    end: int
    action: Action
    reason: str

    @property
    def confidence(self) -> str:
        """LOW, MEDIUM or HIGH, as Bedrock words it: a score below 0.5, below 0.8, or above."""
        return "LOW" if self.score < 0.5 else "MEDIUM" if self.score < 0.8 else "HIGH"

    def as_dict(self) -> dict[str, object]:
        """The public JSON shape. It never holds the text that was found."""
        return {
            "guard": self.guard,
            "category": self.category,
            "score": self.score,
            "start": self.start,
            "end": self.end,
            "reason": self.reason,
        }


class Verdict(msgspec.Struct, frozen=True):
    """What the rails say about one text. A Struct because one is made for every text that is read.

    Attributes:
        action: the strictest action of all findings.
        text: the text with masks applied (the original where nothing is masked).
        findings: all of them, in order of their start.
        checked: code points that the rails read; with ``len(text)`` it gives the coverage.
    """

    action: Action
    text: str
    findings: tuple[Finding, ...]
    checked: int


class GuardConfigError(ValueError):
    """A guard's configuration is wrong.

    Attributes:
        path: where, as keys and indices below the list of guards, e.g. ``(0, "pii", "entities", 2)``.
        message: what is wrong.
        hint: how to mend it.
    """

    def __init__(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint


class GuardConfigErrors(GuardConfigError):
    """Every mistake of a list of guards at once; its own path and message are those of the first.

    Attributes:
        errors: the single mistakes, in the order of the list.
    """

    def __init__(self, errors: tuple[GuardConfigError, ...]) -> None:
        first = errors[0]
        super().__init__(first.path, first.message, first.hint)
        self.errors = errors
