"""The two smaller hot routes: embeddings, and the decision alone."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from guardrails import Placeholders
from router.core.cascade import planned
from router.core.decide import Caller, decide
from router.core.features import features_of
from router.core.turns import turn_of
from router.core.wire import Edit, TextSite, check_json, read_chat, span, splice
from router.errors import BadJSON, BadRequest, ModelNotFound, StillhouseError
from router.serve.accept import accept, order
from router.serve.admitting import admit
from router.serve.calling import beside
from router.serve.exchange import Exchange, Incoming
from router.serve.guarding import Blocked, finding_names, guard_request
from router.serve.pipeline import confess, deadline_of, score_of, stay_in
from router.serve.respond import headers_of
from router.serve.rollouts import in_arm
from router.serve.story import Story
from router.types import Decision, Score, TierName, Usage

if TYPE_CHECKING:
    from router.serve.cell import Cell


class _EmbeddingBody(msgspec.Struct):
    model: Raw
    input: Raw


class _EmbeddingUsage(msgspec.Struct):
    prompt_tokens: int = 0


class _EmbeddingAnswer(msgspec.Struct):
    usage: _EmbeddingUsage | None = None


async def embeddings(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Pass an embeddings request to its upstream; the policy's input guards read every text."""
    story = Story(cell, incoming.request_id, incoming.path)
    try:
        key = accept(cell, incoming, story, "embeddings")
        await admit(cell, incoming, story, key)
        model, sites, body = _read_embeddings(incoming.body)
        upstream = embedding_upstream(cell, model)
        story.requested_model = model
        if key is not None and key.models and model not in key.models:
            raise ModelNotFound(f"The model {model!r} does not exist, or this key may not use it.", param="model")
        policy = story.policy = cell.policies[cell.default_policy]
        masks = guard_request(policy.rails["input"], sites, Placeholders(), story)
        body = splice(body, [Edit(*span(body, site.raw), msgspec.json.encode(text)) for site, text in masks])
        ask = partial(cell.upstreams[upstream].embeddings, body, deadline_of(policy.body.timeouts, story))
        reply = await beside(story, f"embeddings of {upstream}", ask)
        story.usage = embedding_usage(reply.body)
        await out.whole(200, headers_of(story, stream=False), reply.body)
    except Blocked:
        story.outcome = "blocked_input"
        error = BadRequest("The policy's guards stopped this input.", param="input")
        error.code = "content_filter"
        story.status, story.error_code = error.status, error.code
        await out.error(error, headers_of(story, stream=False))
    except StillhouseError as error:
        story.fail(error)
        await out.error(error, headers_of(story, stream=False))
    except asyncio.CancelledError:
        story.outcome, story.status = "client_gone", 499
        raise
    except Exception as bug:  # noqa: BLE001  (as in the pipeline)
        await confess(bug, story, out)
    finally:
        cell.ledger.record(*story.finish())


def _read_embeddings(body: bytes) -> tuple[str, list[TextSite], bytes]:
    check_json(body)
    try:
        head = msgspec.json.decode(body, type=_EmbeddingBody)
        model = msgspec.json.decode(head.model, type=str)
    except msgspec.ValidationError:
        raise BadRequest("You must provide a 'model' (a string) and an 'input'.", param="model") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    first = bytes(memoryview(head.input)[:1])
    raws: list[Raw] = []
    if first == b'"':
        raws = [head.input]
    elif first == b"[":
        raws = _texts_or_tokens(head.input)
    else:
        raise BadRequest("'input' must be a string, a list of strings, or tokens.", param="input")
    sites = [TextSite(f"input[{i}]", "user", msgspec.json.decode(raw, type=str), raw) for i, raw in enumerate(raws)]
    return model, sites, body


def _texts_or_tokens(raw: Raw) -> list[Raw]:
    """The strings of a list of inputs. What is neither text nor tokens is refused: no guard would read it."""
    texts: list[Raw] = []
    for i, item in enumerate(msgspec.json.decode(raw, type=list[Raw])):
        if bytes(memoryview(item)[:1]) == b'"':
            texts.append(item)
            continue
        try:
            msgspec.json.decode(item, type=int | list[int])
        except msgspec.ValidationError:
            raise BadRequest(f"'input[{i}]' must be a string or tokens.", param=f"input[{i}]") from None
    return texts


def embedding_upstream(cell: Cell, model: str) -> str:
    """Where an embeddings model lives: as configured, else the one OpenAI-wire upstream there is."""
    for item in cell.settings.embeddings:
        if item.model == model:
            return item.upstream
    wires = [name for name, u in cell.settings.upstreams.items() if u.kind == "openai"]
    if not cell.settings.embeddings and len(wires) == 1:
        return wires[0]
    raise ModelNotFound(f"No upstream serves embeddings of {model!r}; list it under 'embeddings'.", param="model")


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
    try:
        key = accept(cell, incoming, story, "route")
        await admit(cell, incoming, story, key)
        request = read_chat(incoming.body)
        wish = in_arm(cell, request, order(cell, incoming, story, key, request.model), story)
        blocked = False
        try:
            guard_request(wish.policy.rails["input"], request.texts, Placeholders(), story, wish.guard_tag)
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
    except StillhouseError as error:
        story.fail(error)
        await out.error(error, headers_of(story, stream=False))
    except Exception as bug:  # noqa: BLE001  (as in the pipeline)
        await confess(bug, story, out)
    finally:
        cell.ledger.record(*story.finish())


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
