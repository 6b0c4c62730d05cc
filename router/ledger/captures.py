"""Captured texts in a file of their own beside the ledger: one writer thread, retention, erasure, reading.

A capture is handed over as the ledger's records are, with a call that never waits and never raises. The thread makes
it first (which masks it) and writes then, so no text that was not masked ever lies in a file, also not while the disk
is slow: what finds no room in memory is left out and counted, for captures are a sample.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from router.core.captures import Capture, Unchecked
from router.ledger.db import LedgerError
from router.ledger.place import Place, waiting_room
from router.ledger.sealing import Seal, SealError

log = logging.getLogger(__name__)

ROOM: Final = 256
"""Captures in memory at most; further ones are left out."""

TICK_S: Final = 0.2
BUSY_S: Final = 5.0
_APPLICATION: Final = 0x53484350  # tells the file from any other of SQLite's
_SHAPE: Final = 1
_PAGE: Final = 500
_BATCH: Final = 1000
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS captures (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL, key_id TEXT NOT NULL, body BLOB NOT NULL)
"""
_INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS captures_until ON captures (until_ms)",
    "CREATE INDEX IF NOT EXISTS captures_tenant ON captures (tenant)",
)
_INSERT: Final = (
    "INSERT INTO captures (id, at_ms, until_ms, tenant, key_id, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Capture).decode
Make = Callable[[], Capture]


def captures_path(place: Place) -> Path:
    """Where the captures of a ledger lie: beside its file; for a server, in this machine's folder."""
    room = waiting_room(place)
    return room.with_name(f"{room.name}.captures")


class Captures:
    """The captures of one cell.

    Attributes:
        path: their file; made with the first capture, or by ``check``.
        kept: written by this process. full: left out for want of room. unchecked: left out because a guard did not run.
        lost: could not be written.
    """

    def __init__(self, path: Path, seal: Seal | None = None) -> None:
        """Nothing is opened and no thread runs before the first capture.

        Args:
            path: the file.
            seal: encrypts what is written; None writes it in the clear, readable by the file's owner only.
        """
        self.path = path
        self.kept = self.full = self.unchecked = self.lost = 0
        self._seal = seal
        self._pending: deque[Make] = deque()
        self._lock = threading.Lock()  # held for a few operations on memory, never during I/O
        self._wake = threading.Event()
        self._writer: threading.Thread | None = None
        self._closed = False
        self._busy = False
        self._idle = threading.Condition(self._lock)
        self._said = ""

    def check(self) -> None:
        """See that captures can be written, before any is there.

        Raises:
            LedgerError: they cannot; the message says why.
        """
        with closing(_writer(self.path)):
            pass

    def record(self, make: Make) -> None:
        """Hand over one capture. Never waits and never raises.

        Args:
            make: gives the capture as it may be written; called in the writer's thread.
        """
        with self._lock:
            if self._closed or len(self._pending) >= ROOM:
                self.full += 1
                return
            self._pending.append(make)
            if self._writer is None:
                self._writer = threading.Thread(target=self._run, name="stillhouse-captures", daemon=True)
                self._writer.start()
            if len(self._pending) > ROOM // 2:
                self._wake.set()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was handed over is written or left out; False when time ran out."""
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(lambda: not self._pending and not self._busy, timeout_s)

    def close(self) -> None:
        """Write what is pending and stop. Safe to call twice."""
        with self._lock:
            self._closed = True
            writer = self._writer
        self._wake.set()
        if writer is not None:
            writer.join()

    # --- the writer thread

    def _run(self) -> None:
        while True:
            self._wake.wait(TICK_S)
            self._wake.clear()
            with self._lock:
                ending, batch = self._closed, list(self._pending)
                self._pending.clear()
                self._busy = bool(batch)
            if batch:
                self._write(batch)
            with self._idle:
                self._busy = False
                self._idle.notify_all()
                if ending and not self._pending:
                    return

    def _write(self, batch: Sequence[Make]) -> None:
        rows = [row for make in batch if (row := self._row(make)) is not None]
        try:
            with closing(_writer(self.path)) as db, db:
                added = sum(db.execute(_INSERT, row).rowcount for row in rows)
        except (sqlite3.Error, LedgerError, OSError) as error:
            self.lost += len(rows)
            self._say(f"captures: {len(rows)} are lost, {self.path} cannot be written: {error}")
        else:
            self.kept += added
            self._said = ""

    def _row(self, make: Make) -> tuple[Any, ...] | None:
        """What is written of one; no message of an error is passed on, for it could hold a text."""
        try:
            capture = make()
            data = _encode(capture)
            place = _place(capture.id, capture.at_ms, capture.until_ms, capture.tenant)
            body = data if self._seal is None else self._seal.seal(data, place)
        except Unchecked:
            self.unchecked += 1
            return None
        except Exception as error:  # noqa: BLE001  (one capture must not end the thread)
            self.lost += 1
            self._say(f"captures: one is lost: {type(error).__name__}")
            return None
        key = "" if self._seal is None else self._seal.id
        return (capture.id, capture.at_ms, capture.until_ms, capture.tenant, key, body)

    def _say(self, words: str) -> None:
        if words != self._said:
            log.error("%s", words)
        self._said = words


def _place(request_id: str, at_ms: int, until_ms: int, tenant: str) -> bytes:
    return msgspec.json.encode([request_id, at_ms, until_ms, tenant])


# --- the file


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LedgerError(f"the captures in {path} cannot be used: {why}") from None


def _writer(path: Path) -> sqlite3.Connection:
    """Open the file to change it; made readable by its owner only. What is removed is overwritten with zeros."""
    with _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(path, timeout=BUSY_S)
        try:
            fresh = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            shape = db.execute("PRAGMA user_version").fetchone()[0]
            if not fresh and (mark, shape) != (_APPLICATION, _SHAPE):
                raise sqlite3.DatabaseError("it is another program's, or of another version")
            db.execute("PRAGMA secure_delete = ON")
            if fresh:
                # A rollback journal, not WAL: what was removed must not live on in a second file.
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {_SHAPE}")
                for statement in (_TABLE, *_INDEXES):
                    db.execute(statement)
        except BaseException:
            db.close()
            raise
    return db


def expire(path: Path, now_ms: int) -> int:
    """Remove what its policy let be kept until now; how many.

    Raises:
        LedgerError: the file cannot be used.
    """
    return _remove(path, "until_ms <= ?", now_ms)


def erase_captures(path: Path, tenant: str) -> int:
    """Remove a tenant's captures; how many. One that a gateway has in memory comes within a second: erase again then.

    Raises:
        LedgerError: the file cannot be used.
    """
    return _remove(path, "tenant = ?", tenant)


def _remove(path: Path, test: str, given: object) -> int:
    if not path.exists():
        return 0
    removed = 0
    choose = f"SELECT number FROM captures WHERE {test} LIMIT {_BATCH}"  # noqa: S608
    with _explained(path), closing(_writer(path)) as db:
        while True:
            with db:
                found = db.execute(f"DELETE FROM captures WHERE number IN ({choose})", (given,)).rowcount  # noqa: S608
            removed += found
            if found < _BATCH:
                return removed


class Held(NamedTuple):
    """What a file holds, as far as it can be told without a key."""

    captures: int
    tenants: tuple[str, ...]
    first_ms: int | None
    last_ms: int | None


def held(path: Path) -> Held:
    """See ``Held``; a file that is not there holds nothing.

    Raises:
        LedgerError: the file cannot be used.
    """
    if not path.exists():
        return Held(0, (), None, None)
    with _explained(path), closing(_reader(path)) as db:
        count, first, last = db.execute("SELECT count(*), min(at_ms), max(at_ms) FROM captures").fetchone()
        tenants = db.execute("SELECT DISTINCT tenant FROM captures ORDER BY tenant").fetchall()
    return Held(count, tuple(row[0] for row in tenants), first, last)


def read_captures(path: Path, seal: Seal | None = None, now_ms: int = 0) -> Iterator[Capture]:
    """The captures of a file, in the order they came.

    Args:
        path: the file; nothing in it is changed.
        seal: of the key they were written with.
        now_ms: what should be gone by now is passed over.

    Raises:
        LedgerError: there is no such file, or it cannot be used.
        SealError: they are encrypted and the key is missing or another; or one was changed.
    """
    if not path.exists():
        raise LedgerError(f"there are no captures at {path}; a policy with 'capture' makes them")
    with _explained(path), closing(_reader(path)) as db:
        last = 0
        page = (
            "SELECT number, id, at_ms, until_ms, tenant, key_id, body FROM captures "
            "WHERE number > ? AND until_ms > ? ORDER BY number LIMIT ?"
        )
        while rows := db.execute(page, (last, now_ms, _PAGE)).fetchall():
            for number, *where, key_id, body in rows:
                last = number
                yield _opened(body, key_id, _place(*where), seal)


def _opened(body: bytes, key_id: str, place: bytes, seal: Seal | None) -> Capture:
    if key_id:
        if seal is None or seal.id != key_id:
            given = "no key is given" if seal is None else f"the key given is {seal.id}"
            raise SealError(f"these captures are encrypted with the key {key_id}, and {given}; set 'capture_key' to it")
        body = seal.open(body, place)
    try:
        return _decode(body)
    except msgspec.DecodeError:
        raise SealError("a capture is damaged, or was written by another version") from None


def _reader(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        db.close()
        raise sqlite3.DatabaseError("it is another program's file")
    return db
