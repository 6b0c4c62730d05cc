"""Many open streams on one worker: `python -m evals.bench.streams`.

Two thousand streams are open, each with a chunk every two seconds; then one tenant posts a body of ten megabytes a
second, each another one, and the streams must not notice. The upstream stamps every chunk, so the added gap is what
stands between: the time from one chunk of a stream to its next, less the time between their sendings. In the same run,
by the same readers: without anybody between, through the bare floor, through us.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from evals.bench import meter, payload, report
from evals.bench.gaps import Gaps, Reader, Seen, open_streams
from evals.bench.load import questions_of, request_of
from evals.bench.measure import Bench, Plan, bench
from evals.bench.process import Target, free_port, on_core, start, stop
from evals.bench.sizes import prose
from router.registry.keys import KeyStore

if TYPE_CHECKING:
    from evals.bench.process import Running

RESULTS = Path(__file__).parents[1] / "results"
GOAL_MS = 5.0
_BLOCK = 100_000  # bytes of prose that a big body repeats
_FILES = 16_384  # descriptors: two a stream
_POSTERS = 2  # connections of the one who posts
_RAMP = 150.0  # streams that are opened a second

_COLUMNS = (
    "through",
    "open, lost",
    "window",
    "chunks",
    "gap p50 / p99 / p99.9 / max ms",
    "late p50 / p99 ms",
    "gateway's core",
    "readers' core",
    "posts",
)

CAVEATS = tuple(
    " ".join(paragraph.split())
    for paragraph in """
The gateway has one core. Upstream, readers and the one who posts share the other, so a chunk may also wait for them:
what `direct` shows is theirs.

Gap: how much longer a reader waited between two chunks of a stream than the upstream did between sending them. Half of
all gaps are below zero. Late: how long a chunk was on its way.

The floor only passes bytes on; it neither reads a body nor guards a chunk.

Whoever posts has the scheduler's idle class on the load core, or in the real-time class the lower rank (he waits for
the readers, not they for him); what the gateway does for him has no such mercy.

One window each: repeat it before a difference of a millisecond is believed.
""".strip().split("\n\n")
)


class Options(argparse.Namespace):
    """The arguments."""

    streams: int
    pace: float
    seconds: float
    posts: float
    megabytes: float
    peers: str
    lag: Path | None
    realtime: bool
    out: Path


def big_body(model: str, size: int) -> bytes:
    """A question of about ``size`` bytes with the load generator's mark in it."""
    block = prose(_BLOCK, 1)
    text = f"{payload.MARK} {block * max(1, round(size / len(block)))}"
    return payload.dump({"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 64})


@contextlib.asynccontextmanager
async def posting(target: Target, options: Options, core: int) -> AsyncIterator[dict[str, Any]]:
    """One tenant posts inside; afterwards the dictionary says what came of it."""
    made: dict[str, Any] = {}
    command = ["-m", "evals.bench.load", "--url", target.url, "--connections", str(_POSTERS)]
    command += ["--seconds", str(options.seconds + 1), "--rate", str(options.posts)]
    for name, value in target.headers.items():
        command += ["--header", f"{name}: {value}"]
    with on_core(core):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=pipe, stdout=pipe)
    low = (os.SCHED_RR, os.sched_param(1)) if options.realtime else (os.SCHED_IDLE, os.sched_param(0))
    os.sched_setscheduler(process.pid, *low)
    body = big_body(target.model, int(options.megabytes * 1e6))
    answer = asyncio.ensure_future(process.communicate(body))
    await asyncio.sleep(1)
    yield made
    made |= json.loads((await answer)[0])


def rank_threads(process: int) -> None:
    """The loop's thread goes before the others when it wakes, as it mostly does without a class."""
    for thread in (int(entry.name) for entry in Path(f"/proc/{process}/task").iterdir()):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(2 if thread == process else 1))


async def window(seen: Seen, seconds: float, session: int) -> dict[str, Any]:
    """What the readers see in so many seconds, and what the gateway and the readers use for it."""
    if os.sched_getscheduler(0) == os.SCHED_RR:
        rank_threads(session)
    mine, theirs, since = time.process_time(), meter.cpu_seconds(session), time.monotonic()
    seen.gaps = gaps = Gaps()
    await asyncio.sleep(seconds)
    seen.gaps = Gaps()
    took = time.monotonic() - since
    return {
        **gaps.summary(),
        "gateway_busy": (meter.cpu_seconds(session) - theirs) / took,
        "readers_busy": (time.process_time() - mine) / took,
    }


async def through(target: Target, poster: Target, session: int, options: Options, core: int) -> dict[str, Any]:
    """Open the streams, look, let one tenant post, look again."""
    seen = Seen()
    body = payload.question(target.model, stream=True, word=f"{payload.PACED}{options.pace * 1000:.0f}")
    questions = questions_of(request_of(target.url, dict(target.headers), body))
    requests = [next(questions) for _ in range(options.streams)]
    readers: list[Reader] = await open_streams(target.url, requests, _RAMP, seen)
    try:
        await asyncio.sleep(1)
        calm = await window(seen, options.seconds, session)
        async with posting(poster, options, core) as posts:
            busy = await window(seen, options.seconds, session)
    finally:
        for reader in readers:
            reader.close()
    made = {"open": seen.begun, "lost": seen.lost, "fault": seen.fault, "calm": calm, "posting": busy}
    names = ("ok", "errors", "fault", "p50_ms", "p99_ms")
    return {**made, "posts": {name: posts[name] for name in names}}


def begin(run: Bench, name: str, lag: Path | None) -> tuple[Running, Target]:
    """Start a peer; how its other tenant speaks to it."""
    port = free_port()
    launch = run.launch(name, port)
    headers: Mapping[str, str] = launch.headers
    if name == "stillhouse":
        _, token = KeyStore(Path(launch.env["STILLHOUSE_HOME"]) / "keys.json").add("poster", now=datetime.now(UTC))
        headers = {"authorization": f"Bearer {token}"}
        if lag is not None:
            watched = f"from evals.bench.lag import watch; watch(); {launch.command[2]}"
            command = (*launch.command[:2], watched, *launch.command[3:])
            launch = replace(launch, command=command, env={**launch.env, "BENCH_LAG": str(lag.absolute())})
    running = start(launch, port, run.plan.gateway_core, run.folder / f"{name}.log")
    return running, replace(running.target, headers=headers)


def measure(run: Bench, options: Options) -> dict[str, Any]:
    """Every peer in turn."""
    rows: dict[str, Any] = {}
    for name in ("direct", *filter(None, options.peers.split(","))):
        gc.collect()
        running: Running | None = None
        if name == "direct":
            target = poster = run.alone
            session = run.upstream.pid
        else:
            running, poster = begin(run, name, options.lag)
            target, session = running.target, running.session
        try:
            rows[name] = uvloop.run(through(target, poster, session, options, run.plan.load_core))
        finally:
            if running is not None:
                stop(running.process)
        one = rows[name]
        run.say(f"{name}: {one['open']} open, gap p99 {one['calm']['gap_p99_ms']:.2f} ms calm, "
                f"{one['posting']['gap_p99_ms']:.2f} ms while {one['posts']['ok']} bodies came")  # fmt: skip
    return rows


def result(rows: Mapping[str, Any], options: Options, facts: Mapping[str, Any]) -> dict[str, Any]:
    """All of it, ready to be written."""
    kept = ("date", "commit", "clean", "machine", "system", "load_average", "versions")
    asked = {name: getattr(options, name) for name in ("streams", "pace", "seconds", "posts", "megabytes", "realtime")}
    reached = None
    if "stillhouse" in rows:
        one = rows["stillhouse"]
        reached = one["open"] == options.streams and not one["lost"] and one["posting"]["gap_p99_ms"] <= GOAL_MS
    return {
        "caveats": list(CAVEATS),
        **{name: facts[name] for name in kept},
        **asked,
        "goal_ms": GOAL_MS,
        "reached": reached,
        "rows": dict(rows),
    }


def page(made: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = ["# Many open streams", "", *(f"- {caveat}" for caveat in made["caveats"]), ""]
    state = "" if made["clean"] else ", with uncommitted changes"
    load = f"load average {made['load_average'][0]:.1f} at the start"
    lines += [
        f"{made['date']}, commit {made['commit']}{state}; {made['machine']}, {made['system']}; {load}.",
        f"{made['streams']:,} streams on one worker, a chunk every {made['pace']:g} s each; windows of",
        f"{made['seconds']:g} s; {made['posts']:g} bodies of {made['megabytes']:g} MB a second.",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" * 9 + "|",
    ]
    for name, one in made["rows"].items():
        for key in ("calm", "posting"):
            w = one[key]
            gaps = " / ".join(f"{w[f'gap_{share}_ms']:.2f}" for share in ("p50", "p99", "p999", "max"))
            posts = f"{one['posts']['ok']}, {one['posts']['errors']} failed" if key == "posting" else "-"
            lines.append(
                f"| {name} | {one['open']:,}, {one['lost']} | {key} | {w['chunks']:,} | {gaps} | "
                f"{w['late_p50_ms']:.2f} / {w['late_p99_ms']:.2f} | {w['gateway_busy']:.0%} | "
                f"{w['readers_busy']:.0%} | {posts} |"
            )
    if made["reached"] is not None:
        word = "reached" if made["reached"] else "not reached"
        lines += ["", f"Goal, an added gap of at most {made['goal_ms']:g} ms at p99 while one tenant posts: {word}."]
    if made["realtime"]:
        lines += ["", "Measured in the real-time class, before all other work of a busy machine (`--realtime`)."]
    lines += ["", "For `direct` the gateway's core is the upstream's share.", ""]
    lines += ["Made by `python -m evals.bench.streams`.", ""]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, keep; 0 where every stream opened and stayed."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.streams", description="Many open streams, one worker.")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--pace", type=float, default=2.0, help="seconds between two chunks of a stream")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each window")
    parser.add_argument("--posts", type=float, default=1.0, help="bodies a second")
    parser.add_argument("--megabytes", type=float, default=10.0)
    parser.add_argument("--peers", default="floor,stillhouse")
    parser.add_argument("--lag", type=Path, help="put a probe into the gateway and write there what held its loop")
    parser.add_argument("--realtime", action="store_true", help="on a busy machine, as root: before all else that runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(argv, namespace=Options())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))
    plan = Plan(peers=tuple(options.peers.split(",")), repetitions=1, seconds=options.seconds)
    facts, cores = report.facts(plan), os.sched_getaffinity(0)
    gc.disable()  # ours, not the gateway's
    os.sched_setaffinity(0, {plan.load_core})
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, bench(plan, Path(folder), _say) as run:
            rows = measure(run, options)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)
        gc.enable()
    made = result(rows, options, facts)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench-streams.json").write_text(json.dumps(made, indent=1) + "\n")
    (options.out / "bench-streams.md").write_text(page(made))
    print(page(made))
    return 1 if any(one["lost"] or one["open"] < options.streams for one in rows.values()) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
