"""A student's files: their hashes, and one maker at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from evals.distill.trainers.base import TrainingError


class Busy(TrainingError):
    """Another process is making this student."""


def sha256_of(path: Path) -> str:
    """Of a file, 64 hex digits.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def alone(out: Path) -> Iterator[int]:
    """Hold a student's folder; gives the descriptor that holds it.

    A child that inherits the descriptor holds the folder as well: where its parent was killed and it lives on, nobody
    else begins. The file stays, for one that is removed while another waits for it would guard nothing.

    Raises:
        Busy: another process holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another process is training in {out}; wait for it, or end it") from None
        yield file.fileno()
