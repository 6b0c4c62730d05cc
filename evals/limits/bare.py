"""Budgets under a kill storm: several cells on one store, one of them killed again and again at random points.

Each cell is a process with fifty calls in progress. A call is billed when its "server" appends what it costs to a file,
somewhere between reservation and settlement; what the file says is the truth that the store is held against:

    overshoot   what was billed beyond the limit: must be 0
    exact       booked <= billed <= booked + forfeited: nothing is counted twice, and what a killed cell had bought and
                not reported lies in what it forfeited
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from router.core.limits import Cap, state_of
from router.errors import LimitReached, LimitsAway
from router.serve.limits.limiting import Held, Limiter, Need
from router.state.store import open_store

SUBJECTS = ("key:storm", "tenant:storm")
IN_PROGRESS = 50


class Run(NamedTuple):
    """What came of one storm. Money in nano-dollars."""

    store: str
    cells: int
    kills: int
    calls: int
    limit: int
    billed: int
    booked: int
    forfeited: int
    seconds: float

    @property
    def overshoot(self) -> int:
        """What was billed beyond the limit."""
        return max(0, self.billed - self.limit)

    @property
    def exact(self) -> bool:
        """Whether the store's books enclose what was billed."""
        return self.booked <= self.billed <= self.booked + self.forfeited


# --- one cell


async def cell(store: str, bills: Path, limit: int, seed: int) -> None:
    """Call until the budget is used up."""
    draw = random.Random(seed)  # noqa: S311  (to be repeated)
    limiter = Limiter(
        open_store(store, Path(store)), when_away="refuse", wait=1.0,
        clock=time.perf_counter, now_ms=lambda: time.time_ns() // 1_000_000,
    )  # fmt: skip
    caps = [Cap(subject, "day", limit) for subject in SUBJECTS]
    file = os.open(bills, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    over = False

    async def call() -> None:
        nonlocal over
        most = draw.randrange(200, 20_000)
        try:
            held = await limiter.take(lambda: [Need(cap, 100, most) for cap in caps])
        except LimitReached:
            over = True
            return
        except LimitsAway:
            await asyncio.sleep(0.05)
            return
        cost = draw.randrange(1, min(each.amount for each in held) + 1)
        await asyncio.sleep(draw.random() * 0.01)
        os.write(file, b"%d\n" % cost)
        await asyncio.sleep(draw.random() * 0.01)
        _give_back(limiter, held, cost)

    async def caller() -> None:
        while not over:
            await call()

    await asyncio.gather(*(caller() for _ in range(IN_PROGRESS)))
    await limiter.close()


def _give_back(limiter: Limiter, held: list[Held], cost: int) -> None:
    for each in held:
        limiter.give_back(each, cost)


# --- the storm


def storm(store: str, folder: Path, *, cells: int, kills: int, limit: int, seed: int, every: float = 2.0) -> Run:
    """Run cells until the budget is used up, killing one ``every`` so many seconds, ``kills`` times."""
    draw = random.Random(seed)  # noqa: S311  (to be repeated)
    bills = folder / "bills"
    bills.touch()
    begun, killed, number = time.monotonic(), 0, 0

    def start() -> subprocess.Popen[bytes]:
        nonlocal number
        number += 1
        words = [store, str(bills), str(limit), str(seed * 1000 + number)]
        return subprocess.Popen([sys.executable, "-m", "evals.limits.bare", *words])

    running = [start() for _ in range(cells)]
    while killed < kills:
        time.sleep(every * (0.5 + draw.random()))
        at = draw.randrange(cells)
        if running[at].poll() is not None:
            break  # the budget is used up
        running[at].send_signal(signal.SIGKILL)
        running[at].wait()
        killed += 1
        running[at] = start()
    for process in running:
        process.wait(300)
    kept = open_store(store, Path(store))
    try:
        now, books = kept.books([SUBJECTS[0]])
        state = state_of(books[0].book, "day", now)
    finally:
        kept.close()
    billed = [int(line) for line in bills.read_text().split()]
    held = state.forfeited + state.leased  # a cell that was just killed is not known to be dead yet
    kind = "postgres" if "://" in store else "sqlite"
    seconds = round(time.monotonic() - begun, 1)
    return Run(kind, cells, killed, len(billed), limit, sum(billed), state.used, held, seconds)


def report(runs: list[Run]) -> str:
    """The runs as a Markdown table."""
    rows = [
        f"| {r.store} | {r.cells} | {r.kills} | {r.calls:,} | {r.limit:,} | {r.billed:,} | {r.booked:,} | "
        f"{r.forfeited:,} | **{r.overshoot}** | {'yes' if r.exact else 'NO'} | {r.seconds} |"
        for r in runs
    ]
    head = (
        "# Budgets under a kill storm\n\nMade by `python -m evals.limits`. Money in nano-dollars; a cell is a process "
        f"with {IN_PROGRESS} calls in progress; kills are SIGKILL at random points.\n\n"
        "| store | cells | kills | calls | limit | billed | booked | forfeited | overshoot | exact | s |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":  # one cell, as ``storm`` starts it
    asyncio.run(cell(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
