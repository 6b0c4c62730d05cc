"""What a gateway used, read from /proc over its whole process tree: processor time and memory.

A peer is started as the leader of a session of its own, and its tree is every process of that session,
however it forks. Linux only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)

# fields of /proc/<pid>/stat after the command's closing bracket
_STATE, _SESSION, _FIRST_TIME, _LAST_TIME = 0, 3, 11, 15


def processes(session: int) -> dict[int, list[str]]:
    """The living processes of a session: process id -> fields of its stat after the command."""
    found: dict[int, list[str]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _read(entry / "stat").rpartition(")")[2].split()
            if fields and int(fields[_SESSION]) == session and fields[_STATE] != "Z":
                found[int(entry.name)] = fields
    return found


def cpu_seconds(session: int) -> float:
    """Processor time the session's processes have used, user and system.

    Two counters are read for each process and the larger is taken: the scheduler's is exact to the nanosecond
    but forgets threads that have ended; the one in ticks remembers them, and children that were waited for.
    """
    return sum(max(_scheduled(pid), _ticked(fields)) for pid, fields in processes(session).items())


def memory_mb(session: int) -> float:
    """Proportional set size in MB (10⁶ bytes): shared pages count by the share of their users."""
    total = 0
    for pid in processes(session):
        found = _PSS.search(_read(_PROC / str(pid) / "smaps_rollup"))
        total += int(found[1]) if found else 0
    return total * 1024 / 1e6


def _scheduled(pid: int) -> float:
    tasks = _PROC / str(pid) / "task"
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return 0.0
    times = (_read(thread / "schedstat").split() for thread in threads)
    return sum(int(fields[0]) for fields in times if fields) / 1e9


def _ticked(fields: list[str]) -> float:
    return sum(int(field) for field in fields[_FIRST_TIME:_LAST_TIME]) / _TICKS


def _read(path: Path) -> str:
    """A file of /proc; empty when its process has just ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
