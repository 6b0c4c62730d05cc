"""Limits in a file, shared by the cells of one machine."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from router.core.limits import Ask, Book
from router.state.store import Kept, Names, StoreAway, Turned, answer, names_of, read

_BUSY_S: Final = 5.0
_MAKE: Final = """
CREATE TABLE IF NOT EXISTS meters (subject TEXT NOT NULL, kind TEXT NOT NULL, book BLOB NOT NULL,
    PRIMARY KEY (subject, kind)) WITHOUT ROWID
"""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _boot_ms() -> int:
    """All processes of a machine share this clock, and nobody sets it."""
    return time.monotonic_ns() // 1_000_000


class SqliteStore:
    """One file. A commit is on the disk before anything is spent of it (``synchronous = FULL``).

    Args:
        path: the file. now_ms: the wall clock, for windows. alive_ms: by which leases live: a wall clock that is set
            would give places away that a living cell holds, or keep those of a dead one for as long.
    """

    def __init__(
        self, path: Path, now_ms: Callable[[], int] = _wall_ms, alive_ms: Callable[[], int] = _boot_ms
    ) -> None:
        self.path = path
        self._now_ms, self._alive_ms = now_ms, alive_ms
        self._db: sqlite3.Connection | None = None

    def __str__(self) -> str:
        return str(self.path)

    def turn(self, asks: Sequence[Ask]) -> Turned:
        with self._explained():
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                now = self._now_ms()
                kept = {name: row for name in names_of(asks) if (row := self._one(db, name)) is not None}
                grants, books = answer(kept, asks, now, self._alive_ms())
                db.executemany(
                    "INSERT INTO meters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET book = excluded.book",
                    [(*name, book) for name, book in books.items()],
                )
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            return Turned(now, grants)

    def books(self, subjects: Sequence[str]) -> tuple[int, list[Kept]]:
        with self._explained():
            marks = ", ".join("?" * len(subjects))
            query = f"SELECT subject, kind, book FROM meters WHERE subject IN ({marks})"  # noqa: S608  (only marks)
            rows = self._open().execute(query, list(subjects)).fetchall()
            now = self._now_ms()
            ahead = now - self._alive_ms()
            return now, [Kept(subject, kind, _by_wall(read(book), ahead)) for subject, kind, book in rows]

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @staticmethod
    def _one(db: sqlite3.Connection, name: Names) -> bytes | None:
        row = db.execute("SELECT book FROM meters WHERE subject = ? AND kind = ?", name).fetchone()
        return None if row is None else row[0]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute(_MAKE)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreAway(f"{self.path}: {error}") from None


def _by_wall(book: Book, ahead: int) -> Book:
    """For readers, who know one clock: leases live until a time of the wall's."""
    for held in book.leases.values():
        for lease in held.values():
            lease.until += ahead
    return book
