"""Where the hot path spends its time: `python -m evals.bench.profile`.

The gateway of `stillhouse.yaml` is built in this process and asked through its ASGI door, without an HTTP
server, against the fake upstream on a real socket. A timer that counts processor time interrupts it again and
again and notes the stack: that is fair to small functions, where a tracing profiler (`--exact`, which counts
calls) charges each call several times its cost.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import uvloop

from evals.bench import payload
from evals.bench.flame import svg
from evals.bench.load import questions_of
from evals.bench.peers import Launch, stillhouse
from evals.bench.process import free_port, spawn, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from types import FrameType

_TICK = 0.001  # seconds of processor time between samples
_ROOT = f"{Path(__file__).parents[2]}/"
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}/"
_PATH = "/v1/chat/completions"


class Sampler:
    """Counts which function ran when the timer fired, in which package, and which were on the stack.

    The timer counts all threads, but only the main one is looked at. Where it has used less than half of the
    time since the last sample, another thread did (the ledger's writer), and the sample is counted as such.
    The kernel rounds the tick up to its own, so expect some 250 samples a second.
    """

    def __init__(self) -> None:
        self.packages: Counter[str] = Counter()
        self.own: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.under: Counter[str] = Counter()
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self._process = self._thread = 0.0

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGPROF, self._note)
        signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, self._before)

    def _note(self, _: int, frame: FrameType | None) -> None:
        process, thread = time.process_time(), time.thread_time()
        others = thread - self._thread < (process - self._process) / 2
        self._process, self._thread = process, thread
        if others or frame is None:
            self.packages["(other threads)"] += 1
            self.own["(other threads)"] += 1
            return
        self.packages[_package(frame)] += 1
        self.own[_name(frame)] += 1
        self.lines[f"{_file(frame)}:{frame.f_lineno}"] += 1
        stack = tuple(_stack(frame))
        self.under.update(set(stack))
        self.stacks[stack[::-1]] += 1


def _stack(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield _name(frame)
        frame = frame.f_back


def _name(frame: FrameType) -> str:
    return f"{_file(frame)} {frame.f_code.co_qualname}"


def _file(frame: FrameType) -> str:
    """Ours from the root of the project, others from their package."""
    path = frame.f_code.co_filename
    return path.removeprefix(_ROOT).rpartition("site-packages/")[2].rpartition(_PYTHON)[2]


def _package(frame: FrameType) -> str:
    file = _file(frame)
    first, *rest = file.split("/")
    ours = first in {"router", "guardrails", "policies", "evals"}
    return f"{first}/{rest[0]}" if ours and rest else first


def scope_of(launch: Launch) -> dict[str, Any]:
    """The head of a request as uvicorn would hand it over."""
    headers = {"host": "localhost", "content-type": "application/json", "accept": "*/*", **launch.headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": _PATH,
        "raw_path": _PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def ask(app: Any, scope: dict[str, Any], body: bytes) -> bytes:
    """One request through the ASGI door; the body of its answer.

    Raises:
        RuntimeError: the answer is not a 200.
    """
    gone = asyncio.Event()
    asked = False
    answer = bytearray()
    status = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await gone.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            answer.extend(message.get("body", b""))

    sized = [*scope["headers"], (b"content-length", str(len(body)).encode())]
    await app({**scope, "headers": sized, "state": {}}, receive, send)
    gone.set()
    if status != 200:
        raise RuntimeError(f"{status}: {bytes(answer[:300])!r}")
    return bytes(answer)


@dataclass(frozen=True, slots=True)
class Used:
    """Processor microseconds a request: all threads, and the one that serves."""

    process: float
    thread: float


async def drive(app: Any, launch: Launch, count: int, *, stream: bool, in_flight: int) -> Used:
    """Ask `count` times, so many at once."""
    scope, questions = scope_of(launch), questions_of(payload.question(launch.model, stream=stream))
    left = count

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask(app, scope, next(questions))

    process, thread = time.process_time(), time.thread_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    process, thread = time.process_time() - process, time.thread_time() - thread
    return Used(process / count * 1e6, thread / count * 1e6)


async def profile(args: argparse.Namespace, launch: Launch, config: Path) -> None:
    """Build the gateway, warm it up, drive it under the profiler, print."""
    from router.serve.app import create_app
    from router.serve.settings import load_settings

    app = create_app(load_settings(config))
    async with app.router.lifespan_context(app):
        first = await ask(app, scope_of(launch), payload.question(launch.model, stream=args.stream))
        if fault := payload.fault_of(first, stream=args.stream):
            raise RuntimeError(fault)
        how = {"stream": args.stream, "in_flight": args.in_flight}
        await drive(app, launch, args.requests // 4, **how)
        bare = await drive(app, launch, args.requests, **how)
        print(f"{bare.process:,.0f} CPU us a request without an HTTP server", end=", ")
        print(f"{bare.thread:,.0f} of them in the thread that serves\n")
        if args.exact:
            await _traced(app, launch, args, how)
            return
        with Sampler() as sampler:
            await drive(app, launch, args.requests, **how)
        _print(sampler, bare.process, args.top)
        if args.flame:
            kind = "a stream of 32 chunks" if args.stream else "a whole answer"
            title = f"Where {kind} spends its time: {bare.thread:,.0f} us of processor time a request"
            args.flame.write_text(svg(from_serving(sampler.stacks), title))


async def _traced(app: Any, launch: Launch, args: argparse.Namespace, how: dict[str, Any]) -> None:
    tracer = cProfile.Profile()
    tracer.enable()
    await drive(app, launch, args.requests, **how)
    tracer.disable()
    pstats.Stats(tracer, stream=sys.stdout).sort_stats("tottime").print_stats(args.top)


def from_serving(stacks: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """The stacks from our own door on; what drives it is not drawn."""
    cut: Counter[tuple[str, ...]] = Counter()
    for stack, count in stacks.items():
        at = next((i for i, name in enumerate(stack) if name.startswith("router/")), None)
        if at is not None:
            cut[stack[at:]] += count
        elif any(name.startswith(("aiohttp/", "asyncio/")) for name in stack):
            cut["the loop", *(name for name in stack if name.startswith("aiohttp/"))] += count
    return cut


def _print(sampler: Sampler, cpu_us: float, top: int) -> None:
    """Shares of the samples, and what they are in microseconds a request."""
    total = sampler.own.total()
    # what nearly every stack holds is the way in, and says nothing
    under = Counter({name: count for name, count in sampler.under.items() if count < 0.8 * total})
    tables = {
        "own time by package": sampler.packages,
        "own time": sampler.own,
        "with what it calls": under,
        "lines": sampler.lines,
    }
    for title, counts in tables.items():
        print(f"{title}: share, us a request")
        for name, count in counts.most_common(top):
            print(f"  {count / total:6.1%} {count / total * cpu_us:7.1f}  {name}")
        print()


def main() -> None:
    """Set the stage: fake upstream on the other core, settings and keys in a folder of their own."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.profile", description="Profile the hot path.")
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--flame", type=Path, help="write a flame graph (SVG) there, too")
    parser.add_argument("--exact", action="store_true", help="trace every call (cProfile) instead of sampling")
    args = parser.parse_args()
    port = free_port()
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        launch = stillhouse(folder, 0, port)
        os.environ.update(launch.env)
        command = (sys.executable, "-m", "evals.bench.upstream", "--port", str(port))
        upstream = spawn(command, max(cores), folder / "upstream.log")
        try:
            os.sched_setaffinity(0, {min(cores)})
            time.sleep(0.5)  # the upstream answers within this; a gateway that finds nobody would back off
            uvloop.run(profile(args, launch, folder / "stillhouse.yaml"))
        finally:
            stop(upstream)


if __name__ == "__main__":
    main()
