"""Texts judged for somebody who answers for them himself: what ``apply`` and ``moderations`` share.

No model is asked for an answer here; the policy's guards read the texts, and its checks look at them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from guardrails import Action, Finding, Placeholders, Rails
from guardrails.common import Role
from guardrails.run import judged
from guardrails.views import View
from router.core.decide import Caller, decide
from router.core.features import features_of
from router.core.plan import pick
from router.core.wire import read_chat
from router.serve.checking import Desk, judge
from router.serve.guarding import finding_names, hurry_of
from router.serve.pipeline import deadline_of
from router.types import TIER_NAMES, Deployment

if TYPE_CHECKING:
    from router.serve.accept import Order
    from router.serve.cell import Cell
    from router.serve.story import Direction, Story

LONG = 20_000  # code points; a longer text is read elsewhere, so that nobody else waits for it


class Piece(NamedTuple):
    """One text to be judged, and where it stood."""

    where: str
    text: str
    role: Role


class Judged(NamedTuple):
    """What was found.

    Attributes:
        pieces: the findings of each text.
        checks: of the guards that look at all of them; offsets in the view's text.
        texts: the texts with their masks.
        action: the strictest of all.
    """

    pieces: tuple[tuple[Finding, ...], ...]
    checks: tuple[Finding, ...]
    texts: tuple[str, ...]
    action: Action

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return (*(finding for found in self.pieces for finding in found), *self.checks)


async def judge_pieces(
    cell: Cell, wish: Order, pieces: Sequence[Piece], view: View, direction: Direction, story: Story
) -> Judged:
    """Run the guards of one direction over ``pieces`` and its checks over ``view``; all is noted in the record."""
    since, policy = cell.clock(), wish.policy
    rails, shadow = policy.rails[direction], policy.shadow.get(direction)
    hurry = hurry_of(story)
    found: list[tuple[Finding, ...]] = []
    for piece in pieces:
        if found:
            await asyncio.sleep(0)  # many texts are many slices: others are served between them
        if len(piece.text) > LONG:
            findings = await asyncio.to_thread(rails.find, piece.text, piece.role, hurry)
        else:
            findings = cell.verdicts.find(rails, story.tenant, piece.text, piece.role, hurry)
        found.append(findings)
        story.found(findings, direction, piece.where)
        if shadow is not None:
            await _look_on(shadow, piece, direction, story)
    checked = await judge(rails.checks, view, desk_of(cell, wish, view.text, direction, story))
    story.found(checked, direction, "content")
    held = Placeholders()
    texts = tuple(judged(piece.text, each, held).text for piece, each in zip(pieces, found, strict=True))
    story.spend("guard_in" if direction == "input" else "guard_out", since)
    action = max((finding.action for each in (*found, checked) for finding in each), default=Action.NONE)
    return Judged(tuple(found), checked, texts, action)


async def _look_on(shadow: Rails, piece: Piece, direction: Direction, story: Story) -> None:
    if len(piece.text) > LONG:
        seen = await asyncio.to_thread(shadow.find, piece.text, piece.role)
    else:
        seen = story.cell.verdicts.find(shadow, story.tenant, piece.text, piece.role)
    story.shadowed(seen, direction, piece.where)


def desk_of(cell: Cell, wish: Order, text: str, direction: Direction, story: Story) -> Desk:
    """What the checks may have done for them. The policy's rules say which models may see the text."""

    def serving(tier: str) -> Deployment | None:
        if tier not in TIER_NAMES:
            return None
        message = {"role": "user", "content": text}
        request = read_chat(msgspec.json.encode({"model": wish.policy.name, "messages": [message]}))
        features = features_of(request, text, finding_names(story, direction))
        caller = Caller(tenant=story.tenant, tags=wish.caller.tags, text=text)
        fleet = cell.fleet(wish.policy)
        private = decide(wish.policy, features, None, caller, fleet).private
        found = fleet.serving(tier, features=features, private=private)
        if len(found) < 2:
            return next(iter(found), None)
        return pick(found, cell.share_draw(story))

    return Desk(cell, story, serving, lambda: deadline_of(wish.policy.body.timeouts, story))
