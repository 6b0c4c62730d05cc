"""The ledger on PostgreSQL: shared by any number of cells, in partitions of a day."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from router.ledger.db import POSTGRES, Given, LedgerError, Rows, Words
from router.ledger.place import Remote
from router.ledger.postgres_shape import PARTITIONED, SCHEMA, applied, check, migrate
from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS, Row, storable
from router.postgres import PostgresError, connect, explained, psycopg_module

if TYPE_CHECKING:
    from router.postgres import Connection

DAY_MS: Final = 86_400_000
_PAGE: Final = 5_000
_WRITERS: Final = 0x5354_4C4C_0001
"""The lock that one writer after the other holds."""

_TOKEN = re.compile(r"('(?:[^']|'')*')|(\?)|:([a-z_]+)\b|(%)")


def spoken(sql: str) -> str:
    """``?`` and ``:name`` as psycopg writes them; what stands in quotes is left, but for its percent signs."""

    def word(found: re.Match[str]) -> str:
        quoted, mark, name, _ = found.groups()
        if quoted:
            return str(quoted).replace("%", "%%")
        return "%s" if mark else f"%({name})s" if name else "%%"

    return _TOKEN.sub(word, sql)


class PostgresDb:
    """A connection that speaks as ``router.ledger.db`` expects; what goes wrong is a ``LedgerError``."""

    words: Final[Words] = POSTGRES

    def __init__(self, place: Remote, *, read_only: bool, statement_ms: int) -> None:
        self._place = place
        with self._explained():
            self.raw: Connection = connect(
                place.dsn, read_only=read_only, statement_ms=statement_ms, name="stillhouse-ledger"
            )
            self.raw.execute(f"SET search_path = {SCHEMA}")
        self._streams = contextlib.ExitStack()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PostgresError as error:
            raise LedgerError(f"ledger {error}") from None
        except psycopg_module().Error as error:
            raise LedgerError(f"ledger {explained(self._place.dsn, error)}") from None

    def execute(self, sql: str, given: Given = (), /) -> Rows:
        """Run a statement."""
        with self._explained():
            return self.raw.execute(spoken(sql).encode(), given)

    def stream(self, sql: str, given: Given = (), /) -> Rows:
        """Run a question through a cursor of the server's: a page at a time is here."""
        with self._explained():
            self._streams.close()
            self._streams.enter_context(self.raw.transaction())
            cursor = self._streams.enter_context(self.raw.cursor(name="stream"))
            cursor.itersize = _PAGE
            return cursor.execute(spoken(sql).encode(), given)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """One transaction that no other writer runs beside."""
        with self._explained(), self.raw.transaction():
            self.raw.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS,))
            yield

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(psycopg_module().Error):
            self._streams.close()
        self.raw.close()


def open_writer(place: Remote) -> PostgresDb:
    """Open the ledger for writing; create its tables and bring them to the newest shape.

    Raises:
        LedgerError: the server is away or lets us not in, or the ledger is newer than this code.
    """
    db = PostgresDb(place, read_only=False, statement_ms=0)
    try:
        if not check(applied(db.raw)):
            with db.together():
                migrate(db.raw)
    except BaseException as error:
        db.close()
        if isinstance(error, LedgerError) and str(place) not in str(error):
            raise LedgerError(f"ledger {place}: {error}") from None
        raise
    return db


def open_reader(place: Remote) -> PostgresDb:
    """Open the ledger to read it; nothing is created or changed.

    Raises:
        LedgerError: the server is away, or there is no ledger of this code's shape in its database.
    """
    db = PostgresDb(place, read_only=True, statement_ms=0)
    try:
        newest = check(applied(db.raw))
        if not newest:
            raise LedgerError("there is no ledger of this shape in it. 'stillhouse serve' creates it.")
    except BaseException as error:
        db.close()
        if isinstance(error, LedgerError):
            raise LedgerError(f"ledger {place}: {error}") from None
        raise
    return db


# --- days ------------------------------------------------------------------------------------------------


def partition(table: str, day: int) -> str:
    """The name of a day's part of a table."""
    return f"{table}_{f'd{day}' if day >= 0 else f'b{-day}'}"


def add_day(db: Connection, day: int) -> None:
    """Make the parts of a day. Made aside and attached, so that nobody who reads or writes waits for it."""
    for table in PARTITIONED:
        part = partition(table, day)
        if db.execute("SELECT to_regclass(%s)", (part,)).fetchone() != (None,):
            continue
        db.execute(f"CREATE TABLE {part} (LIKE {table} INCLUDING ALL)".encode())
        bounds = f"FROM ({day * DAY_MS}) TO ({(day + 1) * DAY_MS})"
        db.execute(f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES {bounds}".encode())


def days(db: Connection) -> list[int]:
    """The days that have a part, in order."""
    rows = db.execute(
        "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'requests'::regclass"
    )
    marks = [name.removeprefix("requests_") for (name,) in rows]
    return sorted(int(mark[1:]) if mark[0] == "d" else -int(mark[1:]) for mark in marks)


# --- the writer's store ---------------------------------------------------------------------------------


class BadRow(Exception):
    """The server cannot hold a value of this record."""


def _insert(table: str, columns: Sequence[str]) -> bytes:
    """A batch goes as one text of JSON: encoding it takes a tenth of what fifty parameters a row would."""
    names = ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(CAST(NULL AS {table}), "  # noqa: S608
        "CAST(%s AS JSON)) ON CONFLICT DO NOTHING"
    ).encode()


_INSERT_REQUESTS: Final = _insert("requests", REQUEST_COLUMNS)
_INSERT_ATTEMPTS: Final = _insert("attempts", ATTEMPT_COLUMNS)
_AT: Final = REQUEST_COLUMNS.index("at_ms")
_STREAM: Final = REQUEST_COLUMNS.index("stream")


class PostgresStore:
    """What the writer commits to; see ``router.ledger.writer.Store``. Connects again by itself."""

    bad: Final = (BadRow, msgspec.MsgspecError, ArithmeticError, AttributeError, TypeError, ValueError)
    trouble: Final = (LedgerError, OSError)

    def __init__(self, place: Remote) -> None:
        """Remember where; connect, where the server is there.

        Raises:
            LedgerError: psycopg is missing, or the ledger is newer than this code.
        """
        self._place = place
        self._db: PostgresDb | None = None
        self._days: set[int] = set()
        try:
            psycopg_module()
        except PostgresError as error:
            raise LedgerError(f"ledger {place}: {error}") from None
        self._connect_if_there()

    def _connect_if_there(self) -> None:
        try:
            connect(self._place.dsn).close()
        except PostgresError as error:
            if not error.away:
                raise LedgerError(f"ledger {error}") from None
            return  # requests are served all the same; the writer says that it is away
        self._db = open_writer(self._place)

    def commit(self, requests: Sequence[Row], attempts: Sequence[Row]) -> None:
        """All of them or none; a row that is there already is passed over."""
        whole = [(*row[:_STREAM], int(bool(row[_STREAM])), *row[_STREAM + 1 :]) for row in requests]
        texts = _json(REQUEST_COLUMNS, whole), _json(ATTEMPT_COLUMNS, attempts)
        new = {int(row[_AT] or 0) // DAY_MS for row in whole} - self._days
        try:
            self._send(texts, new)
        except LedgerError:
            self._drop()
            raise
        self._days |= new

    def _send(self, texts: tuple[str, str], new: set[int]) -> None:
        if self._db is None:
            self._db = open_writer(self._place)
        psycopg = psycopg_module()
        db = self._db
        with db.together():
            for day in sorted(new):
                add_day(db.raw, day)
            try:
                db.raw.execute(_INSERT_REQUESTS, texts[:1])
                db.raw.execute(_INSERT_ATTEMPTS, texts[1:])
            except psycopg.errors.CheckViolation:
                raise LedgerError(f"ledger {self._place}: a day's part was removed; it is made again") from None
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                raise BadRow(type(error).__name__) from None  # the server's words may hold the value

    def _drop(self) -> None:
        db, self._db = self._db, None
        self._days = set()  # a day may have been removed meanwhile
        if db is not None:
            with contextlib.suppress(Exception):
                db.close()

    @staticmethod
    def storable(row: Row) -> Row:
        """With what PostgreSQL cannot hold made holdable: as for SQLite, and the character of number zero."""
        return tuple(cell.replace("\0", "\ufffd") if isinstance(cell, str) else cell for cell in storable(row))

    def close(self) -> None:
        """Let go."""
        self._drop()


def _json(columns: Sequence[str], rows: Sequence[Row]) -> str:
    return msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows]).decode()
