"""Readers of streams without end: how much later each chunk comes than it was sent, and than the one before it.

The fake upstream stamps every chunk with the clock that all processes of a machine share, so what is measured is what
lies between: the kernel, whoever stands in the middle, and the readers themselves.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from evals.bench.load import percentile

_STAMP = re.compile(rb'"created":(\d{12,})')
_END = b"\n\n"


@dataclass
class Gaps:
    """What came in one window. Nanoseconds.

    Attributes:
        late: of each chunk, how long it was on its way.
        added: of each but the first of a stream, how much longer the gap before it was than when it was sent.
    """

    late: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Milliseconds."""
        shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
        made: dict[str, Any] = {"chunks": len(self.late)}
        for name, values in (("gap", self.added), ("late", self.late)):
            made |= {f"{name}_{key}_ms": percentile(values, share) for key, share in shares.items()}
        return made


@dataclass
class Seen:
    """What all readers of a run share; ``gaps`` is exchanged at the beginning of a window."""

    gaps: Gaps = field(default_factory=Gaps)
    begun: int = 0
    lost: int = 0
    fault: str = ""


class Reader(asyncio.Protocol):
    """One stream."""

    __slots__ = ("_at", "_closed", "_rest", "_seen", "_sent", "_transport", "begun")

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._rest = b""
        self._sent = self._at = 0
        self._closed = False
        self.begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same shape

    def ask(self, request: bytes) -> None:
        """Begin the stream."""
        self._transport.write(request)

    def close(self) -> None:
        """Leave."""
        self._closed = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Note every chunk."""
        now = time.monotonic_ns()
        seen, data = self._seen, self._rest + data
        for stamp in _STAMP.finditer(data):
            sent = int(stamp[1])
            seen.gaps.late.append(now - sent)
            if self._sent:
                seen.gaps.added.append(now - self._at - (sent - self._sent))
            self._sent, self._at = sent, now
        if self._sent and not self.begun:
            self.begun = True
            seen.begun += 1
        elif not self._sent and not data.startswith(b"HTTP/1.1 200"):
            seen.fault = seen.fault or data[:300].decode("latin-1")
        self._rest = data[data.rfind(_END) + 2 :] if self._sent else b""

    def connection_lost(self, _: Exception | None) -> None:
        """A stream without end has ended."""
        if not self._closed:
            self._seen.lost += 1


async def open_streams(url: str, requests: list[bytes], a_second: float, seen: Seen) -> list[Reader]:
    """Begin one stream for each request, so many a second; when all have begun, or some never will."""
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for request in requests:
        _, reader = await loop.create_connection(lambda: Reader(seen), where.hostname, where.port)
        reader.ask(request)
        readers.append(reader)
        await asyncio.sleep(1 / a_second)
    for _ in range(200):
        if seen.begun + seen.lost >= len(readers):
            break
        await asyncio.sleep(0.05)
    return readers
