"""Any server that speaks the OpenAI wire, without a library in between: bytes in, bytes out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from router.core.wire import given, read_answer, read_chunk
from router.errors import UpstreamInvalid, UpstreamUnavailable
from router.upstream.base import Deadline, Reply
from router.upstream.errormap import OPERATORS_OWN, error_of_event
from router.upstream.replies import check_stream, is_utf8, model_ids, refusal, whole_of
from router.upstream.sse import EventDecoder
from router.upstream.transport import Response, Transport

_JSON_TYPE = "application/json"
# Inside a JSON string every quotation mark has a backslash before it, so this can only be a key with no value.
_EMPTY_ROLE = re.compile(rb',\s*"role"\s*:\s*""|"role"\s*:\s*""\s*,?')


class OpenAIUpstream:
    """One base URL with one key.

    Args:
        name: for the ledger and the start-up table.
        base_url: ends before ``/chat/completions``, e.g. ``https://api.openai.com/v1``.
        api_key: the operator's key for it; empty for servers without one.
        transport: shared by all upstreams of a cell.
        headers: extra request headers (organisation, api version).
    """

    def __init__(
        self, name: str, base_url: str, api_key: str, transport: Transport, headers: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._base = base_url.rstrip("/")
        self._transport = transport
        self._secret = api_key
        self._headers = {"Content-Type": _JSON_TYPE, **(headers or {})}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        reply = await self._whole("POST", "/chat/completions", body, deadline)
        try:
            read_answer(reply.body)
        except ValueError:
            raise UpstreamInvalid("The model's server sent something that is not a chat completion.") from None
        return reply

    async def chat_stream(self, body: bytes, deadline: Deadline) -> OpenAIStream:
        return await self._stream("/chat/completions", body, deadline, EventDecoder())

    async def _stream(self, path: str, body: bytes, deadline: Deadline, decoder: EventDecoder) -> OpenAIStream:
        response = await self._transport.send("POST", self._base + path, self._headers, body, deadline)
        try:
            await check_stream(response, self._secret)
            stream = OpenAIStream(response, deadline, decoder)
            await stream.open()
        except BaseException:
            response.close()
            raise
        return stream

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:
        return await self._whole("POST", "/embeddings", body, deadline)

    async def straight(self, path: str, body: bytes, deadline: Deadline) -> Response:
        """The server's own answer, whatever it is, not yet read; who asked for it closes it.

        Raises:
            UpstreamAuth, UpstreamMisplaced: it is about the operator's key or address, which no caller may see.
            UpstreamUnavailable, UpstreamTimeout: there is none.
        """
        response = await self._transport.send("POST", self._base + path, self._headers, body, deadline)
        if response.status in OPERATORS_OWN or 300 <= response.status < 400:
            try:
                raise await refusal(response, self._secret)
            finally:
                response.close()
        return response

    async def passed(
        self, method: str, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None, deadline: Deadline
    ) -> Response:
        """The answer to a request that is passed on as it arrives; not yet read, who asked for it closes it.

        ``headers`` say what the body is; the server's key is added.

        Raises:
            UpstreamError: the server refused it, or cannot be reached.
        """
        known = {name: value for name, value in self._headers.items() if name != "Content-Type"}
        response = await self._transport.send(method, self._base + path, {**known, **headers}, body, deadline)
        if not 200 <= response.status < 300:
            try:
                raise await refusal(response, self._secret)
            finally:
                response.close()
        return response

    async def models(self, deadline: Deadline) -> list[str]:
        reply = await self._whole("GET", "/models", None, deadline)
        return model_ids(reply.body)

    async def close(self) -> None:
        """The transport is shared; who made it closes it."""

    async def _whole(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Reply:
        response = await self._transport.send(method, self._base + path, self._headers, body, deadline)
        data = await whole_of(response, self._secret)
        return Reply(data, response.header("x-request-id") or None)


class OpenAIStream:
    """The events of one streamed answer."""

    __slots__ = ("_chunks", "_deadline", "_decoder", "_pending", "_response", "request_id", "waiting")

    def __init__(self, response: Response, deadline: Deadline, decoder: EventDecoder) -> None:
        self._response = response
        self._deadline = deadline
        self._decoder = decoder
        self._chunks = response.chunks(deadline.gap)
        self._pending: list[bytes] = []
        self.request_id: str | None = response.header("x-request-id") or None
        self.waiting = False

    async def open(self) -> None:
        """Read up to the first event and check it, so that a fault can still be an HTTP status."""
        while not self._pending:
            if self._decoder.done or not await self._more():
                raise UpstreamInvalid("The model's server ended the stream before it began.")
        _check(self._pending[0])

    async def _more(self) -> bool:
        async for chunk in self._chunks:
            self._pending += self._decoder.feed(chunk)
            return True
        return False

    async def events(self) -> AsyncIterator[bytes]:
        """As the Protocol says; a role that is an empty string is left out, for strict clients refuse it."""
        while True:
            pending, self._pending = self._pending, []
            left = len(pending)
            for data in pending:
                left -= 1
                self.waiting = left > 0
                if not data.isascii() and not is_utf8(data):
                    raise UpstreamInvalid("The model's server sent an event that is not UTF-8.")
                yield _EMPTY_ROLE.sub(b"", data) if b'"role"' in data else data
            if self._decoder.done:
                return
            if not self._pending and not await self._more():
                raise UpstreamUnavailable("The model's server broke off its answer.")

    async def close(self) -> None:
        self._response.close()


def _check(data: bytes) -> None:
    try:
        chunk = read_chunk(data)
    except ValueError:
        raise UpstreamInvalid("The model's server sent an event that is not a chat completion chunk.") from None
    if given(chunk.error):
        raise error_of_event(data)
    if not is_utf8(data):
        raise UpstreamInvalid("The model's server sent an event that is not UTF-8.")
