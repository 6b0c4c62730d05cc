"""The two smaller hot routes: embeddings, and the decision alone."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from guardrails import Placeholders
from router.core.bounds import Size
from router.core.cascade import planned
from router.core.decide import Caller, decide
from router.core.embeddings import Embed, read_embed, told
from router.core.features import features_of
from router.core.tokens import BYTES_PER_TOKEN
from router.core.turns import turn_of
from router.core.wire import Edit, read_chat, span, splice
from router.errors import BadRequest, ModelNotFound, UpstreamError, UpstreamInvalid
from router.serve.accept import accept, order, recorded
from router.serve.calling import beside
from router.serve.guards.aside import aside, look_ahead
from router.serve.guards.beyond import guard_chat
from router.serve.guards.guarding import Blocked, finding_names, guard_request, hurry_of
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import headers_of
from router.serve.limits.account import enter, settle
from router.serve.limits.admitting import admit
from router.serve.pipeline import deadline_of, score_of, stay_in
from router.serve.recorded import on_record
from router.serve.rollouts import in_arm
from router.serve.settings import price_of
from router.serve.story import Story
from router.types import Decision, Price, Score, TierName, Usage

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.serve.cell import Cell


_AT_ONCE = 128 * 1024  # bytes of an answer


class _EmbeddingUsage(msgspec.Struct):
    prompt_tokens: int = 0


class _EmbeddingAnswer(msgspec.Struct):
    usage: _EmbeddingUsage | None = None


async def embeddings(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Pass an embeddings request to its upstream; the policy's input guards read every text."""
    story = Story(cell, incoming.request_id, incoming.path)
    async with on_record(story, out):
        key = accept(cell, incoming, story, "embeddings")
        await admit(cell, incoming, story, key)
        asked = await aside(story, len(incoming.body), read_embed, incoming.body)
        model = asked.model
        upstream = embedding_upstream(cell, model)
        story.requested_model = recorded(model)
        if key is not None and key.models and model not in key.models:
            raise ModelNotFound(f"The model {model!r} does not exist, or this key may not use it.", param="model")
        policy = story.policy = cell.policies[cell.default_policy]
        if cell.limits is not None:
            await enter(cell.limits, key, story)
        try:
            body = await _guarded(asked, policy, story)
        except Blocked:
            await _refuse_blocked(story, out)
            return
        hold = None
        if story.account is not None:
            # An input takes a byte a token at most; a token that the caller numbers himself takes two bytes or more.
            size = Size(len(body) // BYTES_PER_TOKEN, len(body), 0, 0, 0)
            hold = await story.account.of_price(embedding_price(cell, model), size, None, model)
        ask = partial(cell.upstreams[upstream].embeddings, body, deadline_of(policy.body.timeouts, story))
        try:
            reply = await beside(story, f"embeddings of {upstream}", ask)
            story.usage = embedding_usage(reply.body)
        except UpstreamError as fault:
            settle(hold, None, fault)
            raise
        finally:
            settle(hold, story.usage)
        await out.whole(200, headers_of(story, stream=False), await _told(reply.body, asked))


async def _refuse_blocked(story: Story, out: Exchange) -> None:
    error = BadRequest("The policy's guards stopped this input.", param="input")
    error.code = "content_filter"
    story.outcome, story.status, story.error_code = "blocked_input", error.status, error.code
    await out.error(error, headers_of(story, stream=False))


async def _guarded(asked: Embed, policy: Policy, story: Story) -> bytes:
    """The body that may travel.

    Raises:
        Blocked: a guard stops it.
        BadRequest: there are tokens, which no guard reads, and the policy refuses what is unguarded.
    """
    rails = policy.rails["input"]
    if asked.tokens and rails.blocks and policy.body.unguarded != "accepted":
        words = f"The guards of the policy {policy.name!r} read texts, no tokens: send 'input' as text"
        raise BadRequest(f"{words}, or accept it with 'unguarded: accepted'.", param="input")
    await look_ahead(story, rails, asked.sites, len(asked.body), hurry_of(story))
    masks = guard_request(rails, asked.sites, Placeholders(), story)
    return splice(asked.body, [Edit(*span(asked.body, site.raw), msgspec.json.encode(text)) for site, text in masks])


async def _told(body: bytes, asked: Embed) -> bytes:
    """The answer, checked and in the caller's encoding; a large one is read where it holds up nobody."""
    try:
        return told(body, asked) if len(body) <= _AT_ONCE else await asyncio.to_thread(told, body, asked)
    except ValueError as fault:
        words = f"The model's server sent embeddings that do not fit the request: {fault}."
        raise UpstreamInvalid(words) from None


def embedding_upstream(cell: Cell, model: str) -> str:
    """Where an embeddings model lives: as configured, else the one OpenAI-wire upstream there is."""
    for item in cell.settings.embeddings:
        if item.model == model:
            return item.upstream
    wires = [name for name, u in cell.settings.upstreams.items() if u.kind == "openai"]
    if not cell.settings.embeddings and len(wires) == 1:
        return wires[0]
    raise ModelNotFound(f"No upstream serves embeddings of {model!r}; list it under 'embeddings'.", param="model")


def embedding_price(cell: Cell, model: str) -> Price:
    """What the tokens of an embeddings model cost: as configured, else as the price book has it."""
    said = next((item.price for item in cell.settings.embeddings if item.model == model), None)
    return price_of(said) if said is not None else cell.book.price(model)


def embedding_usage(body: bytes) -> Usage | None:
    """What an answer says it used; None where it says nothing."""
    try:
        usage = msgspec.json.decode(body, type=_EmbeddingAnswer).usage
    except msgspec.MsgspecError:
        return None
    return Usage(input_tokens=usage.prompt_tokens, output_tokens=0) if usage else None


async def route(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Say where a chat completion would go, and why, without asking any model."""
    story = Story(cell, incoming.request_id, incoming.path)
    async with on_record(story, out):
        key = accept(cell, incoming, story, "route")
        await admit(cell, incoming, story, key)
        request = await aside(story, len(incoming.body), read_chat, incoming.body)
        wish = in_arm(cell, request, order(cell, incoming, story, key, request.model), story)
        if cell.limits is not None:
            await enter(cell.limits, key, story)
        blocked = False
        try:
            await guard_chat(request, wish.policy.rails["input"], Placeholders(), story, wish.guard_tag)
        except Blocked:
            blocked, story.outcome = True, "blocked_input"
        ask = request.ask()
        story.features = features_of(request, ask, finding_names(story))
        turn = turn_of(request, lambda text: score_of(cell, wish, text))
        story.score, stay = turn.score, stay_in(cell, request, wish, story)
        caller = Caller(tenant=wish.caller.tenant, tags=wish.caller.tags, tier=wish.caller.tier, text=ask)
        story.lot = cell.lot(wish.policy, story.id)
        fleet = cell.fleet(wish.policy, cell.shield.resting(story.tenant, cell.clock()))
        decision = story.decided(
            decide(wish.policy, story.features, turn.score, caller, fleet, turn, stay, lot=story.lot)
        )
        climbed, why = planned(wish.policy.body, decision, turn.score, story.features, fleet)
        story.because([why] if why else [])
        decision = story.decision or decision
        body = {
            "id": story.id, "object": "stillhouse.route", "policy": wish.policy.name, "policy_hash": wish.policy.hash,
            "arm": story.variant, "blocked": blocked, **decision_words(decision, story.score, climbed),
        }  # fmt: skip
        await out.whole(200, headers_of(story, stream=False), msgspec.json.encode(body))


def decision_words(decision: Decision, score: Score | None, climbed: tuple[TierName, ...] = ()) -> dict[str, object]:
    """A decision as public JSON: the same words in ``/v1/route``, ``stillhouse route`` and ``explain``.

    ``climbed`` are the tiers of the policy's cascade for this request, the one that is tried first in front.
    """
    return {
        "tier": decision.wanted,
        "served": decision.served,
        "fallbacks": list(decision.fallbacks),
        "cascade": list(climbed),
        "score": {tier: _share(score, tier) for tier in ("small", "medium", "large")},
        "complexity": None if score is None else round(score.complexity, 6),
        "reason": decision.because.id,
        "reasons": [{"id": r.id, "text": r.text, "layer": r.layer} for r in decision.reasons],
        "propensity": decision.propensity,
        "cost": {tier: decision.cost.get(tier) for tier in ("small", "medium", "large")},
    }


def _share(score: Score | None, tier: str) -> float | None:
    value = None if score is None else score.p_right.get(tier)
    return None if value is None else round(value, 6)
