"""``POST /v1/moderations``: a policy's input guards in the shape of OpenAI's moderations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from guardrails import Action
from guardrails.views import View
from router.core.bedrock import Seen
from router.core.moderation import Part, covered, read_moderation, result_of
from router.errors import ModelNotFound
from router.serve.accept import AUTO, Order, accept, order
from router.serve.doors.applying import finding_words
from router.serve.doors.judging import Piece, judge_pieces
from router.serve.guards.aside import aside
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import headers_of
from router.serve.limits.account import enter
from router.serve.limits.admitting import admit
from router.serve.recorded import on_record
from router.serve.story import Story

if TYPE_CHECKING:
    from router.serve.cell import Cell


async def moderations(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Judge every input of one request."""
    story = Story(cell, incoming.request_id, incoming.path)
    async with on_record(story, out):
        key = accept(cell, incoming, story, "guard")
        await admit(cell, incoming, story, key)
        asked = await aside(story, len(incoming.body), read_moderation, incoming.body)
        if asked.model != AUTO and asked.model not in cell.policies:
            words = "'model' names a policy here, or is left out for the default one; GET /v1/models lists them."
            raise ModelNotFound(words, param="model")
        wish = order(cell, incoming, story, key, asked.model)
        if cell.limits is not None:
            await enter(cell.limits, key, story)
        story.mode = "guard"
        checked = covered(wish.policy.body.guards.input)
        results = []
        for parts in asked.inputs:
            results.append(await _result(cell, wish, parts, checked, story))
            await asyncio.sleep(0)  # many inputs are many slices: others are served between them
        if story.actions["input"] is Action.BLOCK:
            story.outcome = "blocked_input"
        extra = {"policy": wish.policy.name, "policy_hash": wish.policy.hash, "categories_checked": checked}
        body = {"id": f"modr-{story.id}", "model": wish.policy.name, "results": results, "stillhouse": extra}
        await out.whole(200, headers_of(story, stream=False), msgspec.json.encode(body))


async def _result(
    cell: Cell, wish: Order, parts: tuple[Part, ...], checked: tuple[str, ...], story: Story
) -> dict[str, Any]:
    pieces = [Piece(part.where, part.text, "user") for part in parts]
    view = View("\n".join(part.text for part in parts))
    found = await judge_pieces(cell, wish, pieces, view, "input", story)
    if found.again is not None:  # a text that had to be written again was not fine as it was
        found = found._replace(action=Action.BLOCK)
    seen = [
        *(
            Seen(finding, part.text, part.where)
            for part, findings in zip(parts, found.pieces, strict=True)
            for finding in findings
        ),
        *(Seen(finding, view.text, "input") for finding in found.checks),
    ]
    ours = {
        "action": found.action.word,
        "findings": [finding_words(one) for one in seen],
        "not_run": sorted({finding.guard for finding in found.findings if finding.category == "ERROR"}),
    }
    return {**result_of(found.findings, found.action, checked), "stillhouse": ours}
