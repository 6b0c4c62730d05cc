"""A small request over one of aiohttp's connections, without what its session does around one.

The session builds a request, a writer, a task, three timers and a response for every call, which costs more than
everything that goes over the wire. What differs between two calls of one address is the body and its length, so here
the head is written once an address and sent with the body in one piece. Connections, their pool, TLS, names and the
reading of answers remain aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from multidict import CIMultiDictProxy

    from router.alarms import Alarms
    from router.upstream.base import Deadline

SMALL = 64 * 1024  # bytes of a body that are written at once; a longer one may have to wait until the server takes it
MOST_ROADS = 256


class _Asked(aiohttp.ClientRequest):
    """An address, as far as the connector asks for it."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        """By what a connection that is free is found; it was made anew for every call."""
        return super().connection_key


class Road:
    """What all POST requests to one address have in common.

    Attributes:
        request: stands for all of them before the connector.
        head: up to the value of the last header, which is the length of the body.
    """

    __slots__ = ("head", "request")

    def __init__(self, url: URL, headers: CIMultiDict[str]) -> None:
        self.request = request = _Asked("POST", url, headers=headers, loop=asyncio.get_running_loop())
        said = CIMultiDict(request.headers)
        said.popall("Content-Length", None)
        said.popall("Transfer-Encoding", None)
        lines = [f"POST {request.url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
        if any(mark in line for line in lines for mark in "\r\n\0"):
            raise ValueError("a header for an upstream holds a line break")  # it may be the secret, so it is not said
        self.head = "".join(f"{line}\r\n" for line in lines).encode() + b"Content-Length: "


class Roads:
    """The roads of one session, by address and headers."""

    def __init__(self, usual: Mapping[str, str]) -> None:
        self._usual = usual
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Road | None] = {}

    def to(self, url: str, headers: Mapping[str, str]) -> Road | None:
        """The road to an address; None where its requests need more than is done here."""
        key = url, tuple(headers.items())
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= MOST_ROADS:
                self._known.clear()
            road = self._known[key] = self._made(URL(url, encoded=True), headers)
            return road

    def _made(self, url: URL, headers: Mapping[str, str]) -> Road | None:
        if url.scheme not in ("http", "https") or not url.raw_host or url.raw_user or url.raw_password:
            return None
        said = CIMultiDict(self._usual)
        said.update(headers)
        return Road(url, said)


async def _free(
    connector: aiohttp.BaseConnector, road: Road, limits: aiohttp.ClientTimeout
) -> tuple[Connection, ResponseHandler]:
    """A connection on which nothing lies: what a server sent after its last answer must not be taken for the next."""
    while True:
        connection = await connector.connect(road.request, [], limits)
        protocol = connection.protocol
        assert protocol is not None
        if not protocol.should_close:
            return connection, protocol
        connection.close()


class Hop:
    """One request and its answer, as far as ``transport`` uses aiohttp's ``ClientResponse``.

    An alarm: it rings when the head, or all of the answer, takes too long.
    """

    __slots__ = ("_alarms", "connection", "content", "due", "headers", "status")

    content: aiohttp.StreamReader
    headers: CIMultiDictProxy[str]
    status: int

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self.connection: Connection | None = None
        self.due = 0.0

    async def go(
        self,
        connector: aiohttp.BaseConnector,
        road: Road,
        body: bytes,
        deadline: Deadline,
        limits: aiohttp.ClientTimeout,
    ) -> None:
        """Send, and wait for the head.

        Args:
            connector: has connections.
            road: where to.
            body: at most ``SMALL``.
            deadline: how long all of it may take, and its head.
            limits: what the deadline leaves to make a connection that is not there yet.

        Raises:
            TimeoutError: it does not come in time.
            aiohttp.ClientError, OSError: it does not come at all.
        """
        loop = self._alarms.loop
        end = loop.time() + deadline.total
        connection, protocol = await _free(connector, road, limits)
        self.connection = connection
        try:
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport = protocol.transport
            if transport is None or transport.is_closing():
                raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
            transport.write(b"%b%d\r\n\r\n%b" % (road.head, len(body), body))
            self.due = min(end, loop.time() + deadline.first_byte)
            self._alarms.set(self)
            message, content = await protocol.read()
            while 100 <= message.code <= 199 and message.code != 101:
                message, content = await protocol.read()
        except HttpProcessingError as error:
            self._end(closing=True)
            raise aiohttp.ClientPayloadError(f"not HTTP: {type(error).__name__}") from error
        except BaseException:
            self._end(closing=True)
            raise
        self.status, self.headers, self.content = message.code, message.headers, content
        if content.is_eof():
            self._end(closing=False)
            return
        self.due = end
        # The rest may take its time, but not be silent so long; ``chunks`` ends this and listens for itself.
        protocol.read_timeout = deadline.first_byte
        protocol.start_timeout()
        content.on_eof(self.release)

    def ring(self) -> None:
        """Time is up: whoever waits for the head or for the rest is told."""
        late = TimeoutError()
        if self.connection is not None and self.connection.protocol is not None:
            self.connection.protocol.set_exception(late)
        content: aiohttp.StreamReader | None = getattr(self, "content", None)
        if content is not None:
            content.set_exception(late)

    def release(self) -> None:
        """The answer has ended: another request may have the connection."""
        self._end(closing=False)

    def close(self) -> None:
        """Nobody waits for the rest of the answer: the server is told by the end of the connection."""
        if self.connection is not None and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        self._end(closing=True)

    def _end(self, *, closing: bool) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        self._alarms.drop(self)
        if closing:
            connection.close()
        else:
            connection.release()
