"""The numbered migrations of a ledger in PostgreSQL: the same tables as in a file, in partitions of a day.

The columns are taken from the migrations of the file, which are history and never change. What is partitioned has the
day in its key; a request and its attempts, like a replay of both, always carry the same ``at_ms``. ``rowid`` stands
for SQLite's: it grows in the order in which rows became visible, because writers come one after the other
(``postgres.PostgresDb.together``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from router.ledger.db import LedgerError
from router.ledger.migrations import ATTEMPTS, DAILY, DAILY_LATENCY, FEEDBACK, REQUESTS, UPKEEP, WEAK_LABELS

SCHEMA = "stillhouse_ledger"
"""Our tables have a schema of their own: the database may be shared."""

PARTITIONED = ("requests", "attempts")

Migration = Callable[[Any], None]

_ROWID = "rowid BIGINT NOT NULL DEFAULT nextval('row_numbers')"
_GENERATED = "CAST(CAST(lineage AS JSON) ->> 'generation' AS BIGINT)) STORED"


def _table(ddl: str, *more: str) -> str:
    """The file's words in the server's. Text sorts by code points, as it does in a file."""
    body = re.sub(r"\) STRICT(, WITHOUT ROWID)?\s*$", ")", ddl.strip())
    body = body.replace("json_extract(lineage, '$.generation')) VIRTUAL", _GENERATED).replace(" AS (CAST", _ALWAYS)
    body = re.sub(r"\bINTEGER\b", "BIGINT", re.sub(r"\bREAL\b", "DOUBLE PRECISION", body))
    body = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', body).replace(" PRIMARY KEY,\n", ",\n")
    return body.removesuffix(")").rstrip() + "".join(f",\n    {line}" for line in more) + "\n)"


_ALWAYS = " GENERATED ALWAYS AS (CAST"

_NEVER = """
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('stillhouse.prune', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only';
END $$
"""


def p001_all_tables(db: Any) -> None:
    """Everything that a file had after its fifth migration."""
    text = 'TEXT COLLATE "C"'
    for statement in (
        "CREATE SEQUENCE row_numbers",
        _table(REQUESTS, f"place {text}", f"draw_key {text}", _ROWID, "PRIMARY KEY (id, at_ms)")
        + " PARTITION BY RANGE (at_ms)",
        _table(ATTEMPTS, "PRIMARY KEY (request_id, n, at_ms)") + " PARTITION BY RANGE (at_ms)",
        _table(FEEDBACK, _ROWID, "PRIMARY KEY (request_id, who)"),
        _table(WEAK_LABELS, "PRIMARY KEY (request_id, who)"),
        _table(DAILY),
        _table(DAILY_LATENCY),
        *(statement if statement.startswith("INSERT") else _table(statement) for statement in UPKEEP),
        "CREATE INDEX requests_at ON requests (at_ms)",
        "CREATE INDEX requests_row ON requests (rowid)",
        "CREATE INDEX feedback_row ON feedback (rowid)",
        "CREATE INDEX feedback_at ON feedback (at_ms)",
        "CREATE INDEX weak_labels_at ON weak_labels (at_ms)",
        _NEVER,
        *(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION never()"
            for table in ("requests", "attempts", "feedback", "weak_labels")
        ),
    ):
        db.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (p001_all_tables,)


def applied(db: Any) -> set[str] | None:
    """The names of the migrations that were applied; None where no ledger is."""
    there = db.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.migrations",)).fetchone()[0]
    if there is None:
        return None
    return {name for (name,) in db.execute(f"SELECT name FROM {SCHEMA}.migrations")}  # noqa: S608 - our own name


def check(names: set[str] | None, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether a ledger with these migrations has the newest shape; False where there is none, or an older one.

    Raises:
        LedgerError: it is newer than this code.
    """
    known = {migration.__name__ for migration in migrations}
    if newer := sorted((names or set()) - known):
        raise LedgerError(f"it was written by a newer Stillhouse (it knows {', '.join(newer)}). Upgrade stillhouse.")
    return names == known


def migrate(db: Any, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the ledger to the newest shape, inside the transaction that the caller holds.

    Raises:
        LedgerError: it is newer than this code.
    """
    if check(applied(db), migrations):
        return
    db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    db.execute(f'CREATE TABLE IF NOT EXISTS {SCHEMA}.migrations (name TEXT COLLATE "C" NOT NULL PRIMARY KEY)')
    there = applied(db) or set()
    for migration in migrations:
        if migration.__name__ not in there:
            migration(db)
            db.execute("INSERT INTO migrations (name) VALUES (%s)", (migration.__name__,))
