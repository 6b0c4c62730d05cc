"""How a tier failed on a prompt, and which of its answers is one to learn from. Pure.

Where a cascade turned an answer of the tier down, it was ``escalated`` if a better one came and ``turned_down`` if none
did. An answer of the tier that was served and scored below one half was ``disliked`` by a person, ``judged`` by anybody
else. What is learned from is an answer of another tier that nobody disliked; else the row waits for a teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from evals.distill.example import Failure

GOOD: Final = 0.5  # the least mean score of an answer that is not bad
PERSON: Final = "person"


class Told(NamedTuple):
    """What is made of a request's answers: ``answer`` to learn from, ``rejected`` to avoid, both may be missing."""

    answer: str | None
    rejected: str | None
    failure: Failure | None


class Turned(NamedTuple):
    """An answer that checks turned down. ``text`` is None where nobody kept it, or not its end."""

    tier: str
    text: str | None
    kept: bool


def told(
    tier: str, served: str, answer: str, turned: Sequence[Turned] = (), feedback: Sequence[Mapping[str, Any]] = ()
) -> Told:
    """What is made of one request.

    Args:
        tier: the one that is to be improved.
        served: the tier whose answer the caller got.
        answer: that answer.
        turned: the answers before it.
        feedback: rows of the ledger: ``who`` and ``score``.
    """
    mine = [each for each in turned if each.tier == tier]
    bad = _mean(feedback) < GOOD
    if served != tier:
        texts = [each.text for each in mine if each.text]
        return Told(None if bad else answer or None, texts[0] if texts else None, "escalated" if mine else None)
    if any(each.kept for each in mine):
        return Told(None, answer or None, "turned_down")
    if not bad:
        return Told(None, None, None)
    by_person = any(each["who"] == PERSON and each["score"] < GOOD for each in feedback)
    return Told(None, answer or None, "disliked" if by_person else "judged")


def _mean(feedback: Sequence[Mapping[str, Any]]) -> float:
    scores = [float(each["score"]) for each in feedback]
    return sum(scores) / len(scores) if scores else 1.0
