"""An append-only log of what people and gateways did, each entry holding the hash of the one before.

A file of JSON lines: it can be read with any tool, copied, and kept in version control, and a gateway sees a change by
its size. (A database would hide it, and its rows can be edited without a trace.) Who changes or removes an entry in
the middle breaks every hash after it; who cuts the end off is seen only by one who has noted the last hash, so
``stillhouse policy history`` prints it. Names are what the writer said; who may write is the file system's word.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from router.types import Frozen

FIRST = "0" * 64


class TrailError(ValueError):
    """The log cannot be used; the message says which line, what is wrong and what to do."""


class Entry(Frozen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line.

    Attributes:
        n: its number, from 1. at_ms: when, milliseconds since the epoch. by: who.
        kind: what was done. proposal: to which one; empty where it is about all.
        data: the rest. before: the hash of the entry before. hash: of everything else in this one.
    """

    n: int
    at_ms: int
    by: str
    kind: str
    proposal: str
    data: Mapping[str, Any]
    before: str
    hash: str

    @property
    def at(self) -> str:
        """ISO 8601, UTC."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Draft(Frozen, frozen=True, kw_only=True):
    """An entry that has no place in the log yet."""

    by: str
    kind: str
    proposal: str = ""
    data: Mapping[str, Any] = {}


def read(path: Path) -> tuple[Entry, ...]:
    """Every entry, checked; none where there is no file. An unfinished last line was never acknowledged: it is none.

    Raises:
        TrailError: an entry was changed, removed, or put in.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise TrailError(f"{path}: {error.strerror or error}") from None
    return tuple(_checked(path, raw))


def unfinished(path: Path) -> bool:
    """Whether the last line was cut off while it was being written."""
    return path.exists() and (raw := path.read_bytes()) != b"" and not raw.endswith(b"\n")


def append(path: Path, at_ms: int, decide: Callable[[Sequence[Entry]], Draft | None]) -> Entry | None:
    """Add what ``decide`` says after it has seen all that stands there; nothing where it says None.

    Two writers come one after the other, so what ``decide`` saw still holds when its entry is written.

    Raises:
        TrailError: the log is damaged or cannot be written. Whatever ``decide`` raises.
    """
    with _locked(path) as file:
        file.seek(0)
        raw = file.read()
        entries = tuple(_checked(path, raw))
        draft = decide(entries)
        if draft is None:
            return None
        whole = raw.rfind(b"\n") + 1
        if whole != len(raw):
            file.truncate(whole)
        last = entries[-1] if entries else None
        head = {
            "n": last.n + 1 if last else 1,
            "at_ms": max(at_ms, last.at_ms if last else at_ms),
            "by": draft.by,
            "kind": draft.kind,
            "proposal": draft.proposal,
            "data": dict(draft.data),
            "before": last.hash if last else FIRST,
        }
        line = {**head, "hash": _hash(head)}
        _write(file, path, json.dumps(line, ensure_ascii=False).encode() + b"\n", whole)
        return msgspec.convert(line, Entry)


def _write(file: IO[bytes], path: Path, line: bytes, end: int) -> None:
    """Add a line behind ``end``, all of it or nothing: what was not acknowledged must not turn up later."""
    file.seek(end)
    left = memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            file.truncate(end)
        raise TrailError(f"{path}: {error.strerror or error}. Nothing was done: make room and try again") from None


def _checked(path: Path, raw: bytes) -> Iterator[Entry]:
    before = FIRST
    for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].splitlines(), 1):
        try:
            found = json.loads(line)
            entry = msgspec.convert(found, Entry)
        except (ValueError, RecursionError) as error:
            raise TrailError(f"{path}:{number}: this is no entry ({error}). {_MEND}") from None
        said = found.pop("hash")
        if entry.before != before or entry.n != number or said != _hash(found):
            raise TrailError(f"{path}:{number}: this entry is not as it was written. {_MEND}")
        before = said
        yield entry


_MEND = "Nothing is taken up from a log that was changed: restore it from a copy"


def _hash(head: Mapping[str, Any]) -> str:
    canonical = json.dumps(head, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
    except OSError as error:
        raise TrailError(f"{path}: {error.strerror or error}. Is STILLHOUSE_HOME writable?") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
