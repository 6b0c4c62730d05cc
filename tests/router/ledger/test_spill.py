import subprocess
import sys
import threading
from pathlib import Path

import pytest

from router.ledger.spill import Spill, leftovers, read
from tests.support.records import full, request


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_nothing_spilled_leaves_no_file(ledger: Path) -> None:
    spill = Spill(ledger)
    spill.sync()
    assert spill.empty
    assert spill.take() is None
    assert list(ledger.parent.glob("ledger*")) == []


def test_records_come_back_whole_and_in_order(ledger: Path) -> None:
    spill = Spill(ledger)
    pairs = [full(), (request("b"), ()), (request("c"), ())]
    for pair in pairs:
        spill.append(pair)
    spill.sync()
    path = spill.take()
    assert path is not None
    assert list(read(path)) == pairs
    assert path.stat().st_mode & 0o077 == 0


def test_after_taking_a_new_file_begins(ledger: Path) -> None:
    spill = Spill(ledger)
    spill.append((request("a"), ()))
    first = spill.take()
    spill.append((request("b"), ()))
    second = spill.take()
    assert first is not None
    assert second is not None
    assert [[pair[0].id for pair in read(path) if pair] for path in (first, second)] == [["a"], ["b"]]


def test_a_line_that_was_cut_is_known_as_such(ledger: Path) -> None:
    spill = Spill(ledger)
    spill.append((request("a"), ()))
    path = spill.take()
    assert path is not None
    with path.open("ab") as file:
        file.write(b'[{"id":"b","at_')
    assert [pair and pair[0].id for pair in read(path)] == ["a", None]


def test_a_file_in_use_is_no_leftover(ledger: Path) -> None:
    spill = Spill(ledger)
    spill.append((request("a"), ()))
    assert leftovers(ledger) == []
    path = spill.take()
    assert leftovers(ledger) == [path]


def test_a_dead_processs_file_is_a_leftover(ledger: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from router.ledger.spill import Spill\n"
        "from tests.support.records import request\n"
        "Spill(pathlib.Path(sys.argv[1])).append((request('a'), ()))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(ledger)], check=False)
    (path,) = leftovers(ledger)
    assert [pair[0].id for pair in read(path) if pair] == ["a"]


def test_threads_do_not_mix_their_lines(ledger: Path) -> None:
    spill = Spill(ledger)

    def work(name: str) -> None:
        for i in range(50):
            spill.append((request(f"{name}{i}"), ()))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = spill.take()
    assert path is not None
    assert len({pair[0].id for pair in read(path) if pair}) == 200


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "missing" / "ledger.db")
    with pytest.raises(OSError, match="No such file"):
        spill.append((request("a"), ()))
    assert spill.empty
