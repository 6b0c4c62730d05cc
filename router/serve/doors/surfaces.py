"""An exchange in another protocol: the pipeline speaks chat to it, the caller hears his own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from router.core.surfaces import Read, Surface, dropped_words
from router.errors import StillhouseError
from router.serve.http.exchange import Exchange, Incoming, error_headers
from router.serve.http.respond import Headers, error_body
from router.serve.pipeline import chat

if TYPE_CHECKING:
    from router.serve.cell import Cell

Shape = Callable[[StillhouseError, str], bytes]  # error, request id -> the protocol's error object
Reader = Callable[["Cell", Incoming], Read]  # what reads the body of this request


class Door:
    """A handler of chat completions in another protocol.

    Args:
        reader: makes what reads a request's body; its ``Read`` raises ``BadRequest`` naming the field.
        shape: the protocol's error object, also for errors before its handler has begun.
    """

    __slots__ = ("_reader", "_shape")

    def __init__(self, reader: Reader, shape: Shape = error_body) -> None:
        self._reader = reader
        self._shape = shape

    async def __call__(self, cell: Cell, incoming: Incoming, out: Exchange) -> None:
        """Serve one request."""
        await chat(cell, incoming, Translated(out, self._reader(cell, incoming), self._shape))

    def spoken(self, out: Exchange) -> Exchange:
        """``out`` for an error of whoever could not even open this door."""
        return Translated(out, _unread, self._shape)


def _unread(body: bytes, tenant: str) -> Surface:  # noqa: ARG001
    raise AssertionError("this exchange tells an error and reads nothing")


class Translated(Exchange):
    """``out``, spoken to in chat and speaking what ``read`` has read.

    Args:
        out: the caller's exchange.
        read: makes the surface of a body; raises ``BadRequest`` naming the field.
        shape: the protocol's error object.
    """

    __slots__ = ("_read", "_shape", "_surface")

    def __init__(self, out: Exchange, read: Read, shape: Shape = error_body) -> None:
        super().__init__(out._receive, out._send, out.request_id)  # noqa: SLF001  (the same exchange, in another tongue)
        self._read = read
        self._shape = shape
        self._surface: Surface | None = None

    def heard(self, body: bytes, tenant: str) -> bytes:
        """What the caller said, as an OpenAI chat completion request."""
        self._surface = self._read(body, tenant)
        self.carried = self._surface.carried
        return self._surface.chat

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        surface = self._known()
        told = surface.answer(body)  # first: what it drops of the answer is told, too
        await super().whole(status, [*headers, *_dropped(surface)], told)

    async def error(self, error: StillhouseError, headers: Headers) -> None:
        """Send an error in the protocol's own shape."""
        body = self._shape(error, self.request_id)
        if self.begun:
            await self._send({"type": "http.response.body", "body": self._known().error_event(body)})
            return
        await super().whole(error.status, [*headers, *error_headers(error)], body)

    async def begin(self, headers: Headers) -> None:
        """Send the head of a stream."""
        await super().begin([*headers, *_dropped(self._known())])

    async def events(self, events: list[bytes]) -> None:
        """Send chat events in the caller's protocol."""
        surface = self._known()
        if body := b"".join([surface.event(data) for data in events]):
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def done(self) -> None:
        """End the stream in the protocol's own way."""
        await self._send({"type": "http.response.body", "body": self._known().end()})

    def _known(self) -> Surface:
        assert self._surface is not None, "nothing is answered before the request has been read"
        return self._surface


def _dropped(surface: Surface) -> Headers:
    words = dropped_words(surface.dropped)
    return [(b"x-stillhouse-dropped", words.encode())] if words else []
