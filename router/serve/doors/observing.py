"""Observing: every request goes where its caller asked, and what the policy would have done is only recorded.

What leaves for the model is the caller's body with at most the model's name in it replaced, and what the model's
server says goes to the caller byte by byte: no guard acts, nothing is tried again, no other tier is asked. The opinion
(guards, score, decision) is formed when the answer has left (``router.serve.doors.beside``), so it costs the caller
nothing and a fault in it is a line in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Raw

from router.core.plan import Try, pick
from router.core.surfaces.completions import Completions
from router.core.surfaces.responses import Responses
from router.core.wire import Edit, check_json, span, splice
from router.errors import BadJSON, BadRequest, ModelNotFound, NoTier, StillhouseError, UpstreamError, UpstreamRejected
from router.serve.accept import Order, accept, order, recorded
from router.serve.doors.beside import OBSERVED, Passed, beside
from router.serve.doors.sides import embedding_upstream, embedding_usage
from router.serve.doors.witness import CompletionsWitness, ResponsesWitness, Witness
from router.serve.guards.aside import aside
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import Headers, latin
from router.serve.limits.admitting import admit
from router.serve.memory.kept import empty_shelf
from router.serve.pipeline import deadline_of
from router.serve.recorded import confess, on_record
from router.serve.story import Story
from router.types import TIER_NAMES, Deployment, TierName
from router.upstream.base import Upstream
from router.upstream.errormap import error_of
from router.upstream.openai import OpenAIUpstream
from router.upstream.responses import ResponsesUpstream
from router.upstream.transport import Response

if TYPE_CHECKING:
    from router.serve.cell import Cell

#: Headers of an upstream's answer that travel on: how to read the body, and what clients pace themselves by.
TRAVELLING: Final = (
    "content-type",
    "content-encoding",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
)
_STREAM_TYPE: Final = "text/event-stream"


class _Head(msgspec.Struct):
    model: Raw
    stream: Raw = Raw(b"false")


class Asked(NamedTuple):
    """A request's body as far as passing it on needs it. What else is in it is the model's server's to judge."""

    body: bytes
    model: str
    stream: bool
    name: tuple[int, int]

    def to(self, model: str) -> bytes:
        """The body for a model: the caller's own bytes where it bears that name."""
        return self.body if model == self.model else splice(self.body, [Edit(*self.name, msgspec.json.encode(model))])


def read_asked(body: bytes) -> Asked:
    """Read whom a request is for.

    Raises:
        BadJSON: two readers could read it differently, so nobody can tell whom it is for.
        BadRequest: it names no model.
    """
    check_json(body)
    try:
        head = msgspec.json.decode(body, type=_Head)
        model = msgspec.json.decode(head.model, type=str)
    except msgspec.ValidationError:
        raise BadRequest("You must provide a 'model' (a string).", param="model") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None
    return Asked(body, model, bytes(head.stream) == b"true", span(body, head.model))


class Tongue(NamedTuple):
    """A protocol in which a request may be passed on.

    Attributes:
        path: of the same protocol at a server.
        witness: reads its answers.
        chat: a body -> the chat request that the policy judges.
    """

    path: str
    witness: Callable[[], Witness]
    chat: Callable[[bytes], bytes]


_CHAT: Final = Tongue("/chat/completions", Witness, lambda body: body)
_RESPONSES: Final = Tongue("/responses", ResponsesWitness, lambda body: Responses(body, "", 0, empty_shelf()).chat)
_COMPLETIONS: Final = Tongue("/completions", CompletionsWitness, lambda body: Completions(body).chat)


async def observe(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Pass one chat completion to whom its caller asked, and decide beside it."""
    await _observe(cell, incoming, out, _CHAT)


async def observe_responses(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """The same for Responses. What an earlier answer said is known to its server alone, so it is not judged."""
    await _observe(cell, incoming, out, _RESPONSES)


async def observe_completions(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """The same for the completions of before chat."""
    await _observe(cell, incoming, out, _COMPLETIONS)


async def _observe(cell: Cell, incoming: Incoming, out: Exchange, tongue: Tongue) -> None:
    story = Story(cell, incoming.request_id, incoming.path)
    story.mode = "observed"
    passed: Passed | None = None
    try:
        key = accept(cell, incoming, story, "chat")
        await admit(cell, incoming, story, key)
        asked = await aside(story, len(incoming.body), read_asked, incoming.body)
        story.stream = asked.stream
        wish = order(cell, incoming, story, key, asked.model)
        story.mode = "observed" if cell.pin is None else "pinned"
        deployment = target_of(cell, wish, story)
        story.deployment = deployment
        passed = Passed(wish, Try(0, deployment.tier, deployment, 0.0), tongue.witness())
        await _pass_on(cell, asked, passed, story, out, tongue)
    except StillhouseError as error:
        story.fail(error)
        await out.error(error, _marks(story))
    except asyncio.CancelledError:
        if not story.delivered:
            story.outcome, story.status = "client_gone", 499
        raise
    except Exception as bug:  # noqa: BLE001  (as in the pipeline)
        await confess(bug, story, out)
    finally:
        story.total_ms = story.elapsed_ms()
        if passed is not None:
            beside(cell, lambda: tongue.chat(incoming.body), passed, story)
        cell.ledger.record(*story.finish())


def target_of(cell: Cell, wish: Order, story: Story) -> Deployment:
    """The one deployment that is asked: the caller's own, or one of the tier that stands for the caller's wish.

    A tier that has no deployment is replaced by the next one up, as everywhere.

    Raises:
        NoTier: there is none up there either.
    """
    if cell.pin is None and wish.deployment is not None:
        return wish.deployment
    deployments = cell.fleet(wish.policy).deployments
    there = {d.tier for d in deployments}
    best = next(tier for tier in reversed(TIER_NAMES) if tier in there)
    wanted: TierName = cell.pin or wish.caller.tier or cell.settings.server.observe_tier or best
    tier = next((t for t in TIER_NAMES[TIER_NAMES.index(wanted) :] if t in there), None)
    if tier is None:
        raise NoTier(f"No model serves {wanted} or a tier above it.")
    return pick([d for d in deployments if d.tier == tier], cell.share_draw(story))


async def _pass_on(
    cell: Cell, asked: Asked, passed: Passed, story: Story, out: Exchange, tongue: Tongue
) -> None:  # fmt: skip
    upstream, body = cell.upstreams[passed.step.deployment.upstream], asked.to(passed.step.deployment.model)
    story.call_begins()
    try:
        if isinstance(upstream, OpenAIUpstream) and (
            tongue is not _CHAT or not isinstance(upstream, ResponsesUpstream)
        ):
            await _straight(upstream, tongue.path, body, passed, story, out)
        elif tongue is not _CHAT:
            words = f"Requests are passed on as they are now, and this model's server has no {tongue.path}."
            raise UpstreamRejected(words, status=400, code="unsupported_parameter", param="model")
        elif asked.stream:
            await _in_events(upstream, body, passed, story, out)
        else:
            await _whole(upstream, body, passed, story, out)
    except UpstreamError as error:
        passed.ended(story, "error", error)
        raise
    except asyncio.CancelledError:
        passed.ended(story, "cancelled")
        raise


async def _straight(
    upstream: OpenAIUpstream, path: str, body: bytes, passed: Passed, story: Story, out: Exchange
) -> None:
    """The server's own bytes, whatever they are."""
    assert story.policy is not None
    deadline = deadline_of(story.policy.body.timeouts, story)
    response = await upstream.straight(path, body, deadline)
    try:
        story.call_first_byte()
        if _STREAM_TYPE in response.header("content-type").lower():
            await _straight_parts(response, deadline.gap, passed, story, out)
        else:
            await _straight_whole(response, passed, story, out)
    finally:
        response.close()


async def _straight_whole(response: Response, passed: Passed, story: Story, out: Exchange) -> None:
    data = await response.read()
    if response.status < 400:
        passed.witness.whole(data)
        passed.ended(story, "ok")
    else:
        error = error_of(response.status, response.header("content-type"), data, response.header("retry-after"))
        story.fail(error)
        story.status = response.status
        passed.ended(story, "rejected" if 400 <= response.status < 500 else "error", error)
    await out.straight(response.status, [*_marks(story), *_travelling(response)], data)
    story.delivered = True


async def _straight_parts(response: Response, gap: float, passed: Passed, story: Story, out: Exchange) -> None:
    """Parts as they come. A stream that its server breaks off is broken off here, too, without a word of ours."""
    await out.straight_head(response.status, [*_marks(story), *_travelling(response)])
    try:
        async for part in response.chunks(gap):
            if part:
                await out.straight_part(part)
                passed.witness.bytes_of_events(part)
    except UpstreamError as error:
        story.fail(error)
        passed.ended(story, "error", error)
        return
    await out.straight_part(b"", last=True)
    story.delivered = True
    passed.ended(story, "ok")


async def _whole(upstream: Upstream, body: bytes, passed: Passed, story: Story, out: Exchange) -> None:
    """An upstream that is no server of this wire: its adapter's answer, as it is."""
    assert story.policy is not None
    reply = await upstream.chat(body, deadline_of(story.policy.body.timeouts, story))
    passed.witness.whole(reply.body)
    passed.ended(story, "ok")
    await out.whole(200, _marks(story), reply.body)
    story.delivered = True


async def _in_events(upstream: Upstream, body: bytes, passed: Passed, story: Story, out: Exchange) -> None:
    assert story.policy is not None
    stream = await upstream.chat_stream(body, deadline_of(story.policy.body.timeouts, story))
    try:
        story.call_first_byte()
        await out.begin(_marks(story))
        async for data in stream.events():
            await out.events([data])
            passed.witness.event(data)
        await out.done()
        story.delivered = True
        passed.ended(story, "ok")
    finally:
        await stream.close()


async def observe_embeddings(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Pass an embeddings request on as it is. No guard reads it and nothing is decided of it."""
    story = Story(cell, incoming.request_id, incoming.path)
    story.mode = "observed"
    async with on_record(story, out, lambda error: out.error(error, _marks(story))):
        key = accept(cell, incoming, story, "embeddings")
        await admit(cell, incoming, story, key)
        asked = await aside(story, len(incoming.body), read_asked, incoming.body)
        story.requested_model = recorded(asked.model)
        if key is not None and key.models and asked.model not in key.models:
            words = f"The model {asked.model!r} does not exist, or this key may not use it."
            raise ModelNotFound(words, param="model")
        policy = story.policy = cell.policies[cell.default_policy]
        upstream = cell.upstreams[embedding_upstream(cell, asked.model)]
        deadline = deadline_of(policy.body.timeouts, story)
        if isinstance(upstream, OpenAIUpstream):
            response = await upstream.straight("/embeddings", incoming.body, deadline)
            try:
                status, data, headers = response.status, await response.read(), _travelling(response)
            finally:
                response.close()
            if status >= 400:
                story.fail(error_of(status, response.header("content-type"), data))
                story.status = status
            await out.straight(status, [*_marks(story), *headers], data)
        else:
            data = (await upstream.embeddings(incoming.body, deadline)).body
            await out.whole(200, _marks(story), data)
        story.usage = embedding_usage(data)


def _marks(story: Story) -> Headers:
    """The headers of ours: the id, that nothing was decided here, and who answered."""
    headers = [(b"x-request-id", story.id.encode()), (b"x-stillhouse-reason", OBSERVED.encode())]
    if story.deployment is not None:
        headers.append((b"x-stillhouse-tier", story.deployment.tier.encode()))
        headers.append((b"x-stillhouse-model", latin(story.deployment.model)))
    return headers


def _travelling(response: Response) -> Headers:
    values = ((name, response.header(name)) for name in TRAVELLING)
    return [(name.encode(), value.encode("latin-1", "ignore")) for name, value in values if value]
