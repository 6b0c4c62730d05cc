"""Real cells that die: whose requests were inside each time is held, the others are served."""

import contextlib
import json
import mmap
import os
import signal
import threading

import pytest

from evals.blast.estate import estate
from router.core.resilience import Inside
from router.core.resilience.inside import size_of
from tests.blast.test_steering import code_of, eventually

CELL = "c0"


def lived_in(home, ticks=240):
    """The note of a cell that has run for a minute, in which everybody came once, and was stopped."""
    folder = home / "quarantine"
    folder.mkdir(parents=True)
    path = folder / f"{CELL}.inside"
    path.write_bytes(bytes(size_of()))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size_of()) as memory:
        note = Inside(memoryview(memory))
        for who in ("acme", "globex"):
            note.leave(note.enter(who))
        for _ in range(ticks):
            note.tick()
        note.release()


@pytest.fixture
def it(tmp_path):
    lived_in(tmp_path / "home")
    with estate(tmp_path, cells=1, proxy=None) as it:
        yield it


def chat(it, who):
    return it.chat(who, port=it.ports[CELL], timeout=10)


def die_with(it, who):
    """The cell dies while a request of this tenant hangs in it, and is started again."""
    before = it.process(CELL)
    it.upstream("hang")
    asking = threading.Thread(target=chat, args=(it, who))
    asking.start()
    eventually(lambda: b'stillhouse_inside{bulkhead=""} 1' in it.ask("GET", "/metrics", port=it.ports[CELL])[2])
    os.kill(before, signal.SIGKILL)
    asking.join()
    it.upstream("ok")

    def again():
        with contextlib.suppress(LookupError):
            return it.process(CELL) != before and it.ready(CELL)
        return False

    eventually(again, 40)


def seconds_left(it):
    status, headers, body = chat(it, "acme")
    assert (status, code_of(body)) == (503, "quarantined")
    assert "acme" not in json.loads(body)["error"]["message"]
    return int(headers["retry-after"])


def test_a_tenant_that_is_inside_at_two_deaths_is_held_and_others_are_served(it):
    assert chat(it, "globex")[0] == chat(it, "acme")[0] == 200
    die_with(it, "acme")
    assert chat(it, "acme")[0] == 200  # one death without a trace may be anybody's kill
    assert chat(it, "globex")[0] == 200
    die_with(it, "acme")
    assert 50 <= seconds_left(it) <= 60
    assert [chat(it, "globex")[0] for _ in range(3)] == [200] * 3
    shown = it.ask("GET", "/metrics", port=it.ports[CELL])[2].decode()
    assert "stillhouse_crashes 2\n" in shown
    assert "stillhouse_quarantined 1\n" in shown
    assert "stillhouse_quarantine_refused_total 1\n" in shown
    kept = [json.loads(path.read_text()) for path in (it.folder / "home/quarantine").glob("crash-*.json")]
    assert [set(crash["inside"]) for crash in kept] == [{"acme"}] * 2
    assert "What is a cell" not in json.dumps(kept)
