"""Texts judged for somebody who answers for them himself: what ``apply`` and ``moderations`` share.

No model is asked for an answer here; the policy's guards read the texts, and its checks look at them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from guardrails import Action, Finding, Placeholders, Rails
from guardrails.catalog import names
from guardrails.common import Role
from guardrails.run import Hurry, judged
from guardrails.views import View
from router.core.decide import Caller, decide
from router.core.features import features_of
from router.core.plan import pick
from router.core.wire import read_chat
from router.serve.guards.aside import in_turn
from router.serve.guards.checking import Desk, judge
from router.serve.guards.guarding import hurry_of
from router.serve.pipeline import deadline_of
from router.types import TIER_NAMES, Deployment

if TYPE_CHECKING:
    from router.serve.accept import Order
    from router.serve.cell import Cell
    from router.serve.story import Direction, Story

LONG = 20_000  # code points; a longer text is read elsewhere, so that nobody else waits for it
REWRITTEN = "outputs[0].text"  # where an answer stands that was written again


class Piece(NamedTuple):
    """One text to be judged, and where it stood. ``answer``: it is what the checks judge, and no source or query."""

    where: str
    text: str
    role: Role
    answer: bool = True


class Judged(NamedTuple):
    """What was found.

    Attributes:
        pieces: the findings of each text.
        checks: of the guards that look at all of them; offsets in the view's text.
        texts: the texts with their masks; where the answer was written again, the new one alone.
        action: the strictest of all that stands.
        again: findings on the answer that was written again; None where it stands as it is. Those on the first one
            are spent then: their actions are ``detect``.
    """

    pieces: tuple[tuple[Finding, ...], ...]
    checks: tuple[Finding, ...]
    texts: tuple[str, ...]
    action: Action
    again: tuple[Finding, ...] | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return (*(finding for found in self.pieces for finding in found), *self.checks, *(self.again or ()))


async def judge_pieces(
    cell: Cell, wish: Order, pieces: Sequence[Piece], view: View, direction: Direction, story: Story
) -> Judged:
    """Run the guards of one direction over ``pieces`` and its checks over ``view``; all is noted in the record."""
    since, rails, hurry = cell.clock(), wish.policy.rails[direction], hurry_of(story)
    found: list[tuple[Finding, ...]] = []
    for piece in pieces:
        if found:
            await asyncio.sleep(0)  # many texts are many slices: others are served between them
        found.append(await _find(rails, piece, story, hurry))
    told = names((each.guard, each.category, each.confidence) for findings in found for each in findings)
    checked = await judge(rails.checks, view, desk_of(cell, wish, view.text, told, story))
    held, again = Placeholders(), None
    if checked.text is None:
        texts = tuple(judged(piece.text, each, held).text for piece, each in zip(pieces, found, strict=True))
    else:
        again = await _find(rails, Piece(REWRITTEN, checked.text, "assistant"), story, hurry)
        texts = (judged(checked.text, again, held).text,)
        found = [_spent(each) if piece.answer else each for piece, each in zip(pieces, found, strict=True)]
    await _note(wish, pieces, found, direction, story)
    story.found(checked.findings, direction, "content")
    story.found(again or (), direction, REWRITTEN)
    story.spend("guard_in" if direction == "input" else "guard_out", since)
    every = (*found, checked.findings, again or ())
    action = max((finding.action for findings in every for finding in findings), default=Action.NONE)
    return Judged(tuple(found), checked.findings, texts, action, again)


async def _find(rails: Rails, piece: Piece, story: Story, hurry: Hurry | None = None) -> tuple[Finding, ...]:
    if len(piece.text) > LONG:
        return await in_turn(story, len(piece.text), partial(rails.find, piece.text, piece.role, hurry))
    return story.cell.verdicts.find(rails, story.tenant, piece.text, piece.role, hurry)


def _spent(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(replace(finding, action=min(finding.action, Action.DETECT)) for finding in findings)


async def _note(
    wish: Order, pieces: Sequence[Piece], found: Sequence[tuple[Finding, ...]], direction: Direction, story: Story
) -> None:
    """Put what was found on record, and what shadow guards would have found."""
    shadow = wish.policy.shadow.get(direction)
    for piece, findings in zip(pieces, found, strict=True):
        story.found(findings, direction, piece.where)
        if shadow is not None:
            story.shadowed(await _find(shadow, piece, story), direction, piece.where)


def desk_of(cell: Cell, wish: Order, text: str, told: tuple[str, ...], story: Story) -> Desk:
    """What the checks may have done for them. The policy's rules say which models may see the text."""

    def serving(tier: str) -> Deployment | None:
        if tier not in TIER_NAMES:
            return None
        message = {"role": "user", "content": text}
        request = read_chat(msgspec.json.encode({"model": wish.policy.name, "messages": [message]}))
        features = features_of(request, text, told)
        caller = Caller(tenant=story.tenant, tags=wish.caller.tags, text=text)
        fleet = cell.fleet(wish.policy)
        private = decide(wish.policy, features, None, caller, fleet).private
        found = fleet.serving(tier, features=features, private=private)
        if len(found) < 2:
            return next(iter(found), None)
        return pick(found, cell.share_draw(story))

    return Desk(cell, story, serving, lambda: deadline_of(wish.policy.body.timeouts, story))
