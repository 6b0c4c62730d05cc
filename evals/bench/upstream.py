"""The fake upstream: `python -m evals.bench.upstream --port P` answers canned bytes as fast as Python can.

It reads no more of a request than its length, whether it wants a stream, and the word that asks for a pause or a pace;
so one core serves it and the load generator beside it without being the limit. (For an upstream that
misbehaves, see the scripted one in the tests.)
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from typing import cast

import uvloop

from evals.bench import payload

_EDGE = 2048  # bytes at both ends of a request in which words are looked for
_PACED = re.compile(rb"PACED(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_BODY = payload.answer()
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)
_FAILED = b"HTTP/1.1 500 Oops\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_STREAMS = {
    wanted: [*(_framed(event) for event in payload.events(usage=wanted)), b"0\r\n\r\n"] for wanted in (False, True)
}
_STAMPED = payload.stamped()


class FakeUpstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = self._wanted = 0
        self._breaks = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same shape

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived whole."""
        self._size += len(data)
        if self._held:  # a big body is put together once, not once for each of its pieces
            self._held.append(data)
            if self._size < self._wanted:
                return
            data = b"".join(self._held)
        head = data.find(b"\r\n\r\n")
        length = None if head < 0 else _LENGTH.search(data, 0, head)
        self._wanted = head + 4 + (int(length[1]) if length else 0)
        if head < 0 or self._size < self._wanted:
            self._held = [data]
            return
        self._held, self._size = [], 0
        self._answer(data if len(data) < 4 * _EDGE else data[:_EDGE] + data[-_EDGE:])

    def _answer(self, data: bytes) -> None:
        if b'"stream":true' in data or b'"stream": true' in data:
            wanted = b'"include_usage":true' in data or b'"include_usage": true' in data
            self._transport.write(_STREAM_HEAD)
            self._breaks = payload.BREAK.encode() in data
            if paced := _PACED.search(data):
                self._paced(int(paced[1]) / 1000, 0)
            else:
                self._stream(_STREAMS[wanted], 0)
        elif payload.FAIL.encode() in data:
            self._transport.write(_FAILED)
        elif payload.PAUSE.encode() in data:
            self._loop.call_later(payload.PAUSE_SECONDS, self._transport.write, _WHOLE)
        else:
            self._transport.write(_WHOLE)

    def _paced(self, seconds: float, at: int) -> None:
        if not self._transport.is_closing():
            self._transport.write(_framed(_STAMPED[at % payload.CHUNKS] % time.monotonic_ns()))
            self._loop.call_later(seconds, self._paced, seconds, at + 1)

    def _stream(self, frames: list[bytes], at: int) -> None:
        if self._transport.is_closing():
            return
        if self._breaks and at == payload.CHUNKS // 2:
            self._transport.close()
            return
        if at == payload.CHUNKS:  # what follows the text comes at once, as it does from real servers
            self._transport.write(b"".join(frames[at:]))
            return
        self._transport.write(frames[at])
        self._loop.call_later(payload.CHUNK_SECONDS, self._stream, frames, at + 1)


async def serve(port: int) -> None:
    """Answer until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(FakeUpstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answer canned completions.")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
