"""Forgetting old requests while their daily sums stay. The only way a row leaves the ledger.

Each batch is one short transaction that adds its sums and deletes its rows together: a kill between two
batches leaves every report as it was. The rows never enter this process, and a gateway that writes to the
same file waits for one batch at most.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from router.ledger.store import open_reader, open_writer
from router.ledger.sums import (
    DAY_MS,
    DIMENSIONS,
    LATENCY_KEYS,
    MEASURES,
    PARTS,
    grouped_sql,
    latency_rows_sql,
    rows_sql,
)

BATCH = 1000
_PAUSE_S = 0.005  # for the gateway's writer to come in between
_VACUUM_PAGES = 1000

_DOOMED = "rowid IN (SELECT request FROM temp.doomed)"
_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES)
_SUMMED = grouped_sql(DIMENSIONS, rows_sql(DIMENSIONS, _DOOMED))
_SUM_UP = f"INSERT INTO daily ({', '.join([*DIMENSIONS, *MEASURES])}) {_SUMMED} ON CONFLICT DO UPDATE SET {_ADD}"
_LATENCY_COLUMNS = ", ".join([*LATENCY_KEYS, "part", "bucket_us"])
_SUM_UP_LATENCY = tuple(
    f"INSERT INTO daily_latency ({_LATENCY_COLUMNS}, requests) "  # noqa: S608
    f"SELECT {_LATENCY_COLUMNS}, sum(requests) FROM ({latency_rows_sql(part, _DOOMED)}) "
    f"GROUP BY {_LATENCY_COLUMNS} ON CONFLICT DO UPDATE SET requests = requests + excluded.requests"
    for part in PARTS
)


def whole_days(before_ms: int) -> int:
    """The start of the UTC day of ``before_ms``: only whole days are pruned."""
    return before_ms // DAY_MS * DAY_MS


def count(path: Path, before_ms: int) -> int:
    """How many requests ``prune`` would remove.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    with closing(open_reader(path)) as db:
        found: int = db.execute("SELECT count(*) FROM requests WHERE at_ms < ?", (whole_days(before_ms),)).fetchone()[0]
        return found


def prune(path: Path, before_ms: int, batch: int = BATCH) -> Iterator[int]:
    """Remove requests of whole days before ``before_ms``; yield how many each batch removed.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: the disk failed or another process held the file for too long; nothing is half done.
    """
    with closing(open_writer(path)) as db:
        db.execute("CREATE TEMP TABLE doomed (request INTEGER PRIMARY KEY)")
        while removed := _one_batch(db, whole_days(before_ms), batch):
            yield removed
            time.sleep(_PAUSE_S)
        _give_back_space(db)


def _one_batch(db: sqlite3.Connection, before_ms: int, batch: int) -> int:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("DELETE FROM temp.doomed")
        found = db.execute(
            "INSERT INTO temp.doomed SELECT rowid FROM requests WHERE at_ms < ? ORDER BY at_ms LIMIT ?",
            (before_ms, batch),
        ).rowcount
        if found:
            db.execute("INSERT INTO prune_gate (before_ms) VALUES (?)", (before_ms,))
            db.execute(_SUM_UP)
            for statement in _SUM_UP_LATENCY:
                db.execute(statement)
            for under in ("attempts", "feedback", "weak_labels"):
                db.execute(f"DELETE FROM {under} WHERE request_id IN (SELECT id FROM requests WHERE {_DOOMED})")  # noqa: S608
            db.execute(f"DELETE FROM requests WHERE {_DOOMED}")  # noqa: S608
            db.execute("DELETE FROM prune_gate")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return found


def _give_back_space(db: sqlite3.Connection) -> None:
    while db.execute("PRAGMA freelist_count").fetchone()[0]:
        db.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")  # execute() would free one page
        time.sleep(_PAUSE_S)
