"""What holds the loop: the gateway with a probe in its process, for `python -m evals.bench.streams --lag FILE`.

A timer fires every millisecond and notes how late it comes: nobody else was served for so long. When it is later than
five milliseconds, a watchdog in C, which needs no interpreter, writes down what every thread is at just then. Beside it
the collector's pauses are timed. The probe costs some two hundredths of a core: never measure speed with it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import os
import time
from pathlib import Path
from typing import Any

EVERY = 0.001
LATE = 0.005


class Lag:
    """The probe. Times are seconds."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stacks = file.with_suffix(".stacks").open("w")
        self._lates: list[float] = []
        self._collected: dict[int, list[float]] = {0: [], 1: [], 2: []}
        self._since = 0.0

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look on, from now until the process ends."""
        self._loop = loop
        gc.callbacks.append(self._collecting)
        self._again()

    def _again(self) -> None:
        faulthandler.dump_traceback_later(LATE + EVERY, repeat=True, file=self._stacks)
        self._due = time.perf_counter() + EVERY
        self._loop.call_later(EVERY, self._tick)

    def _tick(self) -> None:
        self._lates.append(time.perf_counter() - self._due)
        self._again()

    def _collecting(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._since = time.perf_counter()
        else:
            self._collected[info["generation"]].append(time.perf_counter() - self._since)

    def end(self) -> None:
        """Write down what was seen."""
        faulthandler.cancel_dump_traceback_later()
        lates = sorted(self._lates)
        made = {
            "ticks": len(lates),
            "late_ms": {f"{s:g}": lates[min(len(lates) - 1, int(len(lates) * s))] * 1e3 for s in (0.5, 0.99, 0.999, 1)},
            "over_5_ms": sum(late > LATE for late in lates),
            "collections": {n: {"n": len(x), "max_ms": max(x) * 1e3} for n, x in self._collected.items() if x},
        }
        self._file.write_text(json.dumps(made, indent=1) + "\n")


def watch() -> None:
    """Put the probe into the server that this process will start; what it finds goes to the file of ``BENCH_LAG``."""
    import uvicorn

    begin, end, lag = uvicorn.Server.startup, uvicorn.Server.shutdown, Lag(Path(os.environ["BENCH_LAG"]))

    async def startup(self: uvicorn.Server, sockets: Any = None) -> None:
        lag.begin(asyncio.get_running_loop())
        await begin(self, sockets)

    async def shutdown(self: uvicorn.Server, sockets: Any = None) -> None:
        lag.end()
        await end(self, sockets)

    uvicorn.Server.startup, uvicorn.Server.shutdown = startup, shutdown  # type: ignore[method-assign]
