"""Daily sums that run along behind the rows, so that a report costs the same however many rows there are.

The sums reach up to a row number, ``rolled_to``: a row at or below it is in the sums, a row above it is not, whenever
it came and whatever day it belongs to. Each batch adds its sums and moves the mark in one transaction, inside the
database: the rows never enter this process.
"""

from __future__ import annotations

import time
from contextlib import closing

from router.ledger.db import Db, Words
from router.ledger.place import Place
from router.ledger.store import open_writer
from router.ledger.sums import (
    DIMENSIONS,
    LATENCY_KEYS,
    MEASURES,
    PARTS,
    Dimension,
    grouped_sql,
    latency_rows_sql,
    rows_sql,
)

BATCH = 1000
PAUSE_S = 0.005  # for the gateway's writer to come in between

_NEW = "rowid > :after AND rowid <= :last"
LATENCY: tuple[str, ...] = (*LATENCY_KEYS, "part", "bucket_us")


def add_sums(source: str) -> str:
    """SQL that adds grouped sums to the daily ones."""
    added = ", ".join(f"{name} = daily.{name} + excluded.{name}" for name in MEASURES)
    columns = ", ".join([*DIMENSIONS, *MEASURES])
    return f"INSERT INTO daily ({columns}) {source} ON CONFLICT ({', '.join(DIMENSIONS)}) DO UPDATE SET {added}"


def add_latency(source: str) -> str:
    """SQL that adds counts to the daily histograms; ``source`` gives one line for each, or several."""
    keys = ", ".join(LATENCY)
    return (
        f"INSERT INTO daily_latency ({keys}, requests) "  # noqa: S608
        f"SELECT {keys}, sum(requests) FROM ({source}) AS x WHERE 1 = 1 GROUP BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET requests = daily_latency.requests + excluded.requests"
    )


def _statements(words: Words) -> list[str]:
    dimensions: tuple[Dimension, ...] = DIMENSIONS
    sums = add_sums(grouped_sql(dimensions, rows_sql(dimensions, _NEW)))
    return [sums, *(add_latency(latency_rows_sql(part, _NEW, words)) for part in PARTS)]


def roll_batch(db: Db, batch: int = BATCH) -> int:
    """Sum up the next rows; how many there were. Inside the caller's transaction."""
    after = rolled_to(db)
    upto = "SELECT max(rowid), count(*) FROM (SELECT rowid FROM requests WHERE rowid > ? ORDER BY rowid LIMIT ?) AS x"
    last, found = db.execute(upto, (after, batch)).fetchone()
    if found:
        for statement in _statements(db.words):
            db.execute(statement, {"after": after, "last": last})
        db.execute("UPDATE upkeep SET rolled_to = ?", (last,))
    return int(found)


def rolled_to(db: Db) -> int:
    """The last row that is in the daily sums."""
    return int(db.execute("SELECT rolled_to FROM upkeep").fetchone()[0])


def roll(db: Db, batch: int = BATCH) -> int:
    """Sum up all rows that are there, a batch at a time; how many there were."""
    total = 0
    while True:
        with db.together():
            found = roll_batch(db, batch)
        total += found
        if found < batch:
            return total
        time.sleep(PAUSE_S)


def roll_up(place: Place, batch: int = BATCH) -> int:
    """Sum up all rows of a ledger that are not summed up yet.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: the disk failed or another process held the file for too long; nothing is half done.
    """
    with closing(open_writer(place)) as db:
        return roll(db, batch)
