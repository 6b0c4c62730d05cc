"""Where records wait when the store cannot take them at once: files of JSON lines beside the ledger.

``append`` is one ``write(2)`` into the kernel's page cache, about ten microseconds: it waits for no
disk, and what it wrote outlives a kill of this process. ``sync`` waits for the disk and is the writer
thread's business. A file that is in use is locked, so a later process can tell a dead one's left-overs
from a living one's waiting room.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from router.ledger.record import AttemptRecord, RequestRecord

Pair = tuple[RequestRecord, tuple[AttemptRecord, ...]]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pair).decode


class Spill:
    """The waiting room of one ledger in one process. Every method may be called from any thread."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._path = ledger
        self._number = 0
        self._unsynced = False

    @property
    def empty(self) -> bool:
        """Whether nothing has been appended since the last ``take``."""
        return self._fd is None

    def append(self, pair: Pair) -> None:
        """Keep one record.

        Raises:
            OSError: the disk is full or gone.
        """
        line = _encode(pair) + b"\n"
        with self._lock:
            fd = self._open() if self._fd is None else self._fd
            if (taken := os.write(fd, line)) != len(line):
                os.ftruncate(
                    fd, os.fstat(fd).st_size - taken
                )  # else the next record would be glued to half of this one
                raise OSError("the disk took only a part of the line")
            self._unsynced = True

    def _open(self) -> int:
        self._number += 1
        self._path = self._ledger.with_name(f"{self._ledger.name}.spill-{os.getpid()}-{id(self):x}-{self._number}")
        fd = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self._fd = fd
        return fd

    def sync(self) -> None:
        """Wait until the disk has what was appended."""
        with self._lock:
            fd = os.dup(self._fd) if self._fd is not None and self._unsynced else None
            self._unsynced = False
        if fd is not None:
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def take(self) -> Path | None:
        """The file to read back, now closed; later records go to a new one. None when there is none."""
        with self._lock:
            if self._fd is None:
                return None
            os.close(self._fd)
            self._fd = None
            return self._path


def leftovers(ledger: Path) -> list[Path]:
    """Files that a process left when it died, oldest name first."""
    return [path for path in sorted(ledger.parent.glob(f"{ledger.name}.spill-*")) if _abandoned(path)]


def _abandoned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read(path: Path) -> Iterator[Pair | None]:
    """The records of a spill file, one by one; None for a line that was cut or damaged."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield _decode(line)
            except msgspec.DecodeError:
                yield None
