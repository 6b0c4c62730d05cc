"""Big bodies are worked on beside the event loop, and come to the same."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from guardrails import compile_rails
from router.core.resilience import Workers
from router.core.wire import read_chat
from router.errors import BadJSON, TooManyAtOnce
from router.serve.guards import aside as module
from router.serve.guards.aside import AT_ONCE, aside, foresee, in_turn
from router.serve.guards.verdicts import Verdicts

RAILS = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "mask"}}])


def story(workers=None, tenant="acme"):
    shield = SimpleNamespace(workers=workers or Workers())
    cell = SimpleNamespace(shield=shield, clock=time.perf_counter, verdicts=Verdicts(b"salt"))
    return SimpleNamespace(cell=cell, tenant=tenant, heavy=False, waited=0.0)


def chat(*texts):
    messages = ",".join(f'{{"role":"user","content":"{text}"}}' for text in texts)
    return read_chat(f'{{"model":"auto","messages":[{messages}]}}'.encode())


async def test_only_what_is_big_leaves_the_loops_thread():
    here = threading.get_ident()
    assert await aside(story(), AT_ONCE, threading.get_ident) == here
    assert await aside(story(), AT_ONCE + 1, threading.get_ident) != here


async def test_an_error_of_the_work_is_the_callers():
    with pytest.raises(BadJSON, match="must be a JSON object"):
        await aside(story(), AT_ONCE + 1, read_chat, b"[]")


async def test_long_texts_are_guarded_beside_the_loop_and_remembered():
    seen = []

    class Watched:
        hash, empty = RAILS.hash, False

        def find(self, text, role=None, hurry=None):
            seen.append((threading.get_ident(), len(text)))
            return RAILS.find(text, role, hurry)

    long, short = "word " * (AT_ONCE // 4) + "kim@example.com", "kim@example.com " * 4
    one, rails = story(), Watched()
    verdicts = one.cell.verdicts
    await foresee(one, rails, chat(long, short).texts, lambda: False)
    assert [size for _, size in seen] == [len(long)]
    assert seen[0][0] != threading.get_ident()
    assert verdicts.find(rails, "acme", long, "user") == RAILS.find(long, "user")
    assert len(seen) == 1, "the guards found it remembered"


async def test_the_loop_turns_while_a_big_text_is_read():
    going = asyncio.Event()
    turned = asyncio.get_running_loop().call_soon(going.set)
    done = threading.Event()
    work = asyncio.ensure_future(aside(story(), AT_ONCE + 1, done.wait, 5))
    await going.wait()
    done.set()
    assert await work
    assert not turned.cancelled()
    assert module.AT_ONCE == AT_ONCE


async def test_a_tenant_who_brings_too_much_is_turned_away_and_another_is_not():
    workers, done = Workers(share=0.5), threading.Event()
    bad = [asyncio.ensure_future(in_turn(story(workers), 5_000_000, lambda: done.wait(5))) for _ in range(6)]
    await asyncio.sleep(0)
    assert await in_turn(story(workers, "other"), 5_000_000, lambda: "mine") == "mine"
    done.set()
    told = await asyncio.gather(*bad, return_exceptions=True)
    assert told[0] is True
    assert isinstance(told[-1], TooManyAtOnce)
    assert int(told[-1].retry_after) >= 1


async def test_who_leaves_keeps_the_worker_until_its_work_has_ended_and_who_leaves_the_line_keeps_nothing():
    workers, done = Workers(places=1), threading.Event()
    first, second = (asyncio.ensure_future(in_turn(story(workers), 1_000_000, lambda: done.wait(5))) for _ in range(2))
    await asyncio.sleep(0.01)
    for leaving in (first, second):
        leaving.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert workers.working == 1, "a thread works on"
    done.set()
    assert await in_turn(story(workers), 1_000_000, lambda: "next") == "next"
    await asyncio.sleep(0)
    assert (workers.working, workers.backlog) == (0, 0.0)


async def test_the_time_in_line_is_not_the_guards_time():
    workers, done = Workers(places=1), threading.Event()
    holding = asyncio.ensure_future(in_turn(story(workers), 1_000_000, lambda: done.wait(5)))
    one = story(workers)
    waiting = asyncio.ensure_future(in_turn(one, 1_000_000, lambda: None))
    await asyncio.sleep(0.02)
    done.set()
    await asyncio.gather(holding, waiting)
    assert one.waited > 0
