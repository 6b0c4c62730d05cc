"""Our own small HTTP client Protocol, and aiohttp behind it.

One class knows aiohttp; it translates aiohttp's errors to ours, once. (A call through httpx costs
twenty times the CPU of one through aiohttp, which is why httpx is not on this path.)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

import aiohttp
from yarl import URL

from router.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from router.sockets import give_up_after, look_for_life
from router.upstream.base import Deadline

Body = bytes | AsyncIterator[bytes] | None  # at once, as it arrives, or none
MAX_ANSWER_BYTES = 64 * 1024 * 1024
DEAD_SECONDS = 10.0  # a server whose machine or network acknowledges nothing for so long

# Said outright: aiohttp would add its own, and telling it not to costs more than saying them. ``identity``,
# because nothing here decompresses.
_USUAL_HEADERS = {"User-Agent": "stillhouse", "Accept": "*/*", "Accept-Encoding": "identity"}


class Response(Protocol):
    """An HTTP answer whose body has not been read yet."""

    status: int

    def header(self, name: str) -> str:
        """The value of a header, or an empty string."""
        ...

    async def read(self) -> bytes:
        """The whole body."""
        ...

    def chunks(self, gap: float) -> AsyncIterator[bytes]:
        """The body as it arrives; ``gap`` is the longest silence allowed, in seconds."""
        ...

    def close(self) -> None:
        """Drop the connection unless the body was read to its end."""
        ...


class Transport(Protocol):
    """Sends a request and returns when the answer's head has arrived."""

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Body, deadline: Deadline) -> Response:
        """Raises ``UpstreamUnavailable`` or ``UpstreamTimeout``."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Silence:
    """Ends a wait for bytes that lasts longer than ``gap`` seconds, which time spent elsewhere does not count to.

    One timer looks after all waits of a stream and is set anew only when it has run out, to when the present wait
    would be too long: a timeout around every wait costs as much as reading what it waits for.
    """

    __slots__ = ("_content", "_gap", "_loop", "_since", "_timer")

    def __init__(self, content: aiohttp.StreamReader, gap: float) -> None:
        self._content, self._gap = content, gap
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begins(self) -> None:
        """A wait begins."""
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(self._since + self._gap, self._look)

    def ends(self) -> None:
        """Something came."""
        self._since = None

    def over(self) -> None:
        """Nothing is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return  # the next wait sets a timer of its own
        due = self._since + self._gap
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._content.set_exception(TimeoutError())


class _AiohttpResponse:
    __slots__ = ("_response", "_silence", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._silence: Silence | None = None
        self.status = response.status

    def header(self, name: str) -> str:
        return self._response.headers.get(name, "")

    async def read(self) -> bytes:
        content = self._response.content
        try:
            body = await content.read(MAX_ANSWER_BYTES)
            if content.at_eof():
                return body
            parts = [body]  # a body in several parts, or one beyond the limit
            size = len(body)
            while part := await content.readany():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise UpstreamInvalid("The model's answer is larger than the gateway accepts.")
                parts.append(part)
            return b"".join(parts)
        except TimeoutError:
            raise UpstreamTimeout("The model's server stopped in the middle of its answer.") from None
        except (aiohttp.ClientError, ConnectionError):
            raise UpstreamUnavailable("The model's server broke off its answer.") from None

    async def chunks(self, gap: float) -> AsyncIterator[bytes]:
        content = self._response.content
        silence = self._silence = Silence(content, gap)
        self._end_timeout_of_head()
        try:
            while True:
                if content.is_eof() or content._buffer:  # noqa: SLF001  (aiohttp has no public "is there data")
                    chunk = content.read_nowait()
                else:
                    silence.begins()
                    chunk = await content.readany()
                    silence.ends()
                if not chunk and content.at_eof():
                    return
                yield chunk
        except TimeoutError:
            raise UpstreamTimeout("The model's server fell silent in the middle of its answer.") from None
        except (aiohttp.ClientError, ConnectionError):
            raise UpstreamUnavailable("The model's server broke off its answer.") from None
        finally:
            silence.over()

    def _end_timeout_of_head(self) -> None:
        """``sock_read`` has done its work; aiohttp would set its timer anew with every chunk."""
        connection = self._response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = None
            connection.protocol.start_timeout()

    def close(self) -> None:
        if self._silence is not None:
            self._silence.over()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


@lru_cache(maxsize=256)
def _timeout(deadline: Deadline) -> aiohttp.ClientTimeout:
    """``sock_read`` waits for the head and a whole body; inside a stream ``chunks`` watches ``gap`` itself."""
    return aiohttp.ClientTimeout(total=deadline.total, sock_connect=deadline.connect, sock_read=deadline.first_byte)


def _watched(info: tuple[Any, ...]) -> socket.socket:
    """A socket whose dead peer is noticed, though nothing is to be sent to it."""
    made = socket.socket(info[0], info[1], info[2])
    made.setblocking(False)
    give_up_after(made, DEAD_SECONDS)
    look_for_life(made)
    return made


@lru_cache(maxsize=256)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


class AiohttpTransport:
    """aiohttp without its conveniences: no cookies, no redirects, no decompression, no proxies from env."""

    def __init__(self, *, limit: int = 0) -> None:
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limit, ttl_dns_cache=60, enable_cleanup_closed=False, socket_factory=_watched
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers=_USUAL_HEADERS,
            )
        return self._session

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Body, deadline: Deadline) -> Response:
        try:
            response = await self._open().request(
                method, _url(url), data=body, headers=headers, timeout=_timeout(deadline), allow_redirects=False
            )
        except TimeoutError:
            raise UpstreamTimeout("The model's server did not answer in time.") from None
        except aiohttp.ClientConnectorError:
            raise UpstreamUnavailable("The model's server cannot be reached.") from None
        except (aiohttp.ClientError, ConnectionError, OSError):
            raise UpstreamUnavailable("The model's server closed the connection.") from None
        return _AiohttpResponse(response)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
