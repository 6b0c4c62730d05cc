"""The solver's process: asked for real, and killed, hung, and talking nonsense."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from guardrails.reasoning import Shelf, prove
from guardrails.reasoning.prove import make_job
from guardrails.views import CheckFailed, Prove
from router.serve.guards.prover import Limits, Prover
from router.serve.guards.prover_child import answer
from tests.support.rulebooks import book, reading

BOOK = book()
QUICK = Limits(grace=0.2, cold=0.2, patience=1.0, start=20.0, rest=0.0)


def wanted(*claims, premises=("days = 45",)):
    job = make_job(BOOK, reading(BOOK, premises, claims or ("refundable",)), [], agreement=1.0, limit_ms=250)
    return Prove(BOOK.hash, job)


@pytest.fixture
async def prover():
    made = Prover()
    yield made
    await made.close()


def child(tmp_path, body):
    """A prover around a child of our own making."""
    script = tmp_path / "child.py"
    script.write_text("import json, sys, time\nsys.stdin.readline()\n" + body)
    return Prover(limits=QUICK, command=(sys.executable, "-P", "-u", str(script)))


READY = 'print(json.dumps({"ready": True}))\n'


async def test_the_child_says_what_is_proved_here(prover):
    for claims in (("refundable",), ("not refundable",), ("opened",)):
        said = await prover.prove(wanted(*claims))
        assert said == json.loads(json.dumps(prove(wanted(*claims).job)))


async def test_one_warm_child_answers_many_at_once(prover):
    await prover.warm()
    first = prover.pid
    replies = await asyncio.gather(*(prover.prove(wanted(f"days = {n}")) for n in range(40, 50)))
    assert [one["findings"][0]["finding"] for one in replies] == ["INVALID"] * 5 + ["VALID"] + ["INVALID"] * 4
    assert prover.pid == first is not None


async def test_a_killed_child_fails_its_question_and_is_replaced(prover):
    await prover.warm()
    first = prover.pid
    os.kill(first, signal.SIGKILL)
    # It may be noticed by this question or before it; the one after is answered in either case.
    try:
        await prover.prove(wanted())
    except CheckFailed as failed:
        assert "ended" in str(failed)
    assert (await prover.prove(wanted()))["findings"][0]["finding"] == "INVALID"
    assert prover.pid != first


async def test_the_child_does_not_outlive_its_prover():
    made = Prover()
    await made.warm()
    pid = made.pid
    await made.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(CheckFailed, match="shut down"):
        await made.prove(wanted())


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is the kernel's")
async def test_the_child_cannot_take_more_memory_than_it_is_given():
    made = Prover(limits=Limits(memory_bytes=700 << 20))
    await made.warm()
    try:
        [line] = [one for one in Path(f"/proc/{made.pid}/limits").read_text().split("\n") if "address space" in one]
        assert line.split()[3] == str(700 << 20)
        assert (await made.prove(wanted()))["findings"][0]["finding"] == "INVALID"
    finally:
        await made.close()


async def test_too_little_memory_is_a_failed_check():
    made = Prover(limits=Limits(memory_bytes=8 << 20, start=20.0, rest=0.0))
    try:
        with pytest.raises(CheckFailed):
            await made.prove(wanted())
    finally:
        await made.close()


async def test_a_hung_child_is_killed(tmp_path):
    made = child(tmp_path, READY + "time.sleep(600)")
    await made.warm()
    pid = made.pid
    with pytest.raises(CheckFailed, match="did not answer in time"):
        await made.prove(wanted())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await made.close()


@pytest.mark.parametrize(
    "said",
    [
        "print('hello')",
        "print('[]')",
        "print(json.dumps({'id': 99, 'reply': {}}))",
        "print('{}')",
        "sys.stdout.buffer.write(b'\\xff\\xfe\\n')",
        "print('x' * 5_000_000)",
        "sys.stdout.write('x' * 5_000_000); sys.stdout.flush(); time.sleep(600)",
    ],
)
async def test_a_child_that_talks_nonsense_is_killed_and_replaced(tmp_path, said):
    made = child(tmp_path, READY + f"sys.stdin.readline()\n{said}\ntime.sleep(600)")
    for _ in range(2):
        with pytest.raises(CheckFailed, match="no answer"):
            await made.prove(wanted())
        assert made.pid is None
    await made.close()


async def test_a_child_that_refuses_a_question_goes_on(tmp_path):
    made = child(
        tmp_path,
        READY + "for line in sys.stdin: print(json.dumps({'id': json.loads(line)['id'], 'refused': 'KeyError'}))",
    )
    for _ in range(2):
        with pytest.raises(CheckFailed, match="could not read the question"):
            await made.prove(wanted())
    assert made.pid is not None
    await made.close()


async def test_a_child_without_the_solver_says_so(tmp_path):
    made = child(tmp_path, "print(json.dumps({'failed': 'the solver z3 is not installed'}))")
    with pytest.raises(CheckFailed, match="not installed"):
        await made.prove(wanted())
    await made.close()


async def test_a_child_that_dies_at_once_is_not_started_again_at_once(tmp_path):
    made = child(tmp_path, "")
    made._limits = Limits(start=20.0, rest=600.0)
    with pytest.raises(CheckFailed, match="ended"):
        await made.prove(wanted())
    with pytest.raises(CheckFailed, match="not started again yet"):
        await made.prove(wanted())
    await made.close()


async def test_a_command_that_is_none_is_a_failed_check():
    made = Prover(command=("/nowhere/at/all",))
    with pytest.raises(CheckFailed, match="could not be started"):
        await made.prove(wanted())
    await made.close()


async def test_a_caller_who_leaves_does_not_leave_an_answer_to_the_next(prover):
    await prover.prove(wanted())
    leaving = asyncio.create_task(prover.prove(wanted("refundable")))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    said = await prover.prove(wanted("not refundable"))
    assert said["findings"][0]["finding"] == "VALID"


async def test_who_waits_too_long_is_told_so(tmp_path):
    made = child(tmp_path, READY + "time.sleep(600)")
    made._limits = Limits(grace=600.0, patience=0.05)
    stuck = asyncio.create_task(made.prove(wanted()))
    await asyncio.sleep(0.02)
    with pytest.raises(CheckFailed, match="busy"):
        await made.prove(wanted())
    await made.close()
    with pytest.raises(CheckFailed):
        await stuck


def test_a_job_that_is_none_is_refused_not_fatal():
    shelf = Shelf()
    for job in ({}, [], None, {"read": {}}, wanted().job | {"rulebook": {}}, wanted().job | {"limit_ms": "x"}):
        said = answer(json.dumps({"id": 1, "job": job}).encode(), shelf)
        assert said.keys() == {"id", "refused"}
    assert "reply" in answer(json.dumps({"id": 2, "job": wanted().job}).encode(), shelf)
