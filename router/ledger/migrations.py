"""The numbered migrations of the ledger: a list of functions, and a table of their names in the file.

All that are missing are applied in one transaction: a database is at the old shape or at the new one,
never between. A released migration is history and never changes; a change of shape is a new function
at the end of the list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from router.ledger.db import LedgerError

APPLICATION_ID = 0x5354_4C4C
"""``STLL`` in the header of the file: says that a SQLite database is a ledger of ours."""


Migration = Callable[[sqlite3.Connection], None]

REQUESTS = """
CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    key_id TEXT,
    session TEXT,
    tag TEXT,
    cell TEXT NOT NULL,
    mode TEXT NOT NULL,
    parent TEXT,
    variant TEXT NOT NULL,
    prompt_hash TEXT,
    stream INTEGER NOT NULL,
    requested_model TEXT NOT NULL,
    policy TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    artefact_hash TEXT,
    price_book_hash TEXT,
    family TEXT,
    features TEXT,
    p_right TEXT,
    output_tokens TEXT,
    complexity REAL,
    novelty REAL,
    tier_wanted TEXT,
    tier_served TEXT,
    reasons TEXT NOT NULL,
    propensity REAL NOT NULL,
    draw REAL,
    predicted_cost TEXT,
    findings TEXT NOT NULL,
    guard_in TEXT NOT NULL,
    guard_out TEXT NOT NULL,
    error_code TEXT,
    queue_ms REAL,
    score_ms REAL,
    guard_in_ms REAL,
    upstream_first_byte_ms REAL,
    upstream_total_ms REAL,
    guard_out_ms REAL,
    total_ms REAL,
    cpu_us REAL,
    tokens_in INTEGER,
    tokens_out INTEGER,
    tokens_cached INTEGER,
    tokens_source TEXT,
    model TEXT NOT NULL,
    cost_nano INTEGER,
    price_source TEXT NOT NULL,
    baseline_nano INTEGER,
    baseline_source TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL,
    escalations INTEGER NOT NULL
) STRICT
"""

# ``at_ms`` is the request's: with it, pruning and per-tier sums need no join.
ATTEMPTS = """
CREATE TABLE attempts (
    request_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    n INTEGER NOT NULL,
    tier TEXT,
    deployment TEXT NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    outcome TEXT NOT NULL,
    started_ms REAL NOT NULL,
    kind TEXT NOT NULL,
    lineage TEXT NOT NULL,
    http_status INTEGER,
    error_code TEXT,
    first_byte_ms REAL,
    ended_ms REAL,
    tokens_in INTEGER,
    tokens_out INTEGER,
    tokens_cached INTEGER,
    tokens_source TEXT,
    cost_nano INTEGER,
    price_source TEXT NOT NULL,
    finish_reason TEXT,
    signals TEXT,
    generation INTEGER AS (json_extract(lineage, '$.generation')) VIRTUAL
) STRICT
"""

# What pruning leaves behind: sums a day, in exactly the words that a report groups by.
DAILY = """
CREATE TABLE daily (
    day INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    mode TEXT NOT NULL,
    tier_wanted TEXT NOT NULL,
    tier_served TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    error_code TEXT NOT NULL,
    guard_in TEXT NOT NULL,
    guard_out TEXT NOT NULL,
    tokens_source TEXT NOT NULL,
    requests INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    cost_known INTEGER NOT NULL,
    cost_unknown INTEGER NOT NULL,
    cost_hypothetical INTEGER NOT NULL,
    compared INTEGER NOT NULL,
    compared_hypothetical INTEGER NOT NULL,
    compared_nano INTEGER NOT NULL,
    baseline_nano INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL,
    escalations INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, key_id, policy, mode, tier_wanted, tier_served, model, outcome, error_code,
                 guard_in, guard_out, tokens_source)
) STRICT, WITHOUT ROWID
"""

DAILY_LATENCY = """
CREATE TABLE daily_latency (
    day INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    policy TEXT NOT NULL,
    tier_served TEXT NOT NULL,
    part TEXT NOT NULL,
    bucket_us INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, policy, tier_served, part, bucket_us)
) STRICT, WITHOUT ROWID
"""

# The gate is empty but inside the transactions of ``prune``, and names what they may remove.
_GATE = "CREATE TABLE prune_gate (before_ms INTEGER NOT NULL) STRICT"


def _append_only(table: str, same: str) -> tuple[str, ...]:
    """Triggers by which ``table`` only grows. ``same`` finds the row that NEW would repeat.

    A row that is already there is skipped, so replaying what was spilled is safe, and
    ``INSERT OR REPLACE`` cannot rewrite history.
    """
    trigger, stop = f"CREATE TRIGGER {table}_", "SELECT RAISE(ABORT, 'the ledger is append-only"
    allowed = "coalesce((SELECT max(before_ms) FROM prune_gate), -9223372036854775808)"
    exists = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608
    return (
        f"{trigger}never_updated BEFORE UPDATE ON {table} BEGIN {stop}'); END",
        f"{trigger}only_pruned BEFORE DELETE ON {table} WHEN OLD.at_ms >= {allowed} BEGIN {stop}'); END",
        f"{trigger}only_once BEFORE INSERT ON {table} WHEN {exists} BEGIN SELECT RAISE(IGNORE); END",
    )


def m001_requests_and_attempts(db: sqlite3.Connection) -> None:
    """The two append-only tables, and the sums that pruning leaves."""
    for statement in (
        REQUESTS,
        ATTEMPTS,
        DAILY,
        DAILY_LATENCY,
        _GATE,
        "CREATE INDEX requests_at ON requests (at_ms)",
        "CREATE UNIQUE INDEX attempts_of ON attempts (request_id, n)",
        *_append_only("requests", "id = NEW.id"),
        *_append_only("attempts", "request_id = NEW.request_id AND n = NEW.n"),
        f"PRAGMA application_id = {APPLICATION_ID}",
    ):
        db.execute(statement)


# ``at_ms`` is the request's, as with attempts; ``given_ms`` is when the feedback came.
FEEDBACK = """
CREATE TABLE feedback (
    request_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    given_ms INTEGER NOT NULL,
    key_id TEXT
) STRICT
"""


def m002_feedback_and_places(db: sqlite3.Connection) -> None:
    """What people and judges said of an answer, and where the scorer placed its prompt: numbers only."""
    for statement in (
        "ALTER TABLE requests ADD COLUMN place TEXT",
        FEEDBACK,
        "CREATE UNIQUE INDEX feedback_of ON feedback (request_id, who)",
        *_append_only("feedback", "request_id = NEW.request_id AND who = NEW.who"),
    ):
        db.execute(statement)


def m003_draw_key(db: sqlite3.Connection) -> None:
    """Which salt a request's lot was drawn with."""
    db.execute("ALTER TABLE requests ADD COLUMN draw_key TEXT")


# As feedback, but not to be believed by itself: ``why`` says what is wrong with it.
WEAK_LABELS = """
CREATE TABLE weak_labels (
    request_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    given_ms INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT
"""


def m004_weak_labels(db: sqlite3.Connection) -> None:
    """Judgements that are kept apart from feedback."""
    for statement in (
        WEAK_LABELS,
        "CREATE UNIQUE INDEX weak_labels_of ON weak_labels (request_id, who)",
        *_append_only("weak_labels", "request_id = NEW.request_id AND who = NEW.who"),
    ):
        db.execute(statement)


# Up to which row the daily sums reach, and the end of what was pruned; one line.
UPKEEP = (
    "CREATE TABLE upkeep (rolled_to INTEGER NOT NULL, pruned_ms INTEGER NOT NULL) STRICT",
    "INSERT INTO upkeep (rolled_to, pruned_ms) SELECT 0, coalesce(86400000 * (max(day) + 1), 0) FROM daily",
)


def m005_upkeep(db: sqlite3.Connection) -> None:
    """Daily sums run along behind the rows; until now only those of pruned rows were kept."""
    for statement in UPKEEP:
        db.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (
    m001_requests_and_attempts, m002_feedback_and_places, m003_draw_key, m004_weak_labels, m005_upkeep,
)  # fmt: skip


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Bring ``db`` to the newest shape; return the names that were applied.

    ``db`` must be in autocommit mode (``isolation_level=None``): the transaction here is the only one.

    Raises:
        LedgerError: the file is another program's, or newer than this code.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        missing = _missing(db, migrations)
        for migration in missing:
            migration(db)
            db.execute("INSERT INTO migrations (name) VALUES (?)", (migration.__name__,))
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return [migration.__name__ for migration in missing]


def _missing(db: sqlite3.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    check(db, migrations)
    db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY) STRICT")
    applied = {name for (name,) in db.execute("SELECT name FROM migrations")}
    return [migration for migration in migrations if migration.__name__ not in applied]


def check(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether ``db`` is a ledger of the newest shape; False when it is empty or older.

    Raises:
        LedgerError: the file is another program's, or newer than this code.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return False
    if "migrations" not in tables or db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LedgerError("this SQLite database belongs to another program. Name another file for the ledger.")
    known = {migration.__name__ for migration in migrations}
    applied = {name for (name,) in db.execute("SELECT name FROM migrations")}
    if newer := sorted(applied - known):
        raise LedgerError(
            f"it was written by a newer Stillhouse (it knows {', '.join(newer)}). "
            "Upgrade stillhouse, or name another file for the ledger."
        )
    return len(applied) == len(known)
