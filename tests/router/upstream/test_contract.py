"""One contract over every upstream that reaches servers: real sockets, a scripted server, the same words.

What is asked of SmolLM2, which cannot be scripted, stands in ``test_local.py``.
"""

import asyncio
import gc
import json

import pytest

from router.errors import (
    UpstreamAuth,
    UpstreamError,
    UpstreamInvalid,
    UpstreamMisplaced,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from router.upstream.anthropic import AnthropicUpstream
from router.upstream.base import Deadline
from router.upstream.litellm import LiteLLMUpstream
from router.upstream.openai import OpenAIUpstream
from router.upstream.transport import AiohttpTransport, Silence
from tests.support import messages as m
from tests.support.upstream import CLOSE, HOLD, RESET, Answer, ScriptedUpstream, Wait, chunk, finish, usage

CHAT = {"model": "openai/m", "messages": [{"role": "user", "content": "hi"}]}
SECRET = "sk-operators-own"


class Kinds:
    """The adapters, made for a scripted server."""

    @staticmethod
    def openai(up, transport):
        return OpenAIUpstream("o", up.base_url, SECRET, transport)

    @staticmethod
    def litellm(up, _transport):
        return LiteLLMUpstream("l", SECRET, up.base_url)

    @staticmethod
    def anthropic(up, transport):
        return AnthropicUpstream("a", up.base_url, SECRET, transport)


class Chat:
    """What a healthy server says, in OpenAI's words."""

    key = ("authorization", f"Bearer {SECRET}")
    whole = staticmethod(Answer.completion)

    @staticmethod
    def stream(*texts, end=True, then=(), **options):
        """``texts`` one by one, then an end with usage unless ``end`` is false, then ``then``."""
        ending = (finish(), usage()) if end else ()
        return Answer.stream(chunk("", role="assistant"), *map(chunk, texts), *ending, *then, **options)


class Messages:
    """The same in Anthropic's."""

    key = ("x-api-key", SECRET)

    @staticmethod
    def whole(words):
        return Answer.json(m.message(m.text(words)))

    @staticmethod
    def stream(*texts, end=True, then=(), **options):
        """As above."""
        events = [m.start(), *m.text_block(0, *texts)]
        return m.stream(*events, *(m.stop() if end else ()), *then, **options)


@pytest.fixture(params=["openai", "litellm", "anthropic"])
async def pair(request):
    """A scripted server and an upstream that talks to it. The server's ``say`` knows the words of its protocol."""
    async with ScriptedUpstream() as up:
        up.say = Messages if request.param == "anthropic" else Chat
        transport = AiohttpTransport()
        upstream = getattr(Kinds, request.param)(up, transport)
        yield up, upstream
        await upstream.close()
        await transport.close()


def body(**more):
    return json.dumps({**CHAT, **more}).encode()


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


async def collect(upstream, deadline=Deadline()):
    stream = await upstream.chat_stream(body(**STREAM), deadline)
    try:
        return [json.loads(data) async for data in stream.events()]
    finally:
        await stream.close()


def said(events):
    return "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])


async def test_a_whole_answer_comes_with_its_usage(pair):
    up, upstream = pair
    up.script(up.say.whole("Hello."))
    answer = json.loads((await upstream.chat(body(), Deadline())).body)
    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] > 0
    name, value = up.say.key
    assert up.requests[0].headers[name] == value


async def test_a_stream_comes_event_by_event_with_its_usage(pair):
    up, upstream = pair
    up.script(up.say.stream("안녕 ", "🙂", split=3))
    events = await collect(upstream)
    assert said(events) == "안녕 🙂"
    assert [e["usage"]["completion_tokens"] for e in events if e.get("usage")]
    assert [c["finish_reason"] for e in events for c in e["choices"] if c.get("finish_reason")] == ["stop"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("answer", "error", "status", "code"),
    [
        (Answer.error(400, "too long", code="context_length_exceeded"), UpstreamRejected, 400, "context_length_exceeded"),
        (Answer.error(404, "no such model", code="model_not_found"), UpstreamRejected, 404, "model_not_found"),
        (Answer.error(422, "bad value"), UpstreamRejected, 422, None),
        (Answer.error(401, "bad key sk-operators-own"), UpstreamAuth, 502, "upstream_auth"),
        (Answer.error(403, "no"), UpstreamAuth, 502, "upstream_auth"),
        (Answer.error(429, "slow down", retry_after=7), UpstreamRateLimited, 429, "rate_limit_exceeded"),
        (Answer.error(500), UpstreamUnavailable, 502, "upstream_unavailable"),
        (Answer.error(503), UpstreamUnavailable, 502, "upstream_unavailable"),
        (Answer.html(502), UpstreamUnavailable, 502, "upstream_unavailable"),
        (Answer.html(400), UpstreamMisplaced, 502, "upstream_invalid"),
        (Answer.html(404, "Not Found"), UpstreamMisplaced, 502, "upstream_invalid"),
        (Answer.html(413), UpstreamRejected, 413, "request_too_large"),
    ],
    ids=["context", "404", "422", "401", "403", "429", "500", "503", "html502", "html400", "html404", "html413"],
)  # fmt: skip
async def test_a_status_becomes_our_error(pair, streamed, answer, error, status, code):
    up, upstream = pair
    up.script(answer)
    with pytest.raises(UpstreamError) as caught:
        if streamed:
            await upstream.chat_stream(body(**STREAM), Deadline())
        else:
            await upstream.chat(body(), Deadline())
    assert type(caught.value) is error
    assert caught.value.status == status
    if code:
        assert caught.value.code == code
    if status == 429:
        assert caught.value.retry_after == "7"
    shown = str(caught.value)
    assert SECRET not in shown
    assert "127.0.0.1" not in shown
    assert "<html" not in shown
    assert len(up.requests) == 1, "an adapter does not retry by itself"


@pytest.mark.parametrize(
    "answer",
    [
        Answer.html(200),
        Answer.raw(b'{"choices": [', content_type="application/json"),
        Answer.raw(b"", content_type="application/json"),
        Answer.raw(b"[]", content_type="application/json"),
    ],
    ids=["html", "cut", "empty", "list"],
)
async def test_a_200_that_is_not_an_answer_is_an_error(pair, answer):
    up, upstream = pair
    up.script(answer)
    with pytest.raises(UpstreamError) as caught:
        await upstream.chat(body(), Deadline())
    assert caught.value.status == 502


async def test_a_reset_is_unavailable(pair):
    up, upstream = pair
    up.script(Answer.reset())
    with pytest.raises(UpstreamUnavailable):
        await upstream.chat(body(), Deadline())


async def test_nobody_listening_is_unavailable(pair):
    up, upstream = pair
    await up.refuse()
    with pytest.raises(UpstreamUnavailable):
        await upstream.chat(body(), Deadline())


async def test_silence_before_the_answer_is_a_timeout(pair):
    up, upstream = pair
    up.always(Answer.silence())
    with pytest.raises(UpstreamTimeout):
        await upstream.chat(body(), Deadline(1, 0.2, 0.2, 0.2))
    with pytest.raises(UpstreamTimeout):
        await upstream.chat_stream(body(**STREAM), Deadline(1, 0.2, 0.2, 0.2))


async def test_silence_inside_a_stream_is_a_timeout(pair):
    up, upstream = pair
    up.script(up.say.stream("a", end=False, then=(HOLD,)))
    with pytest.raises(UpstreamTimeout):
        await collect(upstream, Deadline(1, 5, 0.2, 5))


async def test_a_stream_torn_off_is_an_error_and_not_an_end(pair):
    up, upstream = pair
    up.script(up.say.stream("a", "b", end=False, then=(RESET,)))
    with pytest.raises(UpstreamError):
        await collect(upstream)


async def test_cancelling_stops_the_upstream(pair):
    up, upstream = pair
    up.script(Answer.silence())
    task = asyncio.create_task(upstream.chat(body(), Deadline()))
    seen = await up.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(seen.gone.wait(), 5)
    assert seen.gone_after is not None


async def test_closing_a_stream_stops_the_upstream(pair):
    up, upstream = pair
    up.script(up.say.stream("a", end=False, then=(HOLD,)))
    stream = await upstream.chat_stream(body(**STREAM), Deadline())
    await stream.close()
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)


async def test_embeddings_travel_or_are_refused(pair):
    up, upstream = pair
    if up.say is Messages:
        with pytest.raises(UpstreamRejected) as refused:
            await upstream.embeddings(b"{}", Deadline())
        assert refused.value.code == "unsupported_parameter"
        return
    fields = {"model": "openai/m", "input": ["a", "b"], "encoding_format": "float"}
    reply = await upstream.embeddings(json.dumps(fields).encode(), Deadline())
    assert len(json.loads(reply.body)["data"]) == 2


# --- what only the wire itself can be asked: litellm makes up an end where there was none


@pytest.fixture
async def wire():
    """A scripted server and the OpenAI wire."""
    async with ScriptedUpstream() as up:
        transport = AiohttpTransport()
        yield up, OpenAIUpstream("o", up.base_url, "", transport)
        await transport.close()


async def test_a_stream_that_ends_without_done_is_an_error(wire):
    up, upstream = wire
    up.script(Answer.stream(chunk("a"), finish(), done=False))
    with pytest.raises(UpstreamUnavailable):
        await collect(upstream)


async def test_a_closed_stream_is_an_error(wire):
    up, upstream = wire
    up.script(Answer.stream(chunk("a"), CLOSE, framing="close"))
    with pytest.raises(UpstreamUnavailable):
        await collect(upstream)


@pytest.mark.parametrize(
    "answer",
    [
        Answer.stream({"error": {"message": "overloaded", "code": "overloaded"}}),
        Answer.stream(b"data: <html>\n\n"),
        Answer.stream(done=True),
        Answer.stream(done=False),
        Answer.completion("whole"),
        Answer.html(200),
    ],
    ids=["error event", "garbage", "only done", "nothing", "whole answer", "html"],
)
async def test_a_stream_that_begins_wrong_is_an_error_before_it_begins(wire, answer):
    up, upstream = wire
    up.script(answer)
    with pytest.raises(UpstreamError) as caught:
        await upstream.chat_stream(body(**STREAM), Deadline())
    assert caught.value.status == 502


async def test_connections_are_used_again_and_none_stays_behind_a_timeout(wire):
    up, upstream = wire
    for _ in range(5):
        await upstream.chat(body(), Deadline())
    assert {r.connection for r in up.requests} == {0}
    up.script(Answer.silence())
    with pytest.raises(UpstreamTimeout):
        await upstream.chat(body(), Deadline(1, 0.1, 0.1, 0.1))
    await asyncio.wait_for(up.requests[-1].gone.wait(), 5)


async def test_each_silence_of_a_stream_is_measured_by_itself(wire):
    up, upstream = wire
    waits = [step for text in "bcd" for step in (Wait(0.2), chunk(text))]
    up.script(Answer.stream(chunk("a"), *waits, HOLD))
    stream = await upstream.chat_stream(body(**STREAM), Deadline(1, 5, 0.4, 5))
    heard = []
    with pytest.raises(UpstreamTimeout):
        async for data in stream.events():
            heard += [json.loads(data)]
    await stream.close()
    assert said(heard) == "abcd", "three waits that together are longer than one may be"


async def test_a_reader_who_takes_his_time_is_no_silence(wire):
    up, upstream = wire
    up.script(Answer.stream(chunk("a"), Wait(0.3), chunk("b"), finish()))
    stream = await upstream.chat_stream(body(**STREAM), Deadline(1, 0.2, 0.2, 5))
    heard = []
    async for data in stream.events():
        heard.append(json.loads(data))
        if len(heard) == 1:
            await asyncio.sleep(0.5)
    await stream.close()
    assert said(heard) == "ab"


async def test_a_closed_stream_leaves_no_timer_behind(wire):
    up, upstream = wire
    for _ in range(3):
        up.script(Answer.stream(chunk("a"), Wait(0.01), chunk("b"), finish()))
        await collect(upstream)
    gc.collect()
    await asyncio.sleep(0.01)  # the loop ends what was collected
    watches = [each for each in gc.get_objects() if isinstance(each, Silence)]
    assert watches == []


async def test_redirects_are_not_followed(wire):
    up, upstream = wire
    up.script(Answer.raw(status=307, headers={"location": "http://127.0.0.1:1/"}))
    with pytest.raises(UpstreamInvalid):
        await upstream.chat(body(), Deadline())
    assert len(up.requests) == 1


async def test_without_a_key_none_is_sent(wire):
    up, upstream = wire
    await upstream.chat(body(), Deadline())
    assert "authorization" not in up.requests[0].headers


async def test_an_answer_is_asked_for_as_it_is(wire):
    up, upstream = wire
    await upstream.chat(body(), Deadline())
    assert up.requests[0].headers["accept-encoding"] == "identity"
    assert up.requests[0].headers["user-agent"] == "stillhouse"


async def test_models_are_listed(wire):
    _, upstream = wire
    assert await upstream.models(Deadline()) == ["small", "medium", "large"]
