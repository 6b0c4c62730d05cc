"""A long run of mixed requests: does anything leak, and do the sums agree? `python -m evals.bench.soak`.

Whole answers and streams, callers who leave in the middle of either, an upstream that fails or breaks off. After it:
one ledger row for every request, the ledger's sums equal to the counters on `/metrics`, no file descriptor, request or
thread more than at the start, and memory as it was after the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evals.bench import meter, payload, report
from evals.bench.load import request_of
from evals.bench.measure import Plan, bench
from evals.bench.process import stop

if TYPE_CHECKING:
    from evals.bench.process import Running

RESULTS = Path(__file__).parent.parent / "results"
#: Share of each kind; what it does is in `Caller.ask`.
MIX = {"whole": 50, "stream": 28, "leaves_stream": 8, "leaves_whole": 5, "fails": 4, "breaks": 5}
SLACK = 4  # descriptors and threads: connections to the upstream come and go
_METRIC = re.compile(r"^(stillhouse_\w+?)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


class Caller:
    """Asks on a connection of its own for every request, as clients behind a balancer do."""

    def __init__(self, running: Running, seed: int, words: Any) -> None:
        where = urlsplit(running.target.url)
        self._where = (where.hostname, where.port)
        self._running = running
        self._draw = random.Random(seed)  # noqa: S311 - it picks kinds of requests
        self._words = words
        self.sent: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()

    async def ask(self, kind: str) -> None:
        """One request, and whether its end is the one its kind must have."""
        word = {"fails": payload.FAIL, "breaks": payload.BREAK, "leaves_whole": payload.PAUSE}.get(kind, "")
        stream = kind in {"stream", "leaves_stream", "breaks"}
        body = payload.question(self._running.target.model, stream=stream, word=word)
        body = body.replace(payload.MARK.encode(), payload.word(next(self._words)))
        reader, writer = await asyncio.open_connection(*self._where)
        try:
            headers = {**self._running.target.headers, "connection": "close"}
            writer.write(request_of(self._running.target.url, headers, body))
            await writer.drain()
            self.sent[kind] += 1
            if kind == "leaves_whole":
                await asyncio.sleep(payload.PAUSE_SECONDS / 2)
            elif kind == "leaves_stream":
                await reader.read(1)
            elif not _fits(kind, said := await reader.read(-1)):
                self.odd[f"{kind}: {said[:80]!r}"] += 1
        except ConnectionError as error:
            self.odd[f"{kind}: {type(error).__name__}"] += 1
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def work(self, left: list[int]) -> None:
        """Ask until the shared count is used up."""
        kinds, weights = list(MIX), list(MIX.values())
        while left[0] > 0:
            left[0] -= 1
            await self.ask(self._draw.choices(kinds, weights)[0])


def _fits(kind: str, said: bytes) -> bool:
    status = said[9:12]
    if kind == "fails":
        return status[:1] == b"5"
    if kind == "breaks":
        return status == b"200" and b"[DONE]" not in said and b'"error"' in said
    return status == b"200" and (kind == "whole" or b"[DONE]" in said)


async def ask_all(running: Running, count: int, in_flight: int, seed: int) -> list[Caller]:
    """So many requests, so many at once."""
    words = iter(range(time.time_ns() // 10_000, sys.maxsize))
    callers = [Caller(running, seed + number, words) for number in range(in_flight)]
    left = [count]
    await asyncio.gather(*(caller.work(left) for caller in callers))
    return callers


def state_of(running: Running) -> dict[str, float]:
    """What could leak: memory, descriptors, threads."""
    pid = running.session
    return {
        "memory_mb": meter.memory_mb(pid),
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
    }


def metrics_of(running: Running) -> Counter[str]:
    """The sums over all labels of every counter and gauge on `/metrics`."""
    where = urlsplit(running.target.url)
    asked = urllib.request.Request(f"http://{where.netloc}/metrics", headers=dict(running.target.headers))
    with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - our own server
        page = answer.read().decode()
    sums: Counter[str] = Counter()
    for name, _, value in _METRIC.findall(page):
        sums[name] += float(value)  # type: ignore[assignment]
    return sums


def ledger_of(path: Path) -> dict[str, Any]:
    """What the ledger says: rows, outcomes, sums."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows, ids, cost, tokens = db.execute(
            "SELECT count(*), count(DISTINCT id), sum(cost_nano), sum(tokens_in) + sum(tokens_out) FROM requests"
        ).fetchone()
        (attempts,) = db.execute("SELECT sum(cost_nano) FROM attempts").fetchone()
        outcomes = dict(db.execute("SELECT outcome, count(*) FROM requests GROUP BY outcome").fetchall())
    return {
        "rows": rows, "ids": ids, "cost_nano": cost, "attempts_cost_nano": attempts, "tokens": tokens,
        "outcomes": outcomes,
    }  # fmt: skip


def soak(count: int, in_flight: int, seed: int, settle: float, folder: Path) -> dict[str, Any]:
    """Ten parts, the state after each; the first is the warm-up. ``settle`` is seconds of rest before a look."""
    with bench(Plan(), folder, lambda said: print(said, file=sys.stderr)) as run:
        running = run.start("stillhouse")
        try:
            callers = asyncio.run(ask_all(running, count // 10, in_flight, seed))
            states = [_settled(running, settle)]
            for part in range(9):
                callers += asyncio.run(ask_all(running, count // 10, in_flight, seed + 1000 * (part + 1)))
                states.append(_settled(running, settle))
                print(f"{part + 2}0 %: {states[-1]}", file=sys.stderr, flush=True)
            shown = metrics_of(running)
        finally:
            stop(running.process)
        ledger = ledger_of(folder / "stillhouse" / "stillhouse" / "ledger.db")
    sent, odd = sum((c.sent for c in callers), Counter()), sum((c.odd for c in callers), Counter())
    return {"sent": dict(sent), "odd": dict(odd), "states": states, "ledger": ledger, "metrics": dict(shown)}


def _settled(running: Running, settle: float) -> dict[str, float]:
    """The state once idle connections and the ledger's writer have had a moment."""
    time.sleep(settle)
    return state_of(running)


def faults(made: dict[str, Any]) -> list[str]:
    """What is not as it must be, in words. The starting questions of the bench are in the ledger, too."""
    found = [f"{count} answers were odd: {what}" for what, count in made["odd"].items()]
    sent, ledger, shown = sum(made["sent"].values()), made["ledger"], made["metrics"]
    rows, counted = ledger["rows"], int(shown["stillhouse_requests_total"])
    if rows != counted or ledger["ids"] != rows or rows < sent:
        found.append(f"{sent} requests sent, {counted} counted, {rows} ledger rows with {ledger['ids']} ids")
    known = int(shown["stillhouse_cost_nanodollars_total"])
    if ledger["cost_nano"] != known:
        found.append(f"the ledger sums to {ledger['cost_nano']} nano-dollars, the counters to {known}")
    if ledger["tokens"] != int(shown["stillhouse_tokens_total"]):
        found.append(f"the ledger sums to {ledger['tokens']} tokens, {shown['stillhouse_tokens_total']:.0f} counted")
    first, last = made["states"][0], made["states"][-1]
    grown = [what for what in ("descriptors", "threads") if last[what] > first[what] + SLACK]
    return [*found, *(f"{what} grew from {first[what]} to {last[what]}" for what in grown)]


def markdown(made: dict[str, Any]) -> str:
    """The page `evals/results/soak.md`."""
    first, last = made["states"][0], made["states"][-1]
    growth = last["memory_mb"] / first["memory_mb"] - 1
    return "\n".join(
        [
            "# Soak", "",
            f"{made['date']}, commit {made['commit']}. {made['machine']}, {made['system']}.  ",
            f"{sum(made['sent'].values()):,} requests, {made['in_flight']} at once: "
            + ", ".join(f"{count:,} {kind}" for kind, count in sorted(made["sent"].items())) + ".", "",
            "| | after a tenth | at the end |", "|---|---|---|",
            *(f"| {what} | {first[what]:.4g} | {last[what]:.4g} |" for what in first), "",
            f"Memory grew by {growth:+.1%} after the first tenth. Outcomes in the ledger: "
            + ", ".join(f"{name} {count:,}" for name, count in sorted(made["ledger"]["outcomes"].items())) + ".", "",
            "Faults: " + ("none." if not made["faults"] else ""), *(f"- {fault}" for fault in made["faults"]), "",
            "Made by `python -m evals.bench.soak`.", "",
        ]
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Soak, print, keep; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.soak", description="A long run of mixed requests.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--in-flight", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settle", type=float, default=1.5, help="seconds of rest before a look at what is held")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(argv)
    about = report.facts(Plan())
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        made = soak(args.requests, args.in_flight, args.seed, args.settle, Path(folder))
    made = {**{name: about[name] for name in ("date", "commit", "machine", "system")}, **made}
    made["in_flight"], made["faults"] = args.in_flight, faults(made)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "soak.json").write_text(json.dumps(made, indent=1) + "\n")
    (args.out / "soak.md").write_text(markdown(made))
    print(markdown(made))
    return 1 if made["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
