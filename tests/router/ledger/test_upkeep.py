"""Writing out, removing and erasing, on both stores."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from pathlib import Path

import pytest

from router.ledger import archive
from router.ledger.archive import manifests, retire, verify
from router.ledger.db import LedgerError
from router.ledger.erase import ERASED, erase
from router.ledger.feedback import Feedback, give
from router.ledger.place import Place, Remote, waiting_room
from router.ledger.read import Reader, Span
from router.ledger.spill import Spill, leftovers, read
from router.ledger.store import open_writer
from router.ledger.writer import Ledger
from tests.support.records import DAY_MS, NOON, attempt, request


def fill(place: Place, start: int = 0, n: int = 60) -> None:
    ledger = Ledger(place)
    for i in range(start, start + n):
        ledger.record(
            request(f"r{i}", at_ms=NOON - (i % 3) * DAY_MS, tenant=f"t{i % 2}", key_id=f"k{i % 2}"), [attempt(0)]
        )
    ledger.close()


def totals(place: Place) -> list[object]:
    with Reader(place) as reader:
        return [reader.groups(("day",)), reader.groups(("model", "outcome")), reader.latency()]


def ids(place: Place, span: Span | None = None) -> set[object]:
    with Reader(place) as reader:
        return {shown["id"] for shown in reader.requests(span or Span())}


def lines(path: Path) -> list[dict[str, object]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def test_a_day_is_written_out_whole_before_it_goes(place: Place, tmp_path: Path) -> None:
    fill(place)
    give(place, Feedback(request_id="r1", at_ms=NOON - DAY_MS, who="person", score=1.0, given_ms=NOON))
    before, folder = totals(place), tmp_path / "out"
    with Reader(place) as reader:
        shown = {row["id"]: row for row in reader.requests()}
    assert sum(retire(place, folder, NOON)) == 40
    assert totals(place) == before
    assert ids(place) == {f"r{i}" for i in range(0, 60, 3)}
    kept = manifests(folder)
    assert [(one.day, one.requests, one.attempts, one.feedback) for one in kept] == [
        ("2024-10-02", 20, 20, 0),
        ("2024-10-03", 20, 20, 1),
    ]
    assert all(verify(folder, one) for one in kept)
    assert kept[0].tenants == {"t0": 10, "t1": 10}
    out = [row for one in kept for row in lines(folder / one.file)]
    assert {row["id"] for row in out} == {f"r{i}" for i in range(60) if i % 3}
    assert all(shown[row["id"]] == row for row in out)


def test_late_rows_get_a_file_of_their_own(place: Place, tmp_path: Path) -> None:
    fill(place)
    sum(retire(place, tmp_path / "out", NOON))
    fill(place, 60, 6)
    before = totals(place)
    assert sum(retire(place, tmp_path / "out", NOON)) == 4
    assert totals(place) == before
    assert sorted((one.day, one.requests) for one in manifests(tmp_path / "out")) == [
        ("2024-10-02", 2), ("2024-10-02", 20), ("2024-10-03", 2), ("2024-10-03", 20),
    ]  # fmt: skip


def test_what_cannot_be_read_back_stays(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(place)
    monkeypatch.setattr(archive, "_read_back", lambda part: (19, "0" * 64))
    with pytest.raises(LedgerError, match="holds 19 of 20"):
        sum(retire(place, tmp_path / "out", NOON))
    assert len(ids(place)) == 60
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_was_changed_is_noticed(place: Place, tmp_path: Path) -> None:
    fill(place)
    sum(retire(place, tmp_path / "out", NOON))
    one = manifests(tmp_path / "out")[0]
    path = tmp_path / "out" / one.file
    path.write_bytes(path.read_bytes()[:-9])
    assert not verify(tmp_path / "out", one)


def test_an_erased_tenant_leaves_its_sums_and_nothing_else(place: Place, tmp_path: Path) -> None:
    fill(place)
    give(place, Feedback(request_id="r1", at_ms=NOON - DAY_MS, who="person", score=1.0, given_ms=NOON))
    sum(retire(place, tmp_path / "out", NOON - DAY_MS))
    room = Spill(waiting_room(place))  # what a process left that was killed
    for i, tenant in ((90, "t0"), (91, "t1"), (92, "t1")):
        room.append((request(f"r{i}", tenant=tenant), ()))
    room.take()
    before = totals(place)
    done = erase(place, "t1", tmp_path / "out")
    assert (done.requests, done.waiting, done.in_use) == (20, 2, ())
    assert done.exports == tuple(one.file for one in manifests(tmp_path / "out"))
    assert totals(place) == before
    with Reader(place) as reader:
        assert {group.keys: group.sums.requests for group in reader.groups(("tenant", "key_id"))} == {
            ("t0", "k0"): 30,
            (ERASED, ""): 30,
        }
        assert reader.info().attempts == 20
    assert ids(place, Span(tenant="t1")) == set()
    with closing(open_writer(place)) as db:
        assert db.execute("SELECT count(*) FROM feedback").fetchone()[0] == 0
    [waiting] = leftovers(waiting_room(place))
    assert [pair[0].id for pair in read(waiting) if pair] == ["r90"]
    assert erase(place, "t1").requests == 0
    assert totals(place) == before


def test_a_waiting_file_in_use_is_named(place: Place) -> None:
    fill(place, n=3)
    room = Spill(waiting_room(place))
    room.append((request("late", tenant="t1"), ()))
    done = erase(place, "t1")
    assert len(done.in_use) == 1
    room.take()


def test_the_name_for_the_erased_cannot_be_erased(place: Place) -> None:
    with pytest.raises(ValueError, match="nothing left to erase"):
        erase(place, ERASED)


def test_a_server_drops_a_day_at_once_and_rows_are_never_changed(place: Place) -> None:
    if not isinstance(place, Remote):
        pytest.skip("a file has no parts to drop")
    from router.ledger.postgres import PostgresDb, days

    fill(place)
    with closing(open_writer(place)) as db:
        assert isinstance(db, PostgresDb)
        assert len(days(db.raw)) == 3
        for change in ("DELETE FROM requests", "UPDATE requests SET tenant = 'x'", "DELETE FROM attempts"):
            with pytest.raises(LedgerError, match="append-only"):
                db.execute(change)
    sum(retire(place, None, NOON))
    with closing(open_writer(place)) as db:
        assert isinstance(db, PostgresDb)
        assert len(days(db.raw)) == 1
