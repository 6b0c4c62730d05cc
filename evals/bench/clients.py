"""What a call of an upstream costs by client: `python -m evals.bench.clients`.

The clients take turns in one process, in blocks, against the fake upstream on the other core; a block's figure is
processor time of all threads, because some clients work in threads of their own. `pyreqwest` is measured where it
is installed, and is no dependency.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import uvloop

from evals.bench import payload
from evals.bench.process import free_port, spawn, stop
from router.upstream.base import Deadline
from router.upstream.transport import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Ask = Callable[[bytes], Awaitable[int]]  # body of the question -> bytes of the answer

_HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer sk-of-the-bench"}
_LIMITS = Deadline()
_BLOCK = 200  # questions a block; short, so that a busy moment falls on all


def ours(url: str) -> tuple[AiohttpTransport, Ask]:
    """The transport that serves: aiohttp, its deadlines set, its errors translated."""
    transport = AiohttpTransport()

    async def ask(body: bytes) -> int:
        response = await transport.send("POST", url, _HEADERS, body, _LIMITS)
        try:
            if b'"stream":true' not in body:
                return len(await response.read())
            return sum([len(chunk) async for chunk in response.chunks(_LIMITS.gap)])
        finally:
            response.close()

    return transport, ask


def bare(url: str) -> tuple[aiohttp.ClientSession, Ask]:
    """As the floor uses aiohttp."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

    async def ask(body: bytes) -> int:
        async with session.post(url, data=body, headers=_HEADERS) as answer:
            if answer.content_length is not None:
                return len(await answer.read())
            return sum([len(chunk) async for chunk in answer.content.iter_any()])

    return session, ask


def rust(url: str, *, threads: bool) -> tuple[Any, Ask]:
    """A client of pyreqwest with the same limits; `threads`: a runtime of as many as it likes instead of one."""
    from pyreqwest.client import ClientBuilder  # type: ignore[import-not-found, unused-ignore]

    client = (
        ClientBuilder()
        .runtime_multithreaded(threads)
        .max_connections(None)
        .no_proxy()
        .http1_only()
        .follow_redirects(False)
        .connect_timeout(timedelta(seconds=_LIMITS.connect))
        .read_timeout(timedelta(seconds=_LIMITS.first_byte))
        .timeout(timedelta(seconds=_LIMITS.total))
        .default_headers(_HEADERS)
        .build()
    )

    async def ask(body: bytes) -> int:
        if b'"stream":true' not in body:
            response = await client.post(url).body_bytes(body).build().send()
            return len(await response.bytes())
        # without the limit it hands over nothing before it has read 64 kB or the end: no first token in time
        asked = client.post(url).body_bytes(body).streamed_read_buffer_limit(0)
        async with asked.build_streamed() as response:
            size, reader = 0, response.body_reader
            while (chunk := await reader.read_chunk()) is not None:
                size += len(chunk)
            return size

    return client, ask


async def block(ask: Ask, body: bytes, count: int, in_flight: int) -> float:
    """Processor microseconds a question, of all threads."""
    left = count

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if not await ask(body):
                raise RuntimeError("an empty answer")

    before = time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return (time.process_time() - before) / count * 1e6


async def compare(url: str, args: argparse.Namespace) -> None:
    """Print the median of each client and of its paired difference to ours, with quartiles."""
    made: dict[str, tuple[Any, Ask]] = {"ours": ours(url), "aiohttp": bare(url)}
    if importlib.util.find_spec("pyreqwest"):
        made["pyreqwest"] = rust(url, threads=False)
        made["pyreqwest, threads"] = rust(url, threads=True)
    for kind, stream in (("a whole answer", False), ("a stream of 32 chunks", True)):
        body = payload.question(payload.MODEL, stream=stream)
        size = _BLOCK // 4 if stream else _BLOCK
        for _, ask in made.values():
            await block(ask, body, size, args.in_flight)
        rounds = [
            {name: await block(ask, body, size, args.in_flight) for name, (_, ask) in made.items()}
            for _ in range(args.rounds)
        ]
        print(f"{kind}, {args.in_flight} in flight: CPU us a question, median (quartiles); less ours")
        for name in made:
            own = [each[name] for each in rounds]
            less = [each[name] - each["ours"] for each in rounds]
            print(f"  {name:<20}{_spread(own)}   {_spread(less)}")
    for held, _ in made.values():
        await held.close()


def _spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:8,.0f} ({low:,.0f} to {high:,.0f})"


def main() -> None:
    """Start the upstream on the other core, compare."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.clients", description="Compare HTTP clients.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--in-flight", type=int, default=16)
    args = parser.parse_args()
    port, cores = free_port(), os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        command = (sys.executable, "-m", "evals.bench.upstream", "--port", str(port))
        upstream = spawn(command, max(cores), Path(name) / "upstream.log")
        try:
            os.sched_setaffinity(0, {min(cores)})
            time.sleep(0.5)
            uvloop.run(compare(f"http://127.0.0.1:{port}/v1/chat/completions", args))
        finally:
            stop(upstream)


if __name__ == "__main__":
    main()
