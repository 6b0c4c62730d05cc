"""The wire before a request is a request: what uvicorn's protocol leaves open is closed here.

uvicorn parses with llhttp, which is strict about framing (two lengths, a length beside chunks, bare line feeds and
folded headers end the connection). It sets no limit on a head's size, waits for ever for a head or a body that
does not come, takes trailers for headers, and loses the body of a request that offers an upgrade. One connection
is one ``Edge``; it costs a request three attribute writes.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from router.errors import BadRequest, HeadTooLarge, RequestTimeout, StillhouseError
from router.serve.http.respond import error_body
from router.serve.http.stuck import Stuck

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
SLOWEST = 16 * 1024
"""Bytes a second that a body must at least bring, on average, once ``read_seconds`` are over."""

_HOP_BY_HOP = frozenset({b"connection", b"upgrade", b"http2-settings"})
_TOO_MUCH = f"The request's head is larger than {MAX_HEAD_BYTES // 1024} KiB."
_NOT_HTTP = "This is not HTTP/1.1 as RFC 9112 writes it; the connection is closed."


class Edge(HttpToolsProtocol):
    """One connection. The limits are set by ``edge_of``."""

    read_seconds = 30.0
    stuck_seconds = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._open = False  # a request has begun to arrive and is not whole
        self._offers_upgrade = False
        self._feeding = 0
        self._head_bytes = 0
        self._received = 0
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stuck: Stuck | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Who connects must also speak."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        self._disarm()
        if self._stuck is not None:
            self._stuck.end()

    # --- what is not taken

    def pause_writing(self) -> None:
        """The caller's buffers are full."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = Stuck(self.loop, self.transport, self.stuck_seconds)
        self._stuck.begin()

    def resume_writing(self) -> None:
        """They are not any more."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.end()

    # --- what arrives

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, but every refusal has our shape and nothing may arrive without end."""
        self._unset_keepalive_if_required()
        self._feeding = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._stay_with_http(data[stopped.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(_cause_of(error))
        else:
            if self._open:
                self._watch(len(data))
            elif self._timer is not None:
                self._disarm()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = self._open = True

    def on_headers_complete(self) -> None:
        """A head is whole.

        Raises:
            StillhouseError: it may not be served; the parser hands it to ``data_received``.
        """
        size, self._in_head, self._head_bytes = self._head_bytes + self._feeding, False, 0
        if len(self.headers) > MAX_HEADERS:
            raise HeadTooLarge(f"The request has more than {MAX_HEADERS} headers.")
        if size > MAX_HEAD_BYTES and sum(len(n) + len(v) for n, v in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            raise HeadTooLarge(_TOO_MUCH)
        if self.parser.should_upgrade():
            self._offers_upgrade = True
            return
        if self.parser.get_http_version() == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise BadRequest(_NOT_HTTP)  # a 1.0 proxy on the way would not have seen where it ends
        super().on_headers_complete()
        self.headers = []  # trailers come the same way as headers; nothing reads them

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._open = False
        if not self._offers_upgrade:
            super().on_message_complete()

    def _stay_with_http(self, rest: bytes) -> None:
        """Answer an offer of another protocol in this one, as the offer allows.

        Java's HTTP client offers h2c with every POST; the parser stops behind such a head, so that its body
        would be lost. The head goes through a new parser without the offer, and the body follows.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(BadRequest(_NOT_HTTP))
            return
        self._offers_upgrade = False
        kept = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name not in _HOP_BY_HOP]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.data_received(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, self.url, b"".join(kept), rest))

    # --- what does not arrive

    def _watch(self, count: int) -> None:
        """A request is still arriving."""
        self._received += count
        if self._in_head:
            self._head_bytes += count
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadTooLarge(_TOO_MUCH))
                return
        if self._timer is None:
            self._received = count
            self._arm()

    def _arm(self) -> None:
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self.read_seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._received = 0

    def _late(self) -> None:
        """Time is up for what began to arrive: end it, unless it comes at a fair pace or it is us who do not read."""
        self._timer = None
        if self.transport.is_closing():
            return
        if self._busy() or self.flow.read_paused:
            left = self.read_seconds
        elif self._arriving() and not self._in_head:
            left = self.read_seconds + self._received / SLOWEST - (self.loop.time() - self._since)
        else:
            left = 0.0
        if left > 0:
            self._timer = self.loop.call_later(left, self._late)
        elif self._in_head or self._arriving():
            self._refuse(RequestTimeout("The request did not arrive in time; the connection is closed."))
        else:  # nobody spoke, or the rest belongs to a request that was refused long ago
            self.transport.close()

    def _arriving(self) -> bool:
        """A request's handler waits for the rest of its body."""
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    def _busy(self) -> bool:
        """A request that is whole is being answered."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _refuse(self, error: StillhouseError) -> None:
        """Answer in place of the application, where that cannot be taken for another request's answer, and close."""
        self._open = self._in_head = False
        self._disarm()
        if self.transport.is_closing():
            return
        if self._busy():  # what came behind a good request is not its fault
            self.cycle.keep_alive = False
            return
        begun = False
        if self._arriving():
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not begun:
            request_id = "req_" + os.urandom(12).hex()
            body = error_body(error, request_id)
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[error.status] + head % (len(body), request_id.encode()) + body)
        self.transport.close()


def _cause_of(error: httptools.HttpParserError) -> StillhouseError:
    cause = error.__context__
    return cause if isinstance(cause, StillhouseError) else BadRequest(_NOT_HTTP)


def edge_of(read_seconds: float, stuck_seconds: float) -> type[Edge]:
    """The protocol class with the operator's limits: uvicorn makes one object a connection and passes nothing on."""
    return type("Edge", (Edge,), {"read_seconds": read_seconds, "stuck_seconds": stuck_seconds})
