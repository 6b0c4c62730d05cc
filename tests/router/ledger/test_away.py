"""The server goes and comes back: requests go on, records wait on disk, nothing is lost and nothing doubled."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.ledger.db import LedgerError
from router.ledger.place import Remote, waiting_room
from router.ledger.read import Reader
from router.ledger.spill import leftovers, read
from router.ledger.writer import BATCH, Ledger
from router.postgres import Dsn, connect
from tests.postgres import Server
from tests.support.records import attempt, request


@pytest.fixture
def remote(postgres_server: Server, postgres_dsn: str, tmp_path: Path) -> Iterator[Remote]:
    yield Remote(Dsn(postgres_dsn), tmp_path)
    postgres_server.start()  # whatever the test left


def until(met, seconds: float = 20.0) -> None:
    pause, end = threading.Event(), time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it never came about"
        pause.wait(0.02)


def stored(place: Remote) -> list[object]:
    with Reader(place) as reader:
        return sorted(str(shown["id"]) for shown in reader.requests())


def test_a_server_that_goes_and_comes_back_has_every_record_once(remote: Remote, postgres_server: Server) -> None:
    ledger = Ledger(remote)
    handed = 0
    for mode in ("fast", "immediate"):
        for _ in range(130):
            ledger.record(request(f"r{handed:04}"), [attempt(0), attempt(1)])
            handed += 1
        postgres_server.stop(mode)
        for _ in range(3 * BATCH):
            ledger.record(request(f"r{handed:04}"), [attempt(0), attempt(1)])
            handed += 1
        until(lambda: ledger.error is not None and ledger.pending == 0)  # all of it lies on disk now
        with pytest.raises(LedgerError):
            ledger.get("unknown")
        postgres_server.start()
        assert ledger.flush(20)
        assert ledger.error is None
    ledger.close()
    assert stored(remote) == [f"r{i:04}" for i in range(handed)]
    with Reader(remote) as reader:
        assert reader.info().attempts == 2 * handed
    assert ledger.dropped == 0
    assert leftovers(waiting_room(remote)) == []


def test_a_gateway_starts_without_its_server(remote: Remote, postgres_server: Server) -> None:
    postgres_server.stop()
    ledger = Ledger(remote)
    ledger.record(request("early"))
    until(lambda: ledger.error is not None)
    ledger.close()
    [waiting] = leftovers(waiting_room(remote))
    assert [pair[0].id for pair in read(waiting) if pair] == ["early"]
    postgres_server.start()
    Ledger(remote).close()
    assert stored(remote) == ["early"]


_CHILD = """
import pathlib, sys
from router.ledger.place import Remote
from router.ledger.writer import Ledger
from router.postgres import Dsn
from tests.support.records import attempt, request
ledger = Ledger(Remote(Dsn(sys.argv[1]), pathlib.Path(sys.argv[2])))
print("up", flush=True)
for line in sys.stdin:
    for i in range(*map(int, line.split())):
        ledger.record(request(f"r{i:04}"), [attempt(0)])
    print(line.strip(), flush=True)
"""


def test_a_kill_between_waiting_and_coming_in_loses_and_doubles_nothing(
    remote: Remote, postgres_server: Server
) -> None:
    command = [sys.executable, "-c", _CHILD, remote.dsn.url, str(remote.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def tell(line: str) -> None:
            child.stdin.write(line + "\n")
            assert child.stdout.readline().strip() == line

        assert child.stdout.readline() == "up\n"
        tell("0 150")
        until(lambda: len(stored(remote)) == 150)
        postgres_server.stop()
        tell("150 800")
        waiting = [*remote.folder.glob("ledger-*.spill-*")]
        until(lambda: sum(len(p.read_bytes().splitlines()) for p in remote.folder.glob("ledger-*.spill-*")) == 650)
        assert waiting
        child.send_signal(signal.SIGKILL)
    postgres_server.start()
    half = leftovers(waiting_room(remote))[0].read_bytes().splitlines(keepends=True)
    (remote.folder / "half").write_bytes(b"".join(half[: len(half) // 2]))
    survivor = Ledger(remote)
    assert survivor.flush(20)
    # The same once more, as after a kill in the middle of coming in: nothing enters twice.
    (remote.folder / "half").rename(waiting_room(remote).with_name(waiting_room(remote).name + ".spill-1-x-1"))
    survivor.close()
    Ledger(remote).close()
    assert stored(remote) == [f"r{i:04}" for i in range(800)]
    assert leftovers(waiting_room(remote)) == []


def test_a_day_that_was_removed_is_made_again(remote: Remote) -> None:
    from router.ledger.prune import prune
    from tests.support.records import DAY_MS, NOON

    ledger = Ledger(remote)
    ledger.record(request("a"))
    assert ledger.flush()
    assert sum(prune(remote, NOON + DAY_MS)) == 1
    ledger.record(request("late"))
    assert ledger.flush(20)
    ledger.close()
    assert stored(remote) == ["late"]
    assert ledger.dropped == 0


def test_cells_share_a_server_and_rows_become_visible_in_their_order(remote: Remote) -> None:
    cells = [Ledger(remote) for _ in range(3)]
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        with connect(remote.dsn, read_only=True) as db:
            last = 0
            while not stop.is_set():
                rows = db.execute(
                    "SELECT rowid FROM stillhouse_ledger.requests WHERE rowid > %s ORDER BY rowid", (last,)
                ).fetchall()
                seen.extend(row for (row,) in rows)
                last = seen[-1] if seen else 0

    looker = threading.Thread(target=watch)
    looker.start()
    for i in range(600):
        cells[i % 3].record(request(f"r{i:04}", cell=str(i % 3)))
    for cell in cells:
        cell.close()
    stop.wait(0.3)
    stop.set()
    looker.join()
    assert len(seen) == len(set(seen)) == 600
    assert len(stored(remote)) == 600


def test_a_wrong_password_or_a_foreign_ledger_stops_the_start_and_says_no_secret(remote: Remote) -> None:
    with connect(remote.dsn) as db:
        Ledger(remote).close()
        db.execute("INSERT INTO stillhouse_ledger.migrations VALUES ('p999_later')")
    with pytest.raises(LedgerError, match="newer Stillhouse"):
        Ledger(remote)
