"""A request written by hand over aiohttp's connections: what its session did must still be so."""

import asyncio
import json

import pytest

from router.errors import UpstreamTimeout, UpstreamUnavailable
from router.upstream.base import Deadline
from router.upstream.hop import SMALL
from router.upstream.transport import AiohttpTransport
from tests.support.answer import head
from tests.support.upstream import HOLD, Answer, ScriptedUpstream, Wait

JSON = {"Content-Type": "application/json", "Authorization": "Bearer sk-own"}


@pytest.fixture
async def line():
    """A scripted server, and a transport that asks it."""
    async with ScriptedUpstream() as up:
        transport = AiohttpTransport()

        async def post(body=b"{}", deadline=Deadline(), headers=JSON):
            response = await transport.send("POST", up.base_url + "/chat/completions?a=1", headers, body, deadline)
            try:
                return response.status, await response.read()
            finally:
                response.close()

        post.alarms = lambda: transport._alarms
        yield up, post
        await transport.close()


async def test_small_and_large_bodies_are_sent_with_the_same_head(line):
    up, post = line
    sizes = [2, SMALL, SMALL + 1]
    for size in sizes:
        await post(json.dumps("x" * (size - 2)).encode())
    seen = [{**request.headers, "content-length": "?"} for request in up.requests]
    assert seen[0] == seen[1] == seen[2]
    assert [int(request.headers["content-length"]) for request in up.requests] == sizes
    assert [len(request.body) for request in up.requests] == sizes
    assert {(request.method, request.path) for request in up.requests} == {("POST", "/v1/chat/completions?a=1")}
    assert {request.connection for request in up.requests} == {0}


async def test_a_header_cannot_hold_another(line):
    up, post = line
    with pytest.raises(ValueError, match="line break") as fault:
        await post(headers={**JSON, "Authorization": "Bearer sk-own\r\nX-Other: 1"})
    assert "sk-own" not in str(fault.value)
    assert up.requests == []


async def test_a_name_and_password_in_the_address_are_still_sent():
    async with ScriptedUpstream() as up:
        transport = AiohttpTransport()
        url = up.base_url.replace("http://", "http://me:secret@") + "/chat/completions"
        response = await transport.send("POST", url, {"Content-Type": "application/json"}, b"{}", Deadline())
        response.close()
        await transport.close()
        assert up.requests[0].headers["authorization"].startswith("Basic ")


async def test_what_comes_before_the_answer_is_passed_over(line):
    up, post = line
    early = Answer((head(103, {"link": "</a>"}) + Answer.json({"a": 1}).steps[0],))
    up.script(early)
    assert await post() == (200, b'{"a":1}')


async def test_an_answer_in_parts_is_whole_and_its_connection_is_used_again(line):
    up, post = line
    start = head(200, {"content-type": "application/json", "content-length": "7"})
    up.script(Answer((start, Wait(0.02), b'{"a"', Wait(0.02), b":1}")))
    assert await post() == (200, b'{"a":1}')
    await post()
    assert [request.connection for request in up.requests] == [0, 0]


async def test_what_lies_on_a_connection_is_no_answer_to_the_next_request(line):
    up, post = line
    other = Answer.json({"of": "another"})
    whole = Answer.json({"a": 1}).steps[0]
    up.script(Answer((whole, Wait(0.02), other.steps[0])))
    assert await post() == (200, b'{"a":1}')
    await asyncio.sleep(0.1)
    up.script(Answer.json({"b": 2}))
    assert await post() == (200, b'{"b":2}')


@pytest.mark.parametrize("said", [b"HTTP/1.1 abc\r\n\r\n", b"nonsense\r\n\r\n", b"\x16\x03\x01\x02"])
async def test_what_is_not_http_is_unavailable(line, said):
    up, post = line
    up.script(Answer((said, HOLD)))
    with pytest.raises(UpstreamUnavailable):
        await post(deadline=Deadline(1, 2, 2, 2))


async def test_the_time_for_all_of_an_answer_ends_one_that_trickles(line):
    up, post = line
    start = head(200, {"content-type": "application/json", "content-length": "1000"})
    up.script(Answer((start, *(step for _ in range(100) for step in (Wait(0.02), b" ")))))
    with pytest.raises(UpstreamTimeout, match="in the middle"):
        await post(deadline=Deadline(1, 5, 5, 0.2))
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)


async def test_silence_in_the_middle_of_an_answer_ends_it(line):
    up, post = line
    start = head(200, {"content-type": "application/json", "content-length": "1000"})
    up.script(Answer((start, b"{", HOLD)))
    with pytest.raises(UpstreamTimeout, match="in the middle"):
        await post(deadline=Deadline(1, 0.1, 5, 5))
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)


async def test_a_request_that_is_over_leaves_no_alarm(line):
    up, post = line
    await post()
    up.script(Answer.silence())
    with pytest.raises(UpstreamTimeout):
        await post(deadline=Deadline(1, 0.05, 5, 5))
    up.script(Answer.silence())
    task = asyncio.create_task(post())
    await up.wait_for(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(post.alarms()) == 0
