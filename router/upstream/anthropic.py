"""Any server that speaks Anthropic's Messages: asked in its own words, heard as chat, with no library in between."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from router.core.messages.from_chat import messages_request
from router.core.messages.heard import ChunkMaker, completion_of
from router.errors import UpstreamInvalid, UpstreamRejected, UpstreamUnavailable
from router.upstream.base import Deadline, Reply
from router.upstream.errormap import error_of_event
from router.upstream.replies import check_stream, model_ids, object_of, whole_of
from router.upstream.sse import EventDecoder
from router.upstream.transport import Response, Transport

VERSION = "2023-06-01"
_JSON_TYPE = "application/json"

#: Settings that a count of tokens does not take.
_NOT_COUNTED = (
    "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier",
)  # fmt: skip


class AnthropicUpstream:
    """One base URL with one key.

    Args:
        name: for the ledger and the start-up table.
        base_url: ends before ``/messages``, e.g. ``https://api.anthropic.com/v1``.
        api_key: the operator's key for it; empty for servers without one.
        transport: shared by all upstreams of a cell.
    """

    def __init__(self, name: str, base_url: str, api_key: str, transport: Transport) -> None:
        self.name = name
        self._base = base_url.rstrip("/")
        self._transport = transport
        self._secret = api_key
        self._headers = {"Content-Type": _JSON_TYPE, "anthropic-version": VERSION}
        if api_key:
            self._headers["x-api-key"] = api_key

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        asked = messages_request(body)
        reply = await self._whole("POST", "/messages", asked.body, deadline, asked.betas)
        try:
            return Reply(completion_of(reply.body, int(time.time())), reply.request_id)
        except (ValueError, RecursionError, AttributeError):
            raise UpstreamInvalid("The model's server sent something that is not a message.") from None

    async def chat_stream(self, body: bytes, deadline: Deadline) -> AnthropicStream:
        asked = messages_request(body)
        headers = self._with(asked.betas)
        response = await self._transport.send("POST", self._base + "/messages", headers, asked.body, deadline)
        try:
            await check_stream(response, self._secret)
            stream = AnthropicStream(response, deadline)
            await stream.open()
        except BaseException:
            response.close()
            raise
        return stream

    async def count_tokens(self, body: bytes, deadline: Deadline) -> int:
        """How many tokens a chat completion request has as input, by the server's own count.

        Raises:
            UpstreamError: it does not say.
        """
        asked = messages_request(body)
        fields = json.loads(asked.body)
        for name in _NOT_COUNTED:
            fields.pop(name, None)
        reply = await self._whole("POST", "/messages/count_tokens", json.dumps(fields).encode(), deadline, asked.betas)
        tokens = object_of(reply.body, "a count of tokens").get("input_tokens")
        if not isinstance(tokens, int):
            raise UpstreamInvalid("The model's server sent something that is not a count of tokens.")
        return tokens

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:  # noqa: ARG002
        words = "The upstream of this model has no embeddings."
        raise UpstreamRejected(words, status=400, code="unsupported_parameter", param="model")

    async def models(self, deadline: Deadline) -> list[str]:
        reply = await self._whole("GET", "/models?limit=1000", None, deadline)
        return model_ids(reply.body)

    async def close(self) -> None:
        """The transport is shared; who made it closes it."""

    def _with(self, betas: tuple[str, ...]) -> dict[str, str]:
        return {**self._headers, "anthropic-beta": ",".join(betas)} if betas else self._headers

    async def _whole(
        self, method: str, path: str, body: bytes | None, deadline: Deadline, betas: tuple[str, ...] = ()
    ) -> Reply:
        response = await self._transport.send(method, self._base + path, self._with(betas), body, deadline)
        data = await whole_of(response, self._secret)
        return Reply(data, response.header("request-id") or None)


class AnthropicStream:
    """The events of one streamed answer, as chunks of chat."""

    __slots__ = ("_chunks", "_deadline", "_decoder", "_maker", "_pending", "_response", "request_id", "waiting")

    def __init__(self, response: Response, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self._decoder = EventDecoder()
        self._maker = ChunkMaker(int(time.time()))
        self._chunks = response.chunks(deadline.gap)
        self._pending: list[bytes] = []
        self.request_id: str | None = response.header("request-id") or None
        self.waiting = False

    async def open(self) -> None:
        """Read up to the first event that says something, so that a fault can still be an HTTP status."""
        while not self._pending:
            if not await self._more():
                raise UpstreamInvalid("The model's server ended the stream before it began.")

    async def _more(self) -> bool:
        async for chunk in self._chunks:
            for data in self._decoder.feed(chunk):
                self._pending += self._read(data)
            return True
        return False

    def _read(self, data: bytes) -> list[bytes]:
        try:
            event = json.loads(data)
            if isinstance(event, dict) and event.get("type") == "error":
                raise error_of_event(data)
            return self._maker.feed(data)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UpstreamInvalid("The model's server sent an event that is not one of a message.") from None

    async def events(self) -> AsyncIterator[bytes]:
        while True:
            pending, self._pending = self._pending, []
            left = len(pending)
            for data in pending:
                left -= 1
                self.waiting = left > 0
                yield data
            if self._maker.over:
                return
            if not self._pending and not await self._more():
                raise UpstreamUnavailable("The model's server broke off its answer.")

    async def close(self) -> None:
        self._response.close()
