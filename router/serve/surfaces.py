"""An exchange in another protocol: the pipeline speaks chat to it, the caller hears his own."""

from __future__ import annotations

from collections.abc import Callable

from router.core.surfaces import Surface
from router.errors import StillhouseError
from router.serve.exchange import Exchange, error_headers
from router.serve.respond import Headers, error_body

Read = Callable[[bytes, str], Surface]  # body, tenant -> the request
Shape = Callable[[StillhouseError, str], bytes]  # error, request id -> the protocol's error object


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
        return self._surface.chat

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        surface = self._known()
        await super().whole(status, [*headers, *_dropped(surface)], surface.answer(body))

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
    return [(b"x-stillhouse-dropped", ", ".join(surface.dropped).encode())] if surface.dropped else []
