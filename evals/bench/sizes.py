"""What a request costs by its size: `floor + a * bytes`, and an agent's conversation turn by turn.

Requests go one after the other on one connection, so what is added is the work and not the waiting. Every figure is
processor time by the kernel's counters; the floor serves the very same bodies in the same run.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import statistics
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evals.bench import meter
from evals.bench.process import Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evals.bench.measure import Bench
    from evals.bench.process import Running

TOKENS = (100, 1_000, 8_000, 32_000)
TURNS = 40
_BYTES_A_TOKEN = 4
_TOOLS = 28  # together some 31 KB, as coding clients send
_TEXT = (
    "the gateway reads every prompt once and keeps what it learned about each message so later turns cost only "
    "their new words while older ones stay known to it and nothing is read twice in one afternoon of long work"
)
_WORDS = _TEXT.split()


def prose(size: int, seed: int) -> str:
    """Plain words, about ``size`` bytes, others for every seed."""
    draw = random.Random(seed)  # noqa: S311 - it only picks words
    words: list[str] = []
    left = size
    while left > 0:
        words.append(draw.choice(_WORDS))
        left -= len(words[-1]) + 1
    return " ".join(words)


def prompt(model: str, tokens: int, seed: int) -> bytes:
    """A chat request of one user message."""
    text = prose(tokens * _BYTES_A_TOKEN, seed)
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def conversation(model: str, turns: int, seed: int) -> Iterator[bytes]:
    """An agent's requests: tools, then a call of a tool and its result more with every turn."""
    tools = [_tool(number) for number in range(_TOOLS)]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": prose(1500, seed)},
        {"role": "user", "content": prose(200, seed + 1)},
    ]
    for turn in range(turns):
        yield json.dumps({"model": model, "messages": messages, "tools": tools}).encode()
        call = {"name": "tool_1", "arguments": json.dumps({"p0": prose(40, seed + 100 + turn)})}
        messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"call_{turn}", "type": "function", "function": call}],
            }
        )
        messages.append({"role": "tool", "tool_call_id": f"call_{turn}", "content": prose(1200, seed + 500 + turn)})


def _tool(number: int) -> dict[str, Any]:
    said = {f"p{k}": {"type": "string", "description": prose(70, number * 10 + k)} for k in range(6)}
    parameters = {"type": "object", "properties": said}
    return {
        "type": "function",
        "function": {"name": f"tool_{number}", "description": prose(350, number), "parameters": parameters},
    }


def cpu_of(running: Running, bodies: Iterable[bytes]) -> list[tuple[int, float]]:
    """Bytes and processor microseconds of each body, asked one after the other.

    Raises:
        Unfit: an answer is not a 200.
    """
    where = urlsplit(running.target.url)
    headers = {"content-type": "application/json", **running.target.headers}
    connection = http.client.HTTPConnection(where.netloc, timeout=30)
    seen: list[tuple[int, float]] = []
    try:
        for body in bodies:
            before = meter.cpu_seconds(running.session)
            connection.request("POST", where.path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                raise Unfit(f"{answer.status} {said[:200]!r}")
            seen.append((len(body), (meter.cpu_seconds(running.session) - before) * 1e6))
    finally:
        connection.close()
    return seen


def line(points: list[tuple[float, float]]) -> dict[str, float]:
    """``floor_us + us_per_kb * kilobytes`` through medians (Theil and Sen: no single slow request bends it)."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x1 != x2]
    slope = statistics.median(slopes)
    floor = statistics.median(y - slope * x for x, y in points)
    return {"floor_us": floor, "us_per_kb": slope * 1000}


def by_size(running: Running, repetitions: int) -> dict[str, Any]:
    """The line over ``TOKENS``; every prompt is new to the peer."""
    rows = []
    for tokens in TOKENS:
        cpu_of(running, [prompt(running.target.model, tokens, 1)])
        bodies = (prompt(running.target.model, tokens, 10_000 + tokens + number) for number in range(repetitions))
        seen = cpu_of(running, bodies)
        rows.append({"tokens": tokens, "bytes": seen[0][0], "cpu_us": statistics.median(cpu for _, cpu in seen)})
    return {"rows": rows, "line": line([(row["bytes"], row["cpu_us"]) for row in rows])}


def agent(running: Running, repetitions: int) -> dict[str, Any]:
    """Turn by turn the median over conversations, the line over all turns, and what the last one costs alone.

    ``cold`` is the last request to somebody who has seen none of it: what a turn would cost without memory.
    """
    runs = [list(conversation(running.target.model, TURNS, 1_000_000 * (n + 1))) for n in range(repetitions)]
    seen = [cpu_of(running, bodies) for bodies in runs]
    turns = [
        {"turn": turn, "bytes": seen[0][turn][0], "cpu_us": statistics.median(one[turn][1] for one in seen)}
        for turn in range(TURNS)
    ]
    unseen = [list(conversation(running.target.model, TURNS, 1_000_000 * (n + 50)))[-1] for n in range(repetitions)]
    cold = statistics.median(cpu for _, cpu in cpu_of(running, unseen))
    return {"turns": turns, "line": line([(t["bytes"], t["cpu_us"]) for t in turns[1:]]), "cold_us": cold}


def measure_sizes(run: Bench, parts: Iterable[str], repetitions: int = 9) -> dict[str, Any]:
    """The parts ``sizes`` and ``agent`` for the floor and for us."""
    made: dict[str, Any] = {part: {} for part in parts}
    for name in ("floor", "stillhouse"):
        running = run.start(name)
        try:
            cpu_of(running, [prompt(running.target.model, 30, n) for n in range(200)])
            for part, figures in made.items():
                figures[name] = (by_size if part == "sizes" else agent)(running, repetitions)
        finally:
            run.stop(running)
    return made
