"""Limits in PostgreSQL, shared by gateways on several machines. The server's clock is everybody's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from router.core.limits import Ask
from router.postgres import Dsn, PostgresError, connect, explained, psycopg_module
from router.state.store import Kept, Names, StoreAway, Turned, answer, names_of, read

_STATEMENT_MS: Final = 5_000
_MAKE: Final = """
CREATE TABLE IF NOT EXISTS stillhouse_meters (subject text NOT NULL, kind text NOT NULL, book text NOT NULL,
    PRIMARY KEY (subject, kind))
"""
# Two cells that make the table at once would meet in the catalogue; the number is ours alone.
_ALONE: Final = "SELECT pg_advisory_xact_lock(7353196021473)"
# Rows are made, then locked, in one order everywhere: no two cells wait for each other.
_THERE: Final = (
    "INSERT INTO stillhouse_meters SELECT s, k, '' FROM unnest(%s::text[], %s::text[]) AS n (s, k) "
    'ORDER BY s COLLATE "C", k COLLATE "C" ON CONFLICT DO NOTHING'
)
_LOCK: Final = (
    "SELECT subject, kind, book FROM stillhouse_meters JOIN unnest(%s::text[], %s::text[]) AS n (s, k) "
    'ON subject = s AND kind = k ORDER BY subject COLLATE "C", kind COLLATE "C" FOR UPDATE OF stillhouse_meters'
)
_KEEP: Final = (
    "UPDATE stillhouse_meters SET book = b FROM unnest(%s::text[], %s::text[], %s::text[]) AS n (s, k, b) "
    "WHERE subject = s AND kind = k"
)
_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class PostgresStore:
    """One connection, made anew when it broke."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self._db: Any | None = None

    def __str__(self) -> str:
        return str(self._dsn)

    def turn(self, asks: Sequence[Ask]) -> Turned:
        with self._explained():
            names = names_of(asks)
            subjects, kinds = [s for s, _ in names], [k for _, k in names]
            db = self._open()
            with db.transaction():
                kept = self._locked(db, subjects, kinds)
                if len(kept) < len(names):
                    db.execute(_THERE, (subjects, kinds))
                    kept = self._locked(db, subjects, kinds)
                now = self._now(db)  # after the locks: nobody's turn lies between it and what is read
                grants, books = answer(kept, asks, now)
                db.execute(_KEEP, (subjects, kinds, [books[name].decode() for name in names]))
            return Turned(now, grants)

    def books(self, subjects: Sequence[str]) -> tuple[int, list[Kept]]:
        with self._explained():
            db = self._open()
            query = "SELECT subject, kind, book FROM stillhouse_meters WHERE subject = ANY(%s)"
            rows = db.execute(query, (list(subjects),)).fetchall()
            return self._now(db), [Kept(subject, kind, read(book)) for subject, kind, book in rows]

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    @staticmethod
    def _locked(db: Any, subjects: list[str], kinds: list[Any]) -> dict[Names, bytes]:
        return {(s, k): book.encode() for s, k, book in db.execute(_LOCK, (subjects, kinds)).fetchall()}

    @staticmethod
    def _now(db: Any) -> int:
        row = db.execute(_NOW).fetchone()
        assert row is not None
        return int(row[0])

    def _open(self) -> Any:
        if self._db is None:
            db = connect(self._dsn, statement_ms=_STATEMENT_MS, name="stillhouse limits")
            with db.transaction():
                db.execute(_ALONE)
                db.execute(_MAKE)
            self._db = db
        return self._db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PostgresError as error:
            self.close()
            raise StoreAway(str(error)) from None
        except psycopg_module().Error as error:
            self.close()
            raise StoreAway(str(explained(self._dsn, error))) from None
