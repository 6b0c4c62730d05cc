import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.ledger.db import LedgerError
from router.ledger.migrations import MIGRATIONS, check, migrate
from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS
from router.ledger.sums import DIMENSIONS, LATENCY_KEYS, MEASURES


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_xinfo({table})")]


def m902_adds_a_table(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE later (x)")


def m903_breaks(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE never (x)")
    raise RuntimeError("power cut")


def test_an_empty_file_gets_every_migration_once(db: sqlite3.Connection) -> None:
    assert not check(db)
    assert migrate(db) == [m.__name__ for m in MIGRATIONS]
    assert check(db)
    assert migrate(db) == []


def test_the_tables_have_exactly_the_columns_that_the_code_writes(db: sqlite3.Connection) -> None:
    migrate(db)
    assert sorted(columns(db, "requests")) == sorted(REQUEST_COLUMNS)
    assert columns(db, "attempts") == [*ATTEMPT_COLUMNS, "generation"]
    assert columns(db, "daily") == [*DIMENSIONS, *MEASURES]
    assert columns(db, "daily_latency") == [*LATENCY_KEYS, "part", "bucket_us", "requests"]


def test_only_what_is_missing_is_applied(db: sqlite3.Connection) -> None:
    migrate(db)
    assert migrate(db, [*MIGRATIONS, m902_adds_a_table]) == ["m902_adds_a_table"]
    assert columns(db, "later") == ["x"]


def test_a_migration_that_fails_leaves_the_old_shape(db: sqlite3.Connection) -> None:
    migrate(db)
    with pytest.raises(RuntimeError):
        migrate(db, [*MIGRATIONS, m902_adds_a_table, m903_breaks])
    assert check(db)
    assert columns(db, "later") == columns(db, "never") == []


def test_a_newer_ledger_is_refused_by_name(db: sqlite3.Connection) -> None:
    migrate(db, [*MIGRATIONS, m902_adds_a_table])
    with pytest.raises(LedgerError, match=r"newer Stillhouse \(it knows m902_adds_a_table\)"):
        migrate(db)


def test_another_programs_database_is_refused_and_untouched(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE songs (title)")
    with pytest.raises(LedgerError, match="another program"):
        migrate(db)
    assert [name for (name,) in db.execute("SELECT name FROM sqlite_schema")] == ["songs"]


def test_another_programs_migrations_are_not_taken_for_ours(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE migrations (name)")
    with pytest.raises(LedgerError, match="another program"):
        migrate(db)


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    applied: list[list[str]] = []

    def start() -> None:
        connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, timeout=30)
        applied.append(migrate(connection))
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, applied)) == [0] * 5 + [len(MIGRATIONS)]
