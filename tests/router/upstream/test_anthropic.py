"""What only a server that speaks Messages can be asked; the common contract stands in ``test_contract.py``."""

import json

import pytest

from router.errors import UpstreamAuth, UpstreamError, UpstreamRateLimited, UpstreamRejected, UpstreamUnavailable
from router.upstream.anthropic import AnthropicUpstream
from router.upstream.base import Deadline
from router.upstream.transport import AiohttpTransport
from tests.support import messages as m
from tests.support.upstream import CLOSE, Answer, ScriptedUpstream

CHAT = {"model": "claude-x", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def wire():
    """A scripted server and an upstream that speaks Messages to it."""
    async with ScriptedUpstream() as up:
        transport = AiohttpTransport()
        yield up, AnthropicUpstream("a", up.base_url, "k", transport)
        await transport.close()


async def ask(upstream, **more):
    return json.loads((await upstream.chat(json.dumps({**CHAT, **more}).encode(), Deadline())).body)


async def collect(upstream, **more):
    stream = await upstream.chat_stream(json.dumps({**CHAT, "stream": True, **more}).encode(), Deadline())
    try:
        return [json.loads(data) async for data in stream.events()]
    finally:
        await stream.close()


async def test_a_question_is_asked_in_its_own_words(wire):
    up, upstream = wire
    up.script(Answer.json(m.message(m.text("Seoul."))))
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0}'}}
    await ask(
        upstream,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
            {"role": "user", "content": "so?"},
        ],
        tools=[tool], tool_choice="required", parallel_tool_calls=False, stop="END", temperature=1.7, user="u1",
    )  # fmt: skip
    seen = up.requests[0]
    assert seen.path == "/v1/messages"
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert seen.json == {
        "model": "claude-x", "max_tokens": 8192, "system": "Be brief.", "temperature": 1, "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1.0}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "4"}, {"type": "text", "text": "so?"},
            ]},
        ],
    }  # fmt: skip


async def test_calls_thinking_and_cached_tokens_come_back_in_chats_words(wire):
    up, upstream = wire
    used = {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    blocks = (m.thinking("Hm."), m.text("Let me look."), m.tool_use("weather", {"city": "서울"}))
    up.script(Answer.json(m.message(*blocks, stop="tool_use", used=used)))
    answer = await ask(upstream)
    said = answer["choices"][0]["message"]
    assert (said["content"], said["reasoning_content"]) == ("Let me look.", "Hm.")
    assert said["thinking_blocks"][0]["signature"] == "sig-1"
    assert said["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"서울"}'}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (125, 9)
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 100, "cache_creation_tokens": 20}


async def test_a_stream_of_thinking_text_and_calls_comes_as_chunks(wire):
    up, upstream = wire
    up.script(m.stream(
        m.start({"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 100}), m.event("ping"),
        *m.thinking_block(0, "H", "m."), *m.text_block(1, "안", "녕"), *m.tool_block(2, "weather", '{"ci', 'ty": 1}'),
        m.event("something_new", whatever=1), *m.stop("tool_use", output_tokens=9), split=7,
    ))  # fmt: skip
    events = await collect(upstream)
    deltas = [c["delta"] for e in events for c in e["choices"]]
    assert "".join(d.get("content") or "" for d in deltas) == "안녕"
    assert "".join(d.get("reasoning_content") or "" for d in deltas) == "Hm."
    calls = [call for d in deltas for call in d.get("tool_calls") or ()]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("toolu_1", "weather")
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": 1}'
    assert [b["signature"] for d in deltas for b in d.get("thinking_blocks") or ()] == ["sig-1"]
    assert [c["finish_reason"] for e in events for c in e["choices"] if c["finish_reason"]] == ["tool_calls"]
    assert events[-1]["choices"] == []
    assert (events[-1]["usage"]["prompt_tokens"], events[-1]["usage"]["completion_tokens"]) == (105, 9)


@pytest.mark.parametrize(
    ("status", "kind", "words", "error", "code"),
    [
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", UpstreamRejected, "context_length_exceeded"),
        (400, "invalid_request_error", "messages: wrong", UpstreamRejected, "invalid_request_error"),
        (400, "invalid_request_error", "Your credit balance is too low", UpstreamAuth, "upstream_auth"),
        (404, "not_found_error", "model: claude-y", UpstreamRejected, "model_not_found"),
        (429, "rate_limit_error", "slow down", UpstreamRateLimited, "rate_limit_exceeded"),
        (529, "overloaded_error", "Overloaded", UpstreamUnavailable, "upstream_unavailable"),
    ],
)  # fmt: skip
async def test_its_errors_become_ours(wire, status, kind, words, error, code):
    up, upstream = wire
    up.script(Answer.json(m.error(kind, words), status=status))
    with pytest.raises(UpstreamError) as caught:
        await ask(upstream)
    assert type(caught.value) is error
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("kind", "error"), [("overloaded_error", UpstreamUnavailable), ("rate_limit_error", UpstreamRateLimited)]
)
@pytest.mark.parametrize("begun", [False, True], ids=["before", "inside"])
async def test_an_error_event_is_an_error(wire, begun, kind, error):
    up, upstream = wire
    before = [m.start(), *m.text_block(0, "a")] if begun else []
    up.script(m.stream(*before, m.event("error", error={"type": kind, "message": "no"})))
    with pytest.raises(error):
        await collect(upstream)


async def test_a_stream_without_its_stop_was_broken_off(wire):
    up, upstream = wire
    up.script(m.stream(m.start(), *m.text_block(0, "a"), CLOSE, framing="close"))
    with pytest.raises(UpstreamUnavailable):
        await collect(upstream)


@pytest.mark.parametrize("more", [{"n": 2}, {"tools": [{"type": "custom", "custom": {"name": "x"}}]}])
async def test_what_it_has_not_is_refused_before_it_is_asked(wire, more):
    up, upstream = wire
    with pytest.raises(UpstreamRejected) as refused:
        await ask(upstream, **more)
    assert refused.value.code == "unsupported_parameter"
    assert not up.requests


@pytest.mark.parametrize(
    ("effort", "limit", "budget"),
    [("low", 8000, 2048), ("high", 8000, 6976), ("high", 1500, None), ("none", 8000, None)],
)
async def test_an_effort_becomes_a_budget_that_leaves_room_for_the_answer(wire, effort, limit, budget):
    up, upstream = wire
    up.script(Answer.json(m.message(m.text("x"))))
    await ask(upstream, reasoning_effort=effort, max_completion_tokens=limit, temperature=0.2)
    sent = up.requests[0].json
    assert sent.get("thinking") == (None if budget is None else {"type": "enabled", "budget_tokens": budget})
    assert ("temperature" in sent) == (budget is None)


async def test_it_counts_tokens_and_lists_models(wire):
    up, upstream = wire
    up.script(Answer.json({"input_tokens": 42}), Answer.json({"data": [{"id": "claude-x"}]}))
    assert await upstream.count_tokens(json.dumps(CHAT).encode(), Deadline()) == 42
    assert up.requests[0].json == {"model": "claude-x", "messages": [{"role": "user", "content": "hi"}]}
    assert await upstream.models(Deadline()) == ["claude-x"]
