"""``python -m evals.runs.measure``: what the runner costs, and what a killed run loses.

It writes ``evals/results/runner.json`` and ``.md``.

Everything is the real command in a process of its own, in front of a server on the loopback address that answers at
once. Wall time says what else this machine was doing; beside it stand processor time, and that of a plain loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web

from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[1] / "results"
ROWS: Final = 10_000
SMALL: Final = 24
WORKERS: Final = 8
KILLS: Final = 10
_WORDS: Final = ("alpha", "beta", "gamma", "delta", "rho", "tau", "omega", "sigma")
_SUITE: Final = """\
suite: measured
about: Made by evals.runs.measure.
data: {{file: rows.jsonl}}
config: stillhouse.yaml
params: {{max_tokens: 16}}
targets: [{{name: asked, {target}}}]
scorers: [exact, {{similarity: {{}}, weight: 0}}]
slices: [language, task]
assert: ["errors <= 0%", "quality >= 0%", {{that: quality >= 0%, each: task}}, "cost <= 100 usd"]
parallel: {parallel}
"""
_SETTINGS: Final = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers:
  - {{tier: small, upstream: up, model: s, price: {{input: 1, output: 2}}}}
  - {{tier: medium, upstream: up, model: m, price: {{input: 3, output: 6}}}}
  - {{tier: large, upstream: up, model: l, price: {{input: 9, output: 18}}}}
"""


class Spent(NamedTuple):
    """One run of the command."""

    wall_s: float
    cpu_s: float
    calls: int
    known: int


class Server:
    """Answers every chat at once, or after a pause, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pause = 0.0
        self.arrived = asyncio.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["messages"][-1]["content"])
        self.arrived.set()
        await asyncio.sleep(self.pause)
        message = {"role": "assistant", "content": f"{len(self.asked) % 7} {' '.join(_WORDS)}"}
        usage = {"prompt_tokens": 70, "completion_tokens": 9, "total_tokens": 79}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"id": "a", "object": "chat.completion", "choices": [choice], "usage": usage})


class Place:
    """A folder with a suite, a home, and the server in front of which it runs."""

    def __init__(self, folder: Path, server: Server, rows: int, parallel: int, target: str = "tier: small") -> None:
        folder.mkdir()
        self._folder = folder
        (folder / "suite.yaml").write_text(_SUITE.format(parallel=parallel, target=target), "utf-8")
        (folder / "stillhouse.yaml").write_text(_SETTINGS.format(url=server.url), "utf-8")
        lines = [
            json.dumps(
                {"id": f"r{n:05}", "prompt": f"question {n}: {' '.join(_WORDS[(n + k) % 8] for k in range(60))}",
                 "reference": str(n % 7), "language": "ko" if n % 2 else "en", "task": "abcdef"[n % 6]}
            )
            for n in range(rows)
        ]  # fmt: skip
        (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")

    async def begin(self, *options: str) -> asyncio.subprocess.Process:
        """The command."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stillhouse.cli", "eval", str(self._folder / "suite.yaml"), "--json", *options,
            env=_environment(self._folder / "home"),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, *options: str) -> Spent:
        """The command to its end.

        Raises:
            RuntimeError: it did not pass.
        """
        before, since = _children(), time.perf_counter()
        process = await self.begin(*options)
        out, err = await process.communicate()
        wall = time.perf_counter() - since
        if process.returncode:
            raise RuntimeError(f"the suite did not pass: {err.decode()[-2000:]}")
        said = json.loads(out)
        return Spent(round(wall, 3), round(_children() - before, 3), said["calls"], said["cached"])


def _environment(home: Path) -> dict[str, str]:
    """As of an installed program, which keeps its compiled modules."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(home.parents[1] / "compiled"), **kept, "STILLHOUSE_HOME": str(home)}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _loop() -> float:
    """Processor seconds of ten million additions: what this machine is worth at the moment."""
    since, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return round(time.process_time() - since, 3)


async def measure(rows: int, kills: int) -> dict[str, Any]:
    """All figures."""
    server = Server()
    await server.start()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            small = Place(Path(scratch) / "small", server, SMALL, 4)
            whole = Place(Path(scratch) / "whole", server, SMALL, 4, "gateway: {policy: balanced}")
            large = Place(Path(scratch) / "large", server, rows, 32)
            found: dict[str, Any] = {
                "first run, small": (await small.run())._asdict(),
                "finished, small": (await small.run())._asdict(),
                "first run, small, the whole gateway": (await whole.run())._asdict(),
                "finished, small, the whole gateway": (await whole.run())._asdict(),
                "first run": (await large.run())._asdict(),
                "finished": (await large.run())._asdict(),
                "finished, with page": (await large.run("--html", str(Path(scratch) / "r.html")))._asdict(),
            }
            lost = [await _killed(Path(scratch) / f"kill{n}", server, n) for n in range(kills)]
        finally:
            await server.stop()
    return {
        "rows": rows,
        "small_rows": SMALL,
        "loop_cpu_s": _loop(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "runs": found,
        "killed": {"kills": kills, "workers": WORKERS, "asked_again": lost, "most_a_worker": max(lost) / WORKERS},
    }


async def _killed(folder: Path, server: Server, number: int) -> int:
    """Kill a run at some place in its middle, run it again: how many questions were asked twice."""
    place, count = Place(folder, server, 200, WORKERS), 20 + 15 * number
    server.asked.clear()
    server.pause = 0.01
    process = await place.begin()
    while len(server.asked) < count:
        server.arrived.clear()
        await server.arrived.wait()
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    await place.run()
    server.pause = 0.0
    return len(server.asked) - len(set(server.asked))


def markdown(result: dict[str, Any]) -> str:
    """The page."""
    killed, lines = result["killed"], []
    for name, spent in result["runs"].items():
        rows = result["small_rows"] if "small" in name else result["rows"]
        lines.append(f"| {name} | {rows:,} | {spent['calls']:,} | {spent['wall_s']} | {spent['cpu_s']} |")
    again = (
        f"Killed {killed['kills']} times with {killed['workers']} workers and begun again: "
        f"{killed['asked_again']} questions asked twice, at most {killed['most_a_worker']:.2f} a worker."
    )
    return "\n".join(
        [
            "# The runner of suites",
            "",
            f"`{result['command']}`, {result['date']}, {result['commit']}, {result['machine']}.",
            f"Ten million additions took {result['loop_cpu_s']} s of processor time; load {result['load'][0]}.",
            "",
            "| run | rows | calls | wall s | processor s |",
            "|---|---|---|---|---|",
            *lines,
            "",
            again,
            "",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m evals.runs.measure", description="Measure the runner.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    command = f"python -m evals.runs.measure --rows {options.rows} --kills {options.kills}"
    result = {**stamp(command), **asyncio.run(measure(options.rows, options.kills))}
    (options.out / "runner.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (options.out / "runner.md").write_text(markdown(result), "utf-8")
    print(markdown(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
