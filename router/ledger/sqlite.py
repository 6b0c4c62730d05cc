"""The ledger on SQLite: one file a cell, in WAL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from router.ledger.db import SQLITE, Given, LedgerError, Words
from router.ledger.migrations import check, migrate
from router.ledger.rows import INSERT_ATTEMPT, INSERT_REQUEST, Row, storable

BUSY_S = 5.0
"""How long a connection waits while another one commits."""

_WAL_LIMIT = 64 * 1024 * 1024


class SQLite(sqlite3.Connection):
    """A connection that speaks as ``router.ledger.db`` expects."""

    @property
    def words(self) -> Words:
        """SQLite's own."""
        return SQLITE

    def stream(self, sql: str, given: Given = (), /) -> sqlite3.Cursor:
        """SQLite hands out rows as they are asked for anyway."""
        return self.execute(sql, given)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """One transaction, begun with the right to write."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise


def open_writer(path: Path) -> SQLite:
    """Open the ledger for writing; create it (0600, in a 0700 folder) and bring it to the newest shape.

    ``synchronous=NORMAL``: a commit waits for no disk, only a checkpoint does. A killed process loses
    nothing that was committed (the kernel holds it); a power cut may take the commits since the last
    checkpoint but never corrupts the file. That is right for a record that is no source of truth for
    money: ``FULL`` would cost a disk flush for every batch.

    Raises:
        LedgerError: the file cannot be opened, is another program's, or newer than this code.
    """
    with _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, factory=SQLite)
        try:
            if not check(db):
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only while the file is empty
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def open_reader(path: Path) -> SQLite:
    """Open the ledger to read it; nothing is created or changed.

    Raises:
        LedgerError: there is no such file, or it is not a ledger of this code's shape.
    """
    with _explained(path):
        if not path.is_file():
            raise LedgerError("there is no such file. 'stillhouse serve' creates the ledger.")
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(
            uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False, factory=SQLite
        )
        try:
            if not check(db):
                raise LedgerError("it has an older shape. 'stillhouse serve' brings it up to date.")
        except BaseException:
            db.close()
            raise
    return db


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        raise LedgerError(f"ledger {path}: {error}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerError(f"ledger {path}: {reason}. Name a file that you may write to.") from error
    except sqlite3.Error as error:
        raise LedgerError(f"ledger {path}: {error}. Name another file, or restore this one.") from error


class SQLiteStore:
    """What the writer commits to. See ``router.ledger.writer.Store``."""

    bad: Final = (
        sqlite3.IntegrityError,
        sqlite3.InterfaceError,
        sqlite3.ProgrammingError,
        sqlite3.DataError,
        msgspec.MsgspecError,
        ArithmeticError,
        AttributeError,
        TypeError,
        ValueError,
    )
    trouble: Final = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            LedgerError: it cannot be used.
        """
        self.db = open_writer(path)

    def commit(self, requests: Sequence[Row], attempts: Sequence[Row]) -> None:
        """All of them or none; a row that is there already is passed over."""
        with self.db.together():
            self.db.executemany(INSERT_REQUEST, requests)
            self.db.executemany(INSERT_ATTEMPT, attempts)

    @staticmethod
    def storable(row: Row) -> Row:
        """With what SQLite cannot hold made holdable."""
        return storable(row)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()
