"""The load generator: `python -m evals.bench.load` drives one server and prints what it saw as JSON.

Two ways. Closed loop: each connection asks again as soon as it has its answer, which finds the server's
throughput. Open loop (`--rate`): questions leave on a clock whatever the answers do, and latency counts from
the instant a question was due, so a slow server cannot hide behind the questions it kept waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from evals.bench import payload

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n0\r\n\r\n"
_GRACE = 10.0  # seconds to wait for the last answers


@dataclass
class Tally:
    """What came back. Times are nanoseconds."""

    whole: list[int] = field(default_factory=list)  # question due -> last byte
    first: list[int] = field(default_factory=list)  # question due -> first `data:`
    events: int = 0
    bad: int = 0
    lost: int = 0  # connections that broke while an answer was due
    fault: str = ""


class Client(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self, questions: Iterator[bytes], tally: Tally, free: Any) -> None:
        self._questions = questions
        self._tally = tally
        self._free = free  # called with this client when it may ask again
        self._buffer = b""
        self._due: int | None = None
        self._seen_first = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same shape

    def ask(self, due: int) -> None:
        """Send the question that was due at `due`."""
        self._due = due
        self._seen_first = False
        self._transport.write(next(self._questions))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Find the end of the answer, and the first event on the way."""
        data = self._buffer = self._buffer + data if self._buffer else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        if not self._seen_first and data.find(b"data:", head) > 0 and self._due is not None:
            self._seen_first = True
            self._tally.first.append(time.perf_counter_ns() - self._due)
        length = _LENGTH.search(data, 0, head)
        if length:
            if len(data) < head + 4 + int(length[1]):
                return
        elif not data.endswith(_END):
            return
        self._answered(data)

    def _answered(self, data: bytes) -> None:
        self._buffer = b""
        assert self._due is not None
        tally = self._tally
        tally.whole.append(time.perf_counter_ns() - self._due)
        self._due = None
        if data[9:12] != b"200":
            tally.bad += 1
            tally.fault = tally.fault or data[:300].decode("latin-1")
        if self._seen_first:
            tally.events += data.count(b"data:")
        self._free(self)

    def connection_lost(self, _: Exception | None) -> None:
        """An answer that was due will not come."""
        if self._due is not None:
            self._tally.lost += 1


async def _connect(url: str, questions: Iterator[bytes], tally: Tally, free: Any) -> Client:
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(questions, tally, free), where.hostname, where.port)
    return client


async def closed_loop(url: str, questions: Iterator[bytes], seconds: float, connections: int) -> Tally:
    """Ask on every connection again and again."""
    tally = Tally()
    finished = asyncio.Event()
    open_ = connections
    end = time.perf_counter_ns() + int(seconds * 1e9)

    def again(client: Client) -> None:
        nonlocal open_
        now = time.perf_counter_ns()
        if now < end:
            client.ask(now)
            return
        open_ -= 1
        if not open_:
            finished.set()

    clients = [await _connect(url, questions, tally, again) for _ in range(connections)]
    for client in clients:
        client.ask(time.perf_counter_ns())
    await _quietly(finished, seconds + _GRACE)
    for client in clients:
        client.close()
    return tally


async def open_loop(url: str, questions: Iterator[bytes], seconds: float, connections: int, rate: float) -> Tally:
    """Ask `rate` times a second on whichever connection is free."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()
    free: deque[Client] = deque()
    waiting: deque[int] = deque()
    total = int(seconds * rate)

    def done(client: Client) -> None:
        if waiting:
            client.ask(waiting.popleft())
        else:
            free.append(client)
        if len(tally.whole) == total:
            finished.set()

    def due() -> None:
        # the loop's timers are a millisecond coarse, so a question counts from when its timer fired
        now = time.perf_counter_ns()
        if free:
            free.popleft().ask(now)
        else:
            waiting.append(now)

    clients = [await _connect(url, questions, tally, done) for _ in range(connections)]
    free.extend(clients)
    start = loop.time() + 0.05
    for i in range(total):
        loop.call_at(start + i / rate, due)
    await _quietly(finished, seconds + _GRACE)
    for client in clients:
        client.close()
    return tally


async def _quietly(finished: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(finished.wait(), seconds)
    except TimeoutError:
        return  # the tally shows what is missing


def request_of(url: str, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of one POST."""
    where = urlsplit(url)
    fields = {
        "host": where.netloc,
        "content-type": "application/json",
        **headers,
        "content-length": str(len(body)),
    }
    lines = "\r\n".join(f"{name}: {value}" for name, value in fields.items())
    return f"POST {where.path} HTTP/1.1\r\n{lines}\r\n\r\n".encode() + body


def questions_of(request: bytes) -> Iterator[bytes]:
    """The request again and again, each time with another word in the place of its mark.

    The first word comes from the clock, ten microseconds a word: faster than any phase asks, so that no later
    phase repeats an earlier one's questions.
    """
    first = time.time_ns() // 10_000
    before, mark, after = request.partition(payload.MARK.encode())
    if not mark:
        return itertools.repeat(request)
    return (before + payload.word(number) + after for number in itertools.count(first))


def percentile(values: list[int], share: float) -> float | None:
    """The value below which `share` of the values lie, in milliseconds; None where there are none."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] / 1e6


def summary(tally: Tally, seconds: float) -> dict[str, Any]:
    """The tally in the terms of the report: rates a second, latencies in milliseconds."""
    ok = len(tally.whole) - tally.bad
    return {
        "ok": ok,
        "errors": tally.bad + tally.lost,
        "fault": tally.fault,
        "rps": ok / seconds,
        "p50_ms": percentile(tally.whole, 0.5),
        "p99_ms": percentile(tally.whole, 0.99),
        "ttft_p50_ms": percentile(tally.first, 0.5),
        "ttft_p99_ms": percentile(tally.first, 0.99),
        "events": tally.events,
        "load_cpu_s": time.process_time(),
    }


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Drive the server as the arguments say."""
    headers = dict(pair.split(": ", 1) for pair in args.header)
    request = request_of(args.url, headers, sys.stdin.buffer.read())
    questions = questions_of(request)
    start = time.perf_counter()
    if args.rate:
        tally = await open_loop(args.url, questions, args.seconds, args.connections, args.rate)
    else:
        tally = await closed_loop(args.url, questions, args.seconds, args.connections)
    return summary(tally, time.perf_counter() - start)


def main() -> None:
    """Read the body from standard input, drive the server, print one JSON object."""
    parser = argparse.ArgumentParser(description="Drive one server and measure it.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--header", action="append", default=[], help="'name: value'; may be repeated")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.0, help="open loop: questions a second")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
