"""``POST /v1/messages`` and its count of tokens: chat completions, for callers who speak Anthropic's protocol."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from guardrails import Placeholders
from router.core.features import features_of
from router.core.messages.errors import messages_error
from router.core.surfaces.messages import MessagesSurface
from router.core.wire import ChatRequest, read_chat
from router.errors import BadRequest, StillhouseError, UpstreamError
from router.serve.accept import Order, accept, order
from router.serve.doors.surfaces import Translated
from router.serve.guards.aside import aside
from router.serve.guards.beyond import guard_chat
from router.serve.guards.guarding import Blocked, finding_names
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import Headers, headers_of
from router.serve.limits.account import enter
from router.serve.limits.admitting import admit
from router.serve.pipeline import Masks, chat, deadline_of
from router.serve.recorded import on_record
from router.serve.rollouts import in_arm
from router.serve.story import Story
from router.upstream.anthropic import AnthropicUpstream

if TYPE_CHECKING:
    from router.core.surfaces import Read
    from router.serve.cell import Cell

_BETA = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MOST_BETAS = 32
_LIMIT = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def betas_of(headers: dict[bytes, bytes]) -> list[str]:
    """What the header ``anthropic-beta`` asks for.

    Raises:
        BadRequest: it is no list of names.
    """
    said = headers.get(b"anthropic-beta", b"").decode("latin-1")
    names = [name.strip() for name in said.split(",") if name.strip()]
    if len(names) > MOST_BETAS or not all(_BETA.fullmatch(name) for name in names):
        raise BadRequest("The header 'anthropic-beta' must be a list of names.", param="anthropic-beta")
    return names


class Told(Translated):
    """Answers with the headers that Anthropic's SDKs read."""

    __slots__ = ("_now_ms",)
    blocks = True

    def __init__(self, out: Exchange, read: Read, now_ms: int = 0) -> None:
        super().__init__(out, read, messages_error)
        self._now_ms = now_ms

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await super().whole(status, self.with_theirs(headers), body)

    async def error(self, error: StillhouseError, headers: Headers) -> None:
        """Send an error."""
        await super().error(error, self.with_theirs(headers))

    async def begin(self, headers: Headers) -> None:
        """Send the head of a stream."""
        await super().begin(self.with_theirs(headers))

    def with_theirs(self, headers: Headers) -> Headers:
        """The request's id and what is left of limits under Anthropic's names, too."""
        more: Headers = [(b"request-id", self.request_id.encode())]
        for name, value in headers:
            if found := _LIMIT.fullmatch(name):
                what = found[1]
                if what == b"reset" and (value := self._moment(value)) == b"":
                    continue
                more.append((b"anthropic-ratelimit-%b-%b" % (found[2], what), value))
        return [*headers, *more]

    def _moment(self, span: bytes) -> bytes:
        """A span such as ``1m30s`` or ``2.5`` (seconds) as a moment; empty where it is neither."""
        text = span.decode("latin-1")
        parts = _SPAN.findall(text)
        if parts and "".join(a + b for a, b in parts) == text:
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        elif re.fullmatch(r"\d+(\.\d+)?", text):
            seconds = float(text)
        else:
            return b""
        moment = datetime.fromtimestamp(self._now_ms / 1e3, UTC) + timedelta(seconds=min(seconds, 1e9))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()


class Messages:
    """The handler of ``POST /v1/messages``."""

    async def __call__(self, cell: Cell, incoming: Incoming, out: Exchange) -> None:
        """Serve one request."""

        def read(body: bytes, tenant: str) -> MessagesSurface:  # noqa: ARG001
            return MessagesSurface(body, betas_of(incoming.headers))

        await chat(cell, incoming, Told(out, read, cell.now_ms()))

    @staticmethod
    def spoken(out: Exchange) -> Exchange:
        """``out`` for an error of whoever could not even begin."""
        return Told(out, _unread)


def _unread(body: bytes, tenant: str) -> MessagesSurface:  # noqa: ARG001
    raise AssertionError("this exchange tells an error and reads nothing")


messages = Messages()


# --- counting


class Counting:
    """The handler of ``POST /v1/messages/count_tokens``.

    The count is our estimate, except where the caller names a model behind Anthropic's own protocol: then it is asked.
    """

    async def __call__(self, cell: Cell, incoming: Incoming, out: Exchange) -> None:
        """Serve one request."""
        story = Story(cell, incoming.request_id, incoming.path)
        out = theirs = Told(out, _unread, cell.now_ms())
        async with on_record(story, out):
            key = accept(cell, incoming, story, "chat")
            await admit(cell, incoming, story, key)
            betas = betas_of(incoming.headers)
            request = await aside(
                story, len(incoming.body), lambda: read_chat(MessagesSurface(incoming.body, betas, counting=True).chat)
            )
            wish = in_arm(cell, request, order(cell, incoming, story, key, request.model), story)
            if cell.limits is not None:
                await enter(cell.limits, key, story)
            tokens, source = await count(cell, request, wish, story)
            told = [(b"x-stillhouse-tokens", source), *headers_of(story, stream=False)]
            await out.straight(200, [(b"content-type", b"application/json"), *theirs.with_theirs(told)],
                               msgspec.json.encode({"input_tokens": tokens}))  # fmt: skip

    @staticmethod
    def spoken(out: Exchange) -> Exchange:
        """``out`` for an error of whoever could not even begin."""
        return Told(out, _unread)


count_tokens = Counting()


async def count(cell: Cell, request: ChatRequest, wish: Order, story: Story) -> tuple[int, bytes]:
    """Input tokens, and who says so: ``upstream`` or ``estimated``. No model is asked for an answer."""
    blocked, masks = False, []
    try:
        masks = await guard_chat(request, wish.policy.rails["input"], Placeholders(), story, wish.guard_tag)
    except Blocked:
        blocked = True  # what a guard stops is not shown to an upstream, and still has a length
    estimate = features_of(request, request.ask(), finding_names(story)).input_tokens
    story.features = None
    if not blocked and (asked := await _asked(cell, request, wish, masks, story)) is not None:
        return asked, b"upstream"
    return estimate, b"estimated"


async def _asked(cell: Cell, request: ChatRequest, wish: Order, masks: Masks, story: Story) -> int | None:
    """The count of the upstream that serves the model the caller named; None where it cannot be asked."""
    if wish.deployment is None:
        return None
    if not wish.deployment.private and any(rule.private for rule in wish.policy.body.rules):
        return None  # whether this request may leave the house is the decision's to say, and none is made here
    upstream = cell.upstreams[wish.deployment.upstream]
    if not isinstance(upstream, AnthropicUpstream):
        return None
    body = request.forward(wish.deployment.model, masks)
    try:
        return await upstream.count_tokens(body, deadline_of(wish.policy.body.timeouts, story))
    except UpstreamError:
        return None
