from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from tests.support.upstream import (
    CLOSE,
    HOLD,
    RESET,
    Answer,
    Repeat,
    ScriptedUpstream,
    Wait,
    chunk,
    comment,
    completion,
    dump,
    error,
    finish,
    sse,
    tool,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[ScriptedUpstream, httpx.AsyncClient]]:
    async with ScriptedUpstream() as up, httpx.AsyncClient(base_url=up.base_url) as client:
        yield up, client


async def ask(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post("/chat/completions", json=BODY | fields)


def texts(response: httpx.Response) -> str:
    lines = [line.removeprefix("data:").strip() for line in response.text.splitlines()]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])


async def test_without_a_script_it_is_a_healthy_upstream() -> None:
    async with pair() as (up, client):
        whole = await ask(client)
        streamed = await ask(client, stream=True, stream_options={"include_usage": True})
        vectors = await client.post("/embeddings", json={"model": "small", "input": ["a", "b"]})
        packed = await client.post("/embeddings", json={"model": "small", "input": "a", "encoding_format": "base64"})
        listing = await client.get("/models")
        lost = await client.get("/nowhere")
    assert whole.json()["choices"][0]["message"]["content"] == "Hello from upstream."
    assert whole.json()["usage"]["total_tokens"] == 11
    assert texts(streamed) == "Hello from upstream."
    assert '"usage":{' in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert [row["embedding"][0] for row in vectors.json()["data"]] == [0.5, 1.5]
    assert packed.json()["data"][0]["embedding"] == "AAAAPwAAAD8AAAA/AAAAPw=="
    assert [m["id"] for m in listing.json()["data"]] == ["small", "medium", "large"]
    assert lost.status_code == 404
    assert [seen.connection for seen in up.requests] == [0] * 6


async def test_answers_come_in_the_order_of_the_script() -> None:
    async with pair() as (up, client):
        up.script(Answer.error(500), Answer.error(429, retry_after=2, code="rate_limit_exceeded"))
        up.script(Answer.completion("for large"), model="large")
        up.always(Answer.completion("for everyone else"))
        answers = [await ask(client, model=model) for model in ("small", "large", "small", "small")]
    assert [a.status_code for a in answers] == [500, 200, 429, 200]
    assert answers[2].headers["retry-after"] == "2"
    assert answers[3].json()["choices"][0]["message"]["content"] == "for everyone else"


async def test_it_records_what_arrived() -> None:
    async with pair() as (up, client):
        await client.post("/chat/completions", content=b'{"n": 1.0}', headers={"X-Tag": "a"})

        async def parts() -> AsyncIterator[bytes]:
            yield b'{"n":'
            yield b" 2}"

        await client.post("/chat/completions", content=parts())
    first, second = up.requests
    assert (first.method, first.path, first.headers["x-tag"]) == ("POST", "/v1/chat/completions", "a")
    assert (first.body, first.json) == (b'{"n": 1.0}', {"n": 1.0})
    assert (second.body, second.answered) == (b'{"n": 2}', True)


async def test_a_script_may_be_a_function_of_the_request() -> None:
    async with pair() as (up, client):
        up.always(lambda seen: Answer.completion(seen.json["messages"][0]["content"]))
        assert (await ask(client)).json()["choices"][0]["message"]["content"] == "hello"


async def test_a_script_that_raises_fails_the_test() -> None:
    with pytest.raises(ExceptionGroup, match="script"):
        async with pair() as (up, client):
            up.script(lambda seen: Answer.completion(seen.json["absent"]))
            with pytest.raises(httpx.RemoteProtocolError):
                await ask(client)


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        (Answer.html(503, "Busy"), 503, "text/html", b"<h1>Busy</h1>"),
        (Answer.raw(b"", status=200), 200, "application/json", b""),
        (Answer.raw(b"\xff\x00 not json", content_type="text/plain"), 200, "text/plain", b"\xff\x00"),
        (Answer.raw(dump(completion())[:40]), 200, "application/json", b'{"id":"chatcmpl-scripted"'),
        (Answer.json({}, status=799), 799, "application/json", b"{}"),
    ],
)
async def test_any_status_type_and_body(answer: Answer, status: int, kind: str, body: bytes) -> None:
    async with pair() as (up, client):
        up.script(answer)
        got = await ask(client)
    assert (got.status_code, got.headers["content-type"]) == (status, kind)
    assert body in got.content


async def test_a_promise_of_more_bytes_than_come_is_broken_by_a_close() -> None:
    async with pair() as (up, client):
        up.script(Answer.raw(b"{}", length=10))
        with pytest.raises(httpx.RemoteProtocolError, match="received 2 bytes, expected 10"):
            await ask(client)


async def test_a_promise_of_fewer_bytes_spoils_the_next_answer() -> None:
    async with pair() as (up, client):
        up.script(Answer.raw(b"{}too much", length=2))
        assert (await ask(client)).content == b"{}"
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(client)


@pytest.mark.parametrize("split", [1, 7, (3, 4, 90)])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("space", [True, False])
async def test_a_stream_may_be_cut_anywhere(split: int | tuple[int, ...], newline: str, space: bool) -> None:
    events = (chunk("안"), comment(), chunk("녕", tools=(tool("{}", name="f", id="c"),)), finish(), usage())
    async with pair() as (up, client):
        up.script(
            Answer.stream(*events, split=split, newline=newline, space=space),
            Answer.stream(*events, newline=newline, space=space),
        )
        cut, whole = await ask(client, stream=True), await ask(client, stream=True)
    assert cut.content == whole.content
    assert texts(cut) == "안녕"
    assert cut.content.count(b"data: {") == (4 if space else 0)


async def test_every_cut_reaches_the_client_on_its_own() -> None:
    async with ScriptedUpstream() as up, aiohttp.ClientSession() as session:
        up.script(Answer.stream(sse("é"), done=False, split=1, pace=0.001))
        async with session.post(f"{up.base_url}/chat/completions", json=BODY) as answer:
            pieces = [piece async for piece, _ in answer.content.iter_chunks()]
    assert pieces == [bytes([b]) for b in "data: é\n\n".encode()]


def test_an_event_may_span_lines() -> None:
    assert sse({"a": 1}, name="error", multiline=True) == b'event: error\ndata: {\ndata:  "a": 1\ndata: }\n\n'


async def test_a_stream_without_done_ends_in_order() -> None:
    async with pair() as (up, client):
        up.script(Answer.stream(chunk("a"), done=False), Answer.stream(chunk("a"), done=False, framing="close"))
        chunked, closed = await ask(client, stream=True), await ask(client, stream=True)
    assert chunked.content == closed.content == sse(chunk("a"))


@pytest.mark.parametrize("misdeed", [CLOSE, RESET])
async def test_a_stream_may_break_off(misdeed: object) -> None:
    async with pair() as (up, client):
        up.script(Answer.stream(chunk("a"), Wait(0.01), misdeed, chunk("b")))  # type: ignore[arg-type]
        async with client.stream("POST", "/chat/completions", json=BODY) as answer:
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == sse(chunk("a"))
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await anext(pieces)
    assert up.requests[0].answered


async def test_an_error_may_be_an_event() -> None:
    async with pair() as (up, client):
        up.script(Answer.stream(error("overloaded"), done=False))
        assert (await ask(client)).content == sse(error("overloaded"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer.silence(),
        Answer.completion().after(60),
        Answer.stream(HOLD),
        Answer.stream(chunk("a"), HOLD, finish()),
        Answer.stream(chunk("a"), Wait(60), finish()),
        Answer.stream(Repeat(sse(chunk("a")), every=0.001)),
        Answer.stream(Repeat(b"x" * 65536, every=0)),
    ],
    ids=["no head", "late head", "no event", "gap", "long gap", "endless", "endless and unread"],
)
async def test_it_notices_that_the_client_has_left(answer: Answer) -> None:
    async with ScriptedUpstream() as up:
        up.script(answer)
        async with httpx.AsyncClient(base_url=up.base_url) as client:
            asking = asyncio.create_task(ask(client, stream=True))
            seen = await up.wait_for(1)
            await asyncio.sleep(0.02)
            assert not seen.gone.is_set()
            asking.cancel()
        await asyncio.wait_for(seen.gone.wait(), 5)
    assert seen.gone_after is not None
    assert seen.gone_after > 0
    assert not seen.answered


async def test_a_reset_may_come_while_the_request_is_sent() -> None:
    async with pair() as (up, client):
        up.script(Answer.reset(early=True), Answer.reset())
        for _ in range(2):
            with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
                await client.post("/chat/completions", content=b"x" * 1_000_000)
        assert [len(seen.body) for seen in up.requests] == [0, 1_000_000]


async def test_it_may_accept_late_or_not_at_all() -> None:
    async with ScriptedUpstream(accepting=False) as up, httpx.AsyncClient(base_url=up.base_url) as client:
        asking = asyncio.create_task(ask(client))
        await asyncio.sleep(0.02)
        assert not up.requests
        up.accept()
        assert (await asking).status_code == 200
        assert up.open_connections == 1
        await up.refuse()
        assert (await ask(client)).status_code == 200, "the open connection lives on"
        async with httpx.AsyncClient(base_url=up.base_url) as newcomer:
            with pytest.raises(httpx.ConnectError):
                await newcomer.get("/models")
