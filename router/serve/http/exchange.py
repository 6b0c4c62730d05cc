"""One HTTP exchange over raw ASGI: the caller's request read once, the answer sent once.

Raw ASGI because a framework's request and response objects would cost more than the routing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec

from router.core.surfaces.base import Carried
from router.errors import BadRequest, BudgetExceeded, StillhouseError, TooLarge, UnsupportedMedia
from router.serve.http.respond import Headers, error_body

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_SSE: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_OPENING = b"data: "
_CLOSING = b"\n\n"


class Incoming(msgspec.Struct, frozen=True):
    """What came in: lower-case header names, the body as it was sent."""

    path: str
    headers: dict[bytes, bytes]
    body: bytes
    request_id: str


class Exchange:
    """Sends one answer. ``begun`` says whether its head has left."""

    __slots__ = ("_receive", "_send", "begun", "carried", "request_id")
    blocks = False  # whether its protocol answers in blocks, one after the other

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive = receive
        self._send = send
        self.request_id = request_id
        self.begun = False
        self.carried: Carried | None = None  # what came in another protocol and chat does not know

    def heard(self, body: bytes, tenant: str) -> bytes:  # noqa: ARG002  (other protocols remember by tenant)
        """What the caller said, as an OpenAI chat completion request."""
        return body

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a JSON answer."""
        self.begun = True
        size = (b"content-length", str(len(body)).encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [_JSON, size, *headers]})
        await self._send({"type": "http.response.body", "body": body})

    async def error(self, error: StillhouseError, headers: Headers) -> None:
        """Send an error: an HTTP status while that is still possible, an event inside a stream."""
        body = error_body(error, self.request_id)
        if self.begun:
            await self._send({"type": "http.response.body", "body": _OPENING + body + _CLOSING, "more_body": False})
            return
        await self.whole(error.status, [*headers, *error_headers(error)], body)

    async def begin(self, headers: Headers) -> None:
        """Send the head of a stream."""
        self.begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_SSE, *headers]})

    async def events(self, events: list[bytes]) -> None:
        """Send events at once."""
        body = b"".join([part for event in events for part in (_OPENING, event, _CLOSING)])
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def done(self) -> None:
        """Say ``[DONE]`` and end the stream."""
        await self._send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def straight(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer whose content type is among its headers."""
        self.begun = True
        size = (b"content-length", str(len(body)).encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [size, *headers]})
        await self._send({"type": "http.response.body", "body": body})

    async def straight_head(self, status: int, headers: Headers) -> None:
        """Send the head of an answer that comes in parts."""
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def straight_part(self, body: bytes, *, last: bool = False) -> None:
        """Send bytes of such an answer. Where ``last`` is never said, the caller sees it broken off."""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def gone(self) -> None:
        """Return when the caller has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def error_headers(error: StillhouseError) -> Headers:
    """What the head of an error says beside its status."""
    headers: Headers = []
    if error.retry_after:
        headers.append((b"retry-after", error.retry_after.encode("latin-1", "ignore")))
    if isinstance(error, BudgetExceeded) and not error.soon:
        headers.append((b"x-should-retry", b"false"))  # OpenAI's clients would ask again at once, twice
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def check_head(headers: dict[bytes, bytes], max_body: int) -> int:
    """Refuse by the head alone what we could not read. Gives back how many bytes may come.

    Raises:
        UnsupportedMedia: not JSON, or compressed in one way or another.
        TooLarge: the announced body is larger than ``max_body`` bytes.
    """
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in {b"identity", b""}:
        raise UnsupportedMedia("Send the body uncompressed; content-encoding is not supported here.")
    kind = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        raise UnsupportedMedia("Send the body as JSON with the header 'content-type: application/json'.")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise UnsupportedMedia("Of transfer codings only 'chunked' is understood here.")
    said = headers.get(b"content-length", b"")
    size = int(said) if said.isdigit() else max_body
    if size > max_body:
        raise _too_large(max_body)
    return size


_SINGLE = frozenset({b"host", b"authorization", b"x-api-key", b"content-type", b"content-encoding"})
_OWN = b"x-stillhouse-"


def check_repeats(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a header that we act on and that comes twice: a proxy before us may have read the other one.

    Raises:
        BadRequest: there is one.
    """
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in seen and (name in _SINGLE or name.startswith(_OWN)):
            raise BadRequest(f"The header '{name.decode('latin-1')}' is sent twice.", param=name.decode("latin-1"))
        seen.add(name)


async def read_body(receive: Receive, max_body: int) -> bytes | None:
    """The whole body; None when the caller left before its end.

    Raises:
        TooLarge: it grows beyond ``max_body`` bytes.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > max_body:
                raise _too_large(max_body)
        body = b"".join(parts)
    if len(body) > max_body:
        raise _too_large(max_body)
    return body


def _too_large(max_body: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {max_body // (1024 * 1024)} MiB this gateway accepts.")


async def until_gone(exchange: Exchange, work: asyncio.Task[None]) -> None:
    """Cancel ``work`` when the caller leaves."""
    await exchange.gone()
    work.cancel()


def text_header(headers: dict[bytes, bytes], name: bytes) -> str | None:
    """A header as text; None where it is absent.

    Raises:
        BadRequest: it is not ASCII, or longer than 256 bytes.
    """
    value = headers.get(name)
    if value is None:
        return None
    if len(value) > 256 or not value.isascii():
        raise BadRequest(f"The header '{name.decode()}' must be ASCII of at most 256 bytes.", param=name.decode())
    return value.decode().strip() or None
