import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.ledger.prune import count, prune, whole_days
from router.ledger.read import Group, Reader, Span
from router.ledger.record import RequestRecord
from router.ledger.rows import INSERT_ATTEMPT, INSERT_REQUEST, attempt_row, request_row
from router.ledger.store import open_writer
from router.ledger.summary import Summary, summarize
from router.ledger.sums import DIMENSIONS
from router.ledger.writer import Ledger
from tests.support.records import DAY_MS, NOON, attempt, records, request

CUT = NOON + 2 * DAY_MS


def fill(path: Path, requests: list[RequestRecord]) -> None:
    with closing(open_writer(path)) as db:
        db.execute("BEGIN")
        for one in requests:
            db.execute(INSERT_REQUEST, request_row(one, [attempt()]))
            db.execute(INSERT_ATTEMPT, attempt_row(one, attempt()))
        db.execute("COMMIT")


def picture(path: Path) -> tuple[Summary, Summary, list[Group]]:
    with Reader(path) as reader:
        groups = sorted(reader.groups(DIMENSIONS), key=lambda g: tuple(map(str, g.keys)))
        return summarize(reader), summarize(reader, Span(tenant="회사", policy="korean")), groups


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records(), max_size=40), st.integers(1, 7))
def test_every_report_reads_the_same_after_pruning(requests: list[RequestRecord], batch: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        fill(path, requests)
        before = picture(path)
        old = sum(one.at_ms < whole_days(CUT) for one in requests)
        assert count(path, CUT) == old
        assert sum(prune(path, CUT, batch)) == old
        assert picture(path) == before
        with Reader(path) as reader:
            info = reader.info()
        assert (info.requests, info.attempts, info.pruned_requests) == (len(requests) - old, len(requests) - old, old)


def test_only_whole_days_go(tmp_path: Path) -> None:
    fill(tmp_path / "ledger.db", [request("today", at_ms=NOON), request("yesterday", at_ms=NOON - DAY_MS)])
    assert sum(prune(tmp_path / "ledger.db", NOON + 1)) == 1
    with Reader(tmp_path / "ledger.db") as reader:
        assert [shown["id"] for shown in reader.requests()] == ["today"]


def test_pruning_twice_adds_to_the_same_day(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, [request("a")])
    list(prune(path, NOON + DAY_MS))
    fill(path, [request("b")])
    list(prune(path, NOON + DAY_MS))
    with Reader(path) as reader:
        (group,) = reader.groups(("day",))
    assert (group.keys, group.sums.requests, group.sums.cost_nano) == ((20_000,), 2, 2_000)


def test_stopping_half_way_leaves_every_total_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, [request(f"req-{i}", at_ms=NOON + i) for i in range(50)])
    before = picture(path)
    batches = prune(path, NOON + DAY_MS, batch=10)
    assert list(itertools.islice(batches, 2)) == [10, 10]
    batches.close()
    assert picture(path) == before
    with Reader(path) as reader:
        assert reader.info().requests == 30


def test_the_gate_is_shut_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, [request("old"), request("new", at_ms=NOON + DAY_MS)])
    list(prune(path, NOON + DAY_MS))
    with closing(open_writer(path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("DELETE FROM requests")


def test_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, [request(f"req-{i}") for i in range(2_000)])
    list(prune(path, NOON + DAY_MS))
    with closing(open_writer(path)) as db:
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < 300_000


def test_a_gateway_keeps_recording_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fill(path, [request(f"old-{i}") for i in range(500)])
    ledger = Ledger(path)
    for i, _ in enumerate(prune(path, NOON + DAY_MS, batch=20)):
        ledger.record(request(f"new-{i}", at_ms=CUT))
    ledger.close()
    with Reader(path) as reader:
        assert (reader.info().requests, reader.info().pruned_requests) == (25, 500)
    assert ledger.dropped == 0


def test_feedback_leaves_with_its_request(tmp_path: Path) -> None:
    from router.ledger.feedback import Feedback, give

    path = tmp_path / "ledger.db"
    fill(path, [request("old", at_ms=NOON), request("new", at_ms=CUT + DAY_MS)])
    for name, at in (("old", NOON), ("new", CUT + DAY_MS)):
        given = Feedback(request_id=name, at_ms=at, who="person", score=1.0, given_ms=at)
        assert give(path, given) == (1.0, True)
        assert give(path, given) == (1.0, False)
    assert sum(prune(path, CUT)) == 1
    with closing(open_writer(path)) as db:
        assert db.execute("SELECT request_id FROM feedback").fetchall() == [("new",)]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM feedback")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("UPDATE feedback SET score = 0")
