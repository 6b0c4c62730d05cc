import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from router.ledger.db import LedgerError
from router.ledger.migrations import MIGRATIONS, migrate
from router.ledger.rows import INSERT_ATTEMPT, INSERT_REQUEST, attempt_row, request_row
from router.ledger.store import open_reader, open_writer
from tests.support.records import attempt, request


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "ledger.db"


def insert(db: sqlite3.Connection) -> None:
    db.execute(INSERT_REQUEST, request_row(request(), ()))
    db.execute(INSERT_ATTEMPT, attempt_row(request(), attempt()))


def test_a_new_ledger_is_the_owners_alone_and_in_wal_mode(path: Path) -> None:
    with closing(open_writer(path)) as db:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        names = ("journal_mode", "synchronous", "auto_vacuum")
        assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == ["wal", 1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE requests SET cost_nano = 0",
        "UPDATE attempts SET tokens_in = 0",
        "DELETE FROM requests",
        "DELETE FROM attempts",
    ],
)
def test_history_cannot_be_changed(path: Path, statement: str) -> None:
    with closing(open_writer(path)) as db:
        insert(db)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)


def test_a_row_that_is_there_is_neither_doubled_nor_replaced(path: Path) -> None:
    with closing(open_writer(path)) as db:
        insert(db)
        insert(db)
        forged = request_row(request(cost_nano=0), ())
        db.execute(INSERT_REQUEST.replace("INSERT", "INSERT OR REPLACE"), forged)
        assert db.execute("SELECT count(*), sum(cost_nano) FROM requests").fetchone() == (1, 1_000)
        assert db.execute("SELECT count(*) FROM attempts").fetchone() == (1,)


def test_a_reader_cannot_write(path: Path) -> None:
    open_writer(path).close()
    with closing(open_reader(path)) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        insert(db)


def test_a_reader_creates_nothing(path: Path) -> None:
    with pytest.raises(LedgerError, match="no such file"):
        open_reader(path)
    assert not path.parent.exists()


def test_names_with_odd_characters_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory&x=%41#1.db"
    open_writer(path).close()
    open_reader(path).close()
    assert path.exists()


def test_a_newer_ledger_names_its_file(path: Path) -> None:
    def m999_tomorrow(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE tomorrow (x)")

    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, [*MIGRATIONS, m999_tomorrow])
    for opening in (open_writer, open_reader):
        with pytest.raises(LedgerError, match=r"ledger\.db: it was written by a newer Stillhouse.*Upgrade"):
            opening(path)


def test_an_older_ledger_is_not_read_before_it_is_brought_up(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, [])
        db.execute("PRAGMA application_id = 1398033484")
    with pytest.raises(LedgerError, match="older shape"):
        open_reader(path)
    open_writer(path).close()
    open_reader(path).close()


@pytest.mark.parametrize("opening", [open_writer, open_reader])
def test_a_file_that_is_no_database_is_refused(path: Path, opening) -> None:
    path.parent.mkdir()
    path.write_text("a diary, not a ledger " * 100)
    with pytest.raises(LedgerError, match="not a database"):
        opening(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(LedgerError, match="directory"):
        open_writer(path)
