"""What a nano head costs to serve: CPU time of one request, whole, and of its opinion alone.

    python -m evals.distill.nano_speed          # results into evals/results/nano-speed.json and .md

The head is made of random weights, for what they say does not change what they cost; the texts are random words.
The floor beside it reads the request's JSON and writes an answer's, and decides nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from evals.distill.folder import write_json, write_whole
from evals.stamp import stamp
from router.upstream.base import Deadline
from router.upstream.nano import NanoUpstream
from router.upstream.nano_head import BUCKETS, Head, asked, load, save, task_of

RESULTS: Final = Path(__file__).parent.parent / "results"
LABELS: Final = (4, 64)
CHARACTERS: Final = (100, 1_000, 8_000)
BLOCKS: Final = 20  # each gives one mean; the interval is over them
SYSTEM: Final = "Name the subject in one word."


class Cost(NamedTuple):
    """Microseconds of CPU: the median over blocks, and where 95 % of them lie."""

    median: float
    low: float
    high: float


def main() -> None:
    """Measure, keep, print."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--calls", type=int, default=50, help="in each of the blocks")
    reader.add_argument("--out", type=Path, default=RESULTS)
    args = reader.parse_args()
    rows = [asyncio.run(row(labels, length, args.calls)) for labels in LABELS for length in CHARACTERS]
    made = {"of": stamp("python -m evals.distill.nano_speed"), "blocks": BLOCKS, "calls": args.calls, "rows": rows}
    write_json(args.out / "nano-speed.json", made)
    text = markdown(made)
    write_whole(args.out / "nano-speed.md", text.encode())
    print(text)


async def row(labels: int, length: int, calls: int) -> dict[str, Any]:
    """One head and texts of one length."""
    rng = random.Random(length)  # noqa: S311 - seeded, to be repeated
    texts = [_text(rng, length) for _ in range(calls)]
    bodies = [_body(text) for text in texts]
    head = _head(labels)
    upstream = NanoUpstream("nano", head)
    deadline = Deadline()

    async def whole(at: int) -> None:
        await upstream.chat(bodies[at], deadline)

    async def opinion(at: int) -> None:
        head.of(asked([texts[at]]))

    async def floor(at: int) -> None:
        said = json.loads(bodies[at])["messages"][-1]["content"]
        json.dumps({"choices": [{"message": {"role": "assistant", "content": said[:8]}}]})

    costs = {
        name: await _cost(work, calls) for name, work in (("request", whole), ("opinion", opinion), ("floor", floor))
    }
    return {"labels": labels, "characters": length, **{name: cost._asdict() for name, cost in costs.items()}}


async def _cost(work: Callable[[int], Coroutine[Any, Any, None]], calls: int) -> Cost:
    means = []
    for _ in range(BLOCKS + 1):
        begun = time.process_time_ns()
        for at in range(calls):
            await work(at)
        means.append((time.process_time_ns() - begun) / calls / 1000)
    low, median, high = np.quantile(means[1:], [0.025, 0.5, 0.975])  # the first warms up
    return Cost(round(float(median), 1), round(float(low), 1), round(float(high), 1))


def _head(labels: int) -> Head:
    """A head that answers whatever it is asked under its system prompt."""
    rng = np.random.default_rng(labels)
    card = {"version": 1, "labels": [f"label-{at:02}" for at in range(labels)], "tasks": [task_of([SYSTEM])],
            "threshold": 0.0, "familiar": 0.0}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        weights = rng.normal(size=(2 * BUCKETS, labels)).astype(np.float32)
        save(Path(folder), card, weights, np.zeros(labels, np.float32), np.ones(2 * BUCKETS, np.bool_))
        return load(Path(folder) / "nano.json")


def _text(rng: random.Random, length: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(rng.choice(letters) for _ in range(rng.randint(2, 9))) for _ in range(length // 2))
    return " ".join(words)[:length]


def _body(text: str) -> bytes:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    return json.dumps({"model": "nano", "messages": messages}).encode()


def markdown(made: dict[str, Any]) -> str:
    """The table."""
    of = made["of"]
    lines = [
        "# What a nano head costs", "",
        (f"CPU time in µs: the median of {made['blocks']} blocks of {made['calls']} calls, and where 95 % of them lie. "
         f"{of['machine']}; {of['date']}, {of['commit']}; `{of['command']}`."), "",
        "| labels | characters | request | opinion alone | floor (JSON in and out) |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for each in made["rows"]:
        cells = [
            f"{each[name]['median']:g} ({each[name]['low']:g} to {each[name]['high']:g})"
            for name in ("request", "opinion", "floor")
        ]
        lines.append(f"| {each['labels']} | {each['characters']:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
