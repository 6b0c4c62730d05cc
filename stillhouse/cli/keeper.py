"""The keeper of a machine's cells: one process each, started again with a growing pause, drained on SIGTERM.

It holds no state that a cell needs: killed, it takes nothing with it but itself, and cells serve on.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from stillhouse.cli import show

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
STEADY = 60.0  # a cell that ran so long starts again at once
GRACE = 5.0  # beyond the cell's own time to drain
_LOOK = 0.1


class Kept:
    """One cell's process and when it may start again."""

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "stillhouse.cli", "cells", "serve", str(file), name]
        self.process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._pause = FIRST_PAUSE
        self._due = 0.0

    def look(self, now: float) -> None:
        """Start it when it is due; note when it has ended."""
        if self.process is None:
            if now >= self._due:
                self.process = subprocess.Popen(self._command, start_new_session=True)  # noqa: S603  (ourselves)
                self._began = now
            return
        code = self.process.poll()
        if code is None:
            return
        self._pause = FIRST_PAUSE if now - self._began >= STEADY else self._pause
        self.process, self._due = None, now + self._pause
        show.note(f"cell {self.name} ended with {code}; it starts again in {self._pause:g} s")
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def tell(self, what: signal.Signals) -> None:
        """Send a signal to a process that still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(what)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.poll() is None


def keep(file: Path, names: Sequence[str], drain: float) -> int:
    """Run the cells until SIGTERM or SIGINT; the exit status, 1 if one had to be killed.

    Args:
        file: ``cells.yaml``.
        names: which of its cells.
        drain: seconds that a cell takes to finish its requests.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    cells = [Kept(file, name) for name in names]
    while not stopping:
        for cell in cells:
            cell.look(time.monotonic())
        time.sleep(_LOOK)
    show.note(f"draining {len(cells)} cells")
    for cell in cells:
        cell.tell(signal.SIGTERM)
    end = time.monotonic() + drain + GRACE
    while any(cell.running for cell in cells) and time.monotonic() < end:
        time.sleep(_LOOK)
    late = [cell for cell in cells if cell.running]
    for cell in late:
        show.note(f"cell {cell.name} did not end in time and is killed")
        cell.tell(signal.SIGKILL)
    return 1 if late else 0
