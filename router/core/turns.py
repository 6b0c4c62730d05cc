"""From what a conversation shows to what its present turn needs: a score, and whether it must go up or may go low.

The scorer reads one text. For a turn that continues an earlier request it reads that request, too, and
the two opinions are joined in logits, tier by tier:

    logit P = w · logit P(open request) + (1 - w) · logit P(last ask),   w = KEPT ** (follow_ups - 1)

so "commit it" counts as the request it finishes, and less so the further away that lies. An ask that has
words of its own may be *harder* than what it continues; then it counts by itself. Harder means: better
tiers add more to it.

Trouble is evidence that the text could not give. A failing tool makes the request harder by ``PUSH``
logits on the lowest tier, half of it on the next, none on the best (a failure says more about the model
that caused it than about a better one). Going in circles raises the turn by a tier, whatever the score.
These sizes are set by judgement; docs/conversations.md says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from router.core.conversation import Conversation, read_conversation
from router.core.wire import ChatRequest
from router.types import Reason, Score

KEPT = 0.85  # of an open request's weight, per further follow-up
PUSH = 0.4  # logits per failure in a row, at most MOST_PUSHES of them
MOST_PUSHES = 3
STUCK = 3  # the same call, or failures, in a row: one tier up
VERY_STUCK = 6  # two tiers up
COMPLAINED = "The user says that the answer before did not do."
TOOL_FAILED = "A tool has just failed."
_EDGE = 1e-6


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the present turn needs. Holds no text.

    Attributes:
        score: the scorer's opinion of the turn as a whole; None where there is no scorer.
        up: tiers to go above what the score chooses.
        low: whether it is an errand that the lowest tier does well.
        inside: whether a model is in the middle of work with tools.
        notes: why the score is not that of the last ask alone.
        why: why it goes up or low.
    """

    score: Score | None
    up: int = 0
    low: bool = False
    inside: bool = False
    notes: tuple[Reason, ...] = ()
    why: Reason | None = None


def turn_of(request: ChatRequest, score: Callable[[str], Score | None]) -> Turn:
    """Read a request's conversation and weigh its present turn. ``score`` judges one text."""
    return weigh(read_conversation(request), score)


def weigh(talk: Conversation, score: Callable[[str], Score | None]) -> Turn:
    """Combine what a conversation shows with what the scorer says of its texts."""
    notes: list[Reason] = []
    if talk.errand:
        words = f"An errand that the smallest tier does well ({talk.errand})."
        return Turn(score=score(talk.ask), low=True, inside=talk.inside, why=Reason(id="errand", text=words))
    said = _heard(talk, score, notes)
    troubles = min(talk.failures + talk.complaint, MOST_PUSHES)
    if troubles and said is not None:
        said = harder_by(said, PUSH * troubles)
        words = COMPLAINED if talk.complaint else TOOL_FAILED
        notes.append(Reason(id="turn-trouble", text=f"{words} The turn counts as harder than its text."))
    up, why = _up(talk)
    return Turn(score=said, up=up, inside=talk.inside, notes=tuple(notes), why=why)


def _heard(talk: Conversation, score: Callable[[str], Score | None], notes: list[Reason]) -> Score | None:
    if not talk.follow_ups:
        return score(talk.ask)
    weight = KEPT ** (talk.follow_ups - 1)
    opened = score(talk.open_ask)
    own = opened if talk.bare and talk.follow_ups == 1 else opened and score(talk.ask)
    if own is None or opened is None:
        return None
    if not talk.bare and gain(own) > gain(opened):
        return own
    words = f"The ask continues one made {talk.follow_ups} asks before, which counts with {weight:.2f}."
    if talk.follow_ups == 1:
        words = "The ask continues the one before and counts as hard as that."
    notes.append(Reason(id="turn-continues", text=words))
    return join(opened, own, weight)


def _up(talk: Conversation) -> tuple[int, Reason | None]:
    circles = max(talk.repeats, talk.failures)
    if circles < STUCK:
        return 0, None
    up = 2 if circles >= VERY_STUCK else 1
    what = "The same tool call was made" if talk.repeats >= talk.failures else "Tools have failed"
    tiers = "one tier" if up == 1 else "two tiers"
    return up, Reason(id="turn-stuck", text=f"{what} {circles} times in a row: {tiers} up.")


def gain(score: Score) -> float:
    """How much the better tiers add: the best chance less the lowest tier's."""
    chances = list(score.p_right.values())
    return max(chances) - chances[0] if chances else 0.0


def join(one: Score, other: Score, weight: float) -> Score:
    """``weight`` of one opinion and the rest of another, in logits of the chances and logs of the tokens."""
    if weight >= 1:
        return one
    rest = 1 - weight
    p = {
        tier: _chance(weight * _logit(chance) + rest * _logit(other.p_right[tier]))
        for tier, chance in one.p_right.items()
        if tier in other.p_right
    }
    tokens = {
        tier: math.exp(weight * math.log(max(count, 1)) + rest * math.log(max(other.output_tokens[tier], 1)))
        for tier, count in one.output_tokens.items()
        if tier in other.output_tokens
    }
    return msgspec.structs.replace(
        one,
        p_right=p,
        output_tokens=tokens,
        complexity=weight * one.complexity + rest * other.complexity,
        novelty=weight * one.novelty + rest * other.novelty,
    )


def harder_by(score: Score, logits: float) -> Score:
    """The lowest tier's chance less by ``logits``, the best tier's unchanged, those between in even steps."""
    tiers = list(score.p_right)
    steps = max(1, len(tiers) - 1)
    p = {
        tier: _chance(_logit(chance) - logits * (steps - place) / steps)
        for place, (tier, chance) in enumerate(score.p_right.items())
    }
    if not tiers:
        return score
    return msgspec.structs.replace(score, p_right=p, complexity=_chance(_logit(score.complexity) + logits))


def _logit(chance: float) -> float:
    bounded = min(1 - _EDGE, max(_EDGE, chance))
    return math.log(bounded / (1 - bounded))


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
