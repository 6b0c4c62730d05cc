import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.ledger.db import LedgerError
from router.ledger.read import Reader
from router.ledger.spill import leftovers
from router.ledger.writer import BATCH, Ledger
from tests.support.records import attempt, full, request


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


def ids(path: Path) -> list[object]:
    with Reader(path) as reader:
        return [shown["id"] for shown in reader.requests()]


@pytest.fixture
def blocked(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """Another process that holds the file: the writer cannot commit until it lets go."""
    with closing(sqlite3.connect(ledger.place, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def test_what_was_recorded_is_there_after_closing(ledger: Ledger) -> None:
    for i in range(250):
        ledger.record(request(f"req-{i:03}"), [attempt(0), attempt(1, kind="retry")])
    ledger.close()
    assert ids(ledger.place) == [f"req-{i:03}" for i in range(250)]
    assert (ledger.written, ledger.dropped, ledger.pending) == (250, 0, 0)
    assert leftovers(ledger.place) == []


def test_a_request_reads_the_same_before_and_after_its_commit(ledger: Ledger, blocked: sqlite3.Connection) -> None:
    ledger.record(*full())
    pending = ledger.get("req-1")
    blocked.execute("ROLLBACK")
    assert ledger.flush()
    assert ledger.get("req-1") == pending
    assert pending is not None
    assert pending["attempts"][1]["lineage"]["family"] == "f"
    assert [a["generation"] for a in pending["attempts"]] == [1, 2]


def test_an_unknown_id_is_none(ledger: Ledger) -> None:
    assert ledger.get("nobody") is None


def test_a_record_is_committed_without_anyone_asking(ledger: Ledger) -> None:
    ledger.record(request("a"))
    done = threading.Event()
    while ledger.pending:
        done.wait(0.01)
    assert ids(ledger.place) == ["a"]


def test_memory_holds_one_batch_and_the_rest_waits_on_disk(ledger: Ledger, blocked: sqlite3.Connection) -> None:
    for i in range(3 * BATCH):
        ledger.record(request(f"req-{i}"))
    assert (ledger.pending, ledger.spilled, ledger.dropped) == (BATCH, 2 * BATCH, 0)
    blocked.execute("ROLLBACK")
    assert ledger.flush()
    assert len(set(ids(ledger.place))) == 3 * BATCH
    assert leftovers(ledger.place) == []


def test_a_spilled_request_can_be_read_at_once(ledger: Ledger, blocked: sqlite3.Connection) -> None:
    for i in range(BATCH + 1):
        ledger.record(request(f"req-{i}"))
    blocked.execute("ROLLBACK")
    assert ledger.get(f"req-{BATCH}") is not None


def test_after_closing_records_wait_for_the_next_start(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    ledger.record(request("late"))
    assert ledger.dropped == 0
    program = (
        f"import pathlib; from router.ledger.writer import Ledger; Ledger(pathlib.Path({str(ledger.place)!r})).close()"
    )
    ledger._spill.take()  # what the end of the process does
    subprocess.run([sys.executable, "-c", program], check=True)
    assert ids(ledger.place) == ["late"]


@pytest.mark.parametrize(
    ("odd", "kept"),
    [({"tag": "a\ud800"}, 3), ({"tokens_in": 1 << 70}, 3), ({"cost_nano": "free"}, 2), ({"features": object()}, 2)],
)
def test_one_bad_record_does_not_take_its_batch_along(ledger: Ledger, odd: dict[str, object], kept: int) -> None:
    ledger.record(request("a"))
    ledger.record(request("b", **odd))
    ledger.record(request("c"))
    assert ledger.flush()
    assert {"a", "c"} <= set(ids(ledger.place))
    assert (ledger.written, ledger.dropped) == (kept, 3 - kept)


def test_a_bad_record_never_raises_into_the_request(ledger: Ledger, blocked: sqlite3.Connection) -> None:
    for i in range(BATCH):
        ledger.record(request(f"req-{i}"))
    ledger.record(request("b", features=object()))
    assert ledger.dropped == 1


def test_a_store_in_trouble_is_reported_and_recovers(
    ledger: Ledger, blocked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger._store.db.execute("PRAGMA busy_timeout = 1")
    ledger.record(request("a"))
    pause = threading.Event()
    while ledger.error is None:
        pause.wait(0.01)
    assert "locked" in ledger.error
    blocked.execute("ROLLBACK")
    assert ledger.flush()
    assert (ledger.error, ledger.dropped) == (None, 0)
    assert ids(ledger.place) == ["a"]


def test_closing_while_the_store_is_held_keeps_everything(ledger: Ledger, blocked: sqlite3.Connection) -> None:
    ledger._store.db.execute("PRAGMA busy_timeout = 1")
    for i in range(BATCH + 7):
        ledger.record(request(f"req-{i}"))
    ledger.close()
    blocked.execute("ROLLBACK")
    Ledger(ledger.place).close()
    assert len(ids(ledger.place)) == BATCH + 7
    assert ledger.dropped == 0


def test_threads_lose_nothing(ledger: Ledger) -> None:
    def work(name: str) -> None:
        for i in range(500):
            ledger.record(request(f"{name}{i}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.flush()
    assert len(set(ids(ledger.place))) == 2000
    assert ledger.dropped == 0


def test_two_gateways_may_share_a_ledger(tmp_path: Path) -> None:
    both = [Ledger(tmp_path / "ledger.db"), Ledger(tmp_path / "ledger.db")]
    for i in range(300):
        both[i % 2].record(request(f"req-{i}"))
    for one in both:
        one.close()
    assert len(ids(tmp_path / "ledger.db")) == 300
    assert [one.dropped for one in both] == [0, 0]


def test_an_unusable_file_is_refused_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="directory"):
        Ledger(tmp_path)


_CHILD = """
import pathlib, sys
from router.ledger.writer import Ledger
from tests.support.records import attempt, request
ledger, pause = Ledger(pathlib.Path(sys.argv[1])), int(sys.argv[2])
for i in range(10**9):
    ledger.record(request(f"req-{i}"), [attempt(0), attempt(1)])
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
    for _ in range(pause):
        pass
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_loses_at_most_one_batch_and_corrupts_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", _CHILD, str(path), str(chance.choice([0, 2_000, 20_000]))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        handed_over = 0
        for _ in range(chance.randrange(1, 4_000)):
            handed_over = int(child.stdout.readline()) + 1
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
    handed_over += len([line for line in rest if line.endswith(b"\n")])

    survivor = Ledger(path)
    survivor.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {row[0] for row in db.execute("SELECT id FROM requests")}
        orphans = "SELECT count(*) FROM requests r WHERE 2 <> (SELECT count(*) FROM attempts WHERE request_id = r.id)"
        assert db.execute(orphans).fetchone() == (0,)
    lost = {f"req-{i}" for i in range(handed_over)} - stored
    assert len(lost) <= BATCH
    assert survivor.dropped <= 1  # the line that was being written
    assert leftovers(path) == []
