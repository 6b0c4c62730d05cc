"""The quarantine in a gateway: who waits is told so, who is let in again is let in on trial, notes outlive a process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from router.core.resilience import Crash, Waits
from router.errors import Quarantined
from router.registry.home import home as home_folder
from router.registry.keys import KeyStore
from router.serve.limits.quarantine import Quarantine, crashes_in, lift
from router.serve.settings import QuarantineSettings
from stillhouse.cli.main import cli
from tests.support.upstream import Answer

HERE = {
    "acme": {"share": 0.01, "stretch": 0.001},
    "globex": {"share": 0.9, "stretch": 0.01},
}


def crashed(folder, born, inside=("acme",), away=("globex",), **more):
    """Put one on record, as a cell that died."""
    folder.mkdir(parents=True, exist_ok=True)
    shares = {name: HERE[name]["share"] for name in inside}
    crash = Crash(cell="c9", at=time.time(), born=born, inside=shares, away=away, **more)
    (folder / f"crash-{born}-c9.json").write_bytes(msgspec.json.encode(crash))


@pytest.fixture
def folder(home):
    return home_folder() / "quarantine"


def quarantine(folder, name="c0", **waits):
    return Quarantine(folder, name, Waits(**waits))


async def serving(serve, when="always"):
    """A gateway with keys of two tenants, and the headers of each."""
    tokens = {}

    def change(settings):
        store = KeyStore.load(home_folder() / "keys.json")
        for tenant in HERE:
            tokens[tenant] = {"authorization": f"Bearer {store.add(tenant, now=datetime.now(UTC))[1]}"}
        return settings.model_copy(update={"quarantine": QuarantineSettings(when=when, hold=2)})

    return await serve(change=change, keys="required"), tokens


async def test_who_is_held_is_told_until_when_and_others_are_served(serve, folder):
    gw, keys = await serving(serve)
    crashed(folder, 1)
    crashed(folder, 2)
    gw.cell.quarantine.look()
    answer = await gw.chat(headers=keys["acme"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "quarantined")
    assert answer.headers["retry-after"] in ("1", "2")
    assert (await gw.record(answer))["error_code"] == "quarantined"
    assert (await gw.chat(headers=keys["globex"])).status_code == 200
    shown = (await gw.http.get("/metrics")).text
    assert "stillhouse_quarantined 1\n" in shown
    assert "stillhouse_quarantine_refused_total 1\n" in shown


async def test_after_its_time_one_request_is_let_in_and_after_that_all(serve, up, folder):
    gw, keys = await serving(serve)
    crashed(folder, 1)
    crashed(folder, 2)
    gw.cell.quarantine.look()
    gw.cell.quarantine.now = lambda: time.time() + 3
    up.script(Answer.completion().after(0.5))
    trial = asyncio.create_task(gw.chat(headers=keys["acme"]))
    await up.wait_for(1)
    others = await asyncio.gather(*(gw.chat(headers=keys["acme"]) for _ in range(3)))
    assert [answer.status_code for answer in others] == [503] * 3
    assert (await trial).status_code == 200
    assert (await gw.chat(headers=keys["acme"])).status_code == 200


async def test_an_operator_sees_suspects_and_lets_one_in(serve, folder):
    gw, keys = await serving(serve)
    crashed(folder, 1)
    crashed(folder, 2)
    gw.cell.quarantine.look()
    assert (await gw.chat(headers=keys["acme"])).status_code == 503
    said = CliRunner().invoke(cli, ["cells", "held"]).output
    assert "acme" in said
    assert "2 of 2" in said
    assert '"tenant": "acme"' in CliRunner().invoke(cli, ["cells", "held", "--json"]).output
    assert CliRunner().invoke(cli, ["cells", "release", "acme"]).exit_code == 0
    gw.cell.quarantine.look()
    assert (await gw.chat(headers=keys["acme"])).status_code == 200


async def test_without_cells_and_without_keys_there_is_no_quarantine(serve, folder):
    gw, _ = await serving(serve, when="cells")
    assert gw.cell.quarantine is None
    assert not folder.exists()


async def test_every_door_notes_who_is_inside_and_that_it_left(serve, folder):
    gw, keys = await serving(serve)
    seen = []
    enter = gw.cell.quarantine.enter

    def watched(story):
        enter(story)
        seen.append(gw.cell.quarantine.note.inside())

    gw.cell.quarantine.enter = watched
    await gw.chat(headers=keys["acme"])
    await gw.http.post("/v1/embeddings", json={"model": "e", "input": "hi"}, headers=keys["acme"])
    await gw.http.post("/v1/route", json={"messages": [{"role": "user", "content": "hi"}]}, headers=keys["acme"])
    message = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    await gw.http.post("/v1/messages", json=message, headers=keys["acme"])
    assert seen == [{"acme": 1}] * 4
    assert gw.cell.quarantine.note.inside() == {}


# --- notes and deaths

DYING = """
import os, sys, signal
from pathlib import Path
from router.core.resilience import Waits
from router.serve.limits.quarantine import Quarantine
it = Quarantine(Path(sys.argv[1]), sys.argv[2], Waits())
it.leave_traces()
if int(sys.argv[3]) == signal.SIGTERM:
    it.stopping()
it.note.enter("acme")
print("here", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), int(sys.argv[3]))
"""


def dying(folder, name, how=signal.SIGKILL):
    """A process in which a request of acme is at work, and that dies when told."""
    command = [sys.executable, "-c", DYING, str(folder), name, str(int(how))]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"here\n"
    return child


def die(child):
    child.communicate(b"\n", timeout=20)


async def test_another_cell_hears_of_a_death_at_once_and_reads_who_was_inside(folder):
    child, mine = dying(folder, "c1"), quarantine(folder)
    mine.look()
    assert mine.crashes == []
    await asyncio.to_thread(die, child)
    for _ in range(200):  # nobody looks: the kernel says it
        if mine.crashes:
            break
        await asyncio.sleep(0.01)
    [crash] = mine.crashes
    assert (crash.cell, set(crash.inside)) == ("c1", {"acme"})
    mine.look()
    assert len(mine.crashes) == 1  # read once
    mine.close()


def test_a_cell_alone_reads_its_own_note_at_the_next_start(folder):
    die(dying(folder, "c0"))
    mine = quarantine(folder)
    [crash] = mine.crashes
    assert set(crash.inside) == {"acme"}
    mine.close()
    again = quarantine(folder)
    assert len(again.crashes) == 1  # a clean end adds none
    again.close()


def test_a_fault_leaves_its_trace_and_makes_who_was_at_work_wait_a_moment(folder):
    die(dying(folder, "c0", signal.SIGSEGV))
    mine = quarantine(folder)
    [crash] = mine.crashes
    assert (crash.trace, crash.at_work) == ("fault", "acme")
    assert "Fatal Python error" in next(folder.glob("crash-*.trace")).read_text()
    with pytest.raises(Quarantined) as told:
        mine.check("acme")
    assert 1 <= int(told.value.retry_after) <= 5
    mine.check("globex")
    mine.close()


def test_a_process_that_was_told_to_stop_and_is_killed_for_being_slow_has_not_crashed(folder):
    child = dying(folder, "c0", signal.SIGTERM)
    die(child)
    mine = quarantine(folder)
    assert mine.crashes == []
    mine.close()


def test_two_gateways_of_one_name_have_a_note_each(folder):
    one, two = quarantine(folder), quarantine(folder)
    one.note.enter("acme")
    assert two.note.inside() == {}
    assert sorted(path.name for path in folder.glob("*.inside")) == ["c0.1.inside", "c0.inside"]
    one.close()
    two.close()


def test_a_damaged_record_or_note_counts_for_nothing_and_is_said(folder, caplog):
    folder.mkdir(parents=True)
    (folder / "crash-1-c9.json").write_text("{")
    (folder / "lifted.json").write_text("[]")
    (folder / "c1.inside").write_bytes(b"short")
    mine = quarantine(folder)
    assert mine.crashes == []
    assert caplog.text.count("counts for nothing") == 2
    mine.close()


def test_what_is_older_than_a_week_or_too_much_is_removed_and_what_was_lifted_stays(folder, monkeypatch):
    monkeypatch.setattr("router.serve.limits.quarantine.MOST", 2)
    for born in (1, 2, 3):
        crashed(folder, born)
    os.utime(folder / "crash-3-c9.json", (1, 1))
    lift(folder, "acme", time.time())
    lift(folder, "globex", time.time())
    assert len(list(crashes_in(folder, time.time(), 60))) == 1
    assert sorted(path.name for path in folder.glob("*.json")) == ["crash-2-c9.json", "lifted.json"]
    assert set(msgspec.json.decode((folder / "lifted.json").read_bytes())) == {"acme", "globex"}
