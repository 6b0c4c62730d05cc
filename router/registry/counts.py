"""What gateways have counted of roll-outs: one small record for each roll-out and ledger, and the units already seen.

Not a record of what was decided (that is the log): a memory of work. It can be removed at any time; then it is
counted again from the ledgers, with the same result.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY_S = 5.0

_TABLES = """
CREATE TABLE IF NOT EXISTS counts (
    rollout TEXT NOT NULL, ledger TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (rollout, ledger)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    rollout TEXT NOT NULL, signal TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (rollout, signal, unit)
) STRICT, WITHOUT ROWID;
"""


class Turn:
    """One gateway's turn to count for one roll-out and ledger; nobody else counts meanwhile.

    Attributes:
        body: what was kept; None at first. Assign to keep another.
    """

    def __init__(self, db: sqlite3.Connection, rollout: str, ledger: str) -> None:
        self._db, self._key = db, (rollout, ledger)
        row = db.execute("SELECT body FROM counts WHERE rollout = ? AND ledger = ?", self._key).fetchone()
        self.body: str | None = row[0] if row else None

    def first(self, signal: str, unit: str) -> bool:
        """Whether no ledger has counted the unit for this signal yet; from now on one has."""
        words = "INSERT OR IGNORE INTO seen (rollout, signal, unit) VALUES (?, ?, ?)"
        return self._db.execute(words, (self._key[0], signal, unit)).rowcount == 1

    def others(self) -> list[str]:
        """What is kept for the same roll-out from other ledgers."""
        words = "SELECT body FROM counts WHERE rollout = ? AND ledger <> ? ORDER BY ledger"
        return [body for (body,) in self._db.execute(words, self._key)]


def path(home: Path) -> Path:
    """Where the counts lie."""
    return home / "registry" / "counts.db"


@contextmanager
def turn(home: Path, rollout: str, ledger: str) -> Iterator[Turn]:
    """Take a turn; what it leaves is kept whole or, where it fails, not at all.

    Raises:
        sqlite3.Error, OSError: the file cannot be used, or another gateway holds it for too long.
    """
    file = path(home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)) as db:
        file.chmod(0o600)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_TABLES)
        db.execute("BEGIN IMMEDIATE")
        try:
            mine = Turn(db, rollout, ledger)
            yield mine
            if mine.body is not None:
                words = "INSERT OR REPLACE INTO counts (rollout, ledger, body) VALUES (?, ?, ?)"
                db.execute(words, (rollout, ledger, mine.body))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def bodies(home: Path, rollout: str) -> list[str]:
    """What is kept for a roll-out from all ledgers; nothing where nobody counted."""
    if not path(home).exists():
        return []
    with closing(sqlite3.connect(f"{path(home).absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'counts'").fetchone():
            return []  # the first gateway is only making the file
        words = "SELECT body FROM counts WHERE rollout = ? ORDER BY ledger"
        return [body for (body,) in db.execute(words, (rollout,))]


def forget(home: Path, rollout: str) -> None:
    """Drop the units of a roll-out that has ended; its counts stay for people to read."""
    with closing(sqlite3.connect(path(home), timeout=BUSY_S, isolation_level=None)) as db:
        db.execute("DELETE FROM seen WHERE rollout = ?", (rollout,))
