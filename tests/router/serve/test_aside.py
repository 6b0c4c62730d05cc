"""Big bodies are worked on beside the event loop, and come to the same."""

import asyncio
import threading

import pytest

from guardrails import compile_rails
from router.core.wire import read_chat
from router.errors import BadJSON
from router.serve.guards import aside as module
from router.serve.guards.aside import AT_ONCE, aside, foresee
from router.serve.guards.verdicts import Verdicts

RAILS = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "mask"}}])


def chat(*texts):
    messages = ",".join(f'{{"role":"user","content":"{text}"}}' for text in texts)
    return read_chat(f'{{"model":"auto","messages":[{messages}]}}'.encode())


async def test_only_what_is_big_leaves_the_loops_thread():
    here = threading.get_ident()
    assert await aside(AT_ONCE, threading.get_ident) == here
    assert await aside(AT_ONCE + 1, threading.get_ident) != here


async def test_an_error_of_the_work_is_the_callers():
    with pytest.raises(BadJSON, match="must be a JSON object"):
        await aside(AT_ONCE + 1, read_chat, b"[]")


async def test_long_texts_are_guarded_beside_the_loop_and_remembered():
    seen = []

    class Watched:
        hash, empty = RAILS.hash, False

        def find(self, text, role=None, hurry=None):
            seen.append((threading.get_ident(), len(text)))
            return RAILS.find(text, role, hurry)

    long, short = "word " * (AT_ONCE // 4) + "kim@example.com", "kim@example.com " * 4
    verdicts, rails = Verdicts(b"salt"), Watched()
    await foresee(verdicts, rails, "acme", chat(long, short).texts, lambda: False)
    assert [size for _, size in seen] == [len(long)]
    assert seen[0][0] != threading.get_ident()
    assert verdicts.find(rails, "acme", long, "user") == RAILS.find(long, "user")
    assert len(seen) == 1, "the guards found it remembered"


async def test_the_loop_turns_while_a_big_text_is_read():
    going = asyncio.Event()
    turned = asyncio.get_running_loop().call_soon(going.set)
    done = threading.Event()
    work = asyncio.ensure_future(aside(AT_ONCE + 1, done.wait, 5))
    await going.wait()
    done.set()
    assert await work
    assert not turned.cancelled()
    assert module.AT_ONCE == AT_ONCE
