"""Forgetting old requests while their daily sums stay. With ``erase`` the only way a row leaves the ledger.

First the sums are brought up to the last row, then rows go that are in them, so a kill at any moment leaves every
report as it was. A file loses rows batch by batch, each one short transaction; a server drops a day's part at once.
The rows never enter this process, and a gateway that writes to the same ledger waits for one batch at most.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from router.ledger.db import Db
from router.ledger.place import Place, Remote
from router.ledger.rollup import PAUSE_S, roll, roll_batch, rolled_to
from router.ledger.store import open_reader, open_writer
from router.ledger.sums import DAY_MS

BATCH = 1000
UNDER = ("attempts", "feedback", "weak_labels")
_VACUUM_PAGES = 1000
_EVER = (1 << 63) - 1


def whole_days(before_ms: int) -> int:
    """The start of the UTC day of ``before_ms``: only whole days are pruned."""
    return before_ms // DAY_MS * DAY_MS


def count(place: Place, before_ms: int) -> int:
    """How many requests ``prune`` would remove.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    with closing(open_reader(place)) as db:
        found: int = db.execute("SELECT count(*) FROM requests WHERE at_ms < ?", (whole_days(before_ms),)).fetchone()[0]
        return found


def prune(place: Place, before_ms: int, batch: int = BATCH, upto: int | None = None) -> Iterator[int]:
    """Remove requests of whole days before ``before_ms``; yield how many each step removed.

    Args:
        place: the ledger.
        before_ms: milliseconds since the epoch.
        batch: rows a step, where rows go one by one.
        upto: only rows with this number or below; what came later waits for the next time.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: the disk failed or another process held the file for too long; nothing is half done.
    """
    before = whole_days(before_ms)
    with closing(open_writer(place)) as db:
        roll(db)
        with db.together():
            while roll_batch(db):  # what came in between; from here on the day's sums stand for its rows
                pass
            last = rolled_to(db) if upto is None else min(upto, rolled_to(db))
            db.execute("UPDATE upkeep SET pruned_ms = ? WHERE pruned_ms < ?", (before, before))
        if isinstance(place, Remote):
            yield from _drop_days(db, before, last)
        else:
            yield from _delete(db, before, last, batch)
            give_back_space(db)


def _delete(db: Db, before_ms: int, last: int, batch: int) -> Iterator[int]:
    db.execute("CREATE TEMP TABLE doomed (request INTEGER PRIMARY KEY)")
    choose = "SELECT rowid FROM requests WHERE at_ms < :before AND rowid <= :last ORDER BY at_ms LIMIT :batch"
    given = {"before": before_ms, "last": last, "batch": batch}
    while removed := delete_batch(db, choose, given):
        yield removed
        time.sleep(PAUSE_S)


def delete_batch(db: Db, choose: str, given: Mapping[str, Any]) -> int:
    """Remove the requests whose row numbers ``choose`` selects from a file, and what hangs on them."""
    with db.together():
        db.execute("DELETE FROM temp.doomed")
        found = db.execute(f"INSERT INTO temp.doomed {choose}", given).rowcount
        if found:
            doomed = "rowid IN (SELECT request FROM temp.doomed)"
            db.execute("INSERT INTO prune_gate (before_ms) VALUES (?)", (_EVER,))
            for under in UNDER:
                db.execute(f"DELETE FROM {under} WHERE request_id IN (SELECT id FROM requests WHERE {doomed})")  # noqa: S608
            db.execute(f"DELETE FROM requests WHERE {doomed}")  # noqa: S608
            db.execute("DELETE FROM prune_gate")
            # SQLite numbers on from the last row that is left: a mark beyond it would hide new rows.
            db.execute("UPDATE upkeep SET rolled_to = min(rolled_to, (SELECT coalesce(max(rowid), 0) FROM requests))")
    return int(found)


def give_back_space(db: Db) -> None:
    """Shrink a file by the pages that are free."""
    while db.execute("PRAGMA freelist_count").fetchone()[0]:
        # a statement frees a page a step, so all steps have to be taken
        db.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        time.sleep(PAUSE_S)


def _drop_days(db: Db, before_ms: int, last: int) -> Iterator[int]:
    from router.ledger.postgres import days, partition

    raw: Any = db.raw  # type: ignore[attr-defined]
    for day in days(raw):
        if (day + 1) * DAY_MS > before_ms:
            continue
        part = partition("requests", day)
        with db.together():
            newest, found = db.execute(f"SELECT max(rowid), count(*) FROM {part}").fetchone()  # noqa: S608
            if newest is not None and newest > last:
                continue
            for table in ("feedback", "weak_labels"):
                db.execute("SET LOCAL stillhouse.prune = 'on'")
                db.execute(
                    f"DELETE FROM {table} WHERE at_ms >= ? AND at_ms < ?",  # noqa: S608
                    (day * DAY_MS, (day + 1) * DAY_MS),
                )
            db.execute(f"DROP TABLE {part}, {partition('attempts', day)}")
        yield int(found)
