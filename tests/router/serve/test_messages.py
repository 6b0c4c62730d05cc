"""``/v1/messages`` on a real socket: in front of servers that speak chat, and of one that speaks Messages itself."""

import json
from datetime import UTC, datetime

import pytest

from router.registry.keys import KeyStore
from router.serve.settings import ServerSettings, Settings, TierSettings, UpstreamSettings
from tests.support import messages as m
from tests.support.upstream import RESET, Answer, chunk, completion, finish, tool, usage

HI = [{"role": "user", "content": "hi"}]
GUARDED = """
stillhouse: 1
name: guarded
guards:
  input:
    - words: {words: [verboten], match: substring}
    - words: {words: [geheim], action: mask, match: substring}
  output:
    - words: {words: [verboten], match: substring}
    - words: {words: [geheim], action: mask, match: substring}
"""


def ask(gw, headers=None, path="/v1/messages", **more):
    body = {"model": "auto", "max_tokens": 100, "messages": HI, **more}
    return gw.http.post(path, json=body, headers=headers)


async def told(gw, **more):
    """The message that a streamed answer amounts to."""
    answer = await ask(gw, stream=True, **more)
    assert answer.status_code == 200, answer.text
    return m.put_together(m.events_of(answer.text))


def native(settings):
    """Every tier behind a server that speaks Messages."""
    up = settings.upstreams["up"]
    tiers = tuple(tier.model_copy(update={"model": f"claude-{tier.tier}"}) for tier in settings.tiers)
    upstreams = {"up": UpstreamSettings(kind="anthropic", base_url=up.base_url)}
    return settings.model_copy(update={"upstreams": upstreams, "tiers": tiers, "embeddings": ()})


async def test_a_whole_answer_with_its_headers_and_record(serve, up):
    gw = await serve()
    answer = await ask(gw)
    body = answer.json()
    assert body["content"] == [{"type": "text", "text": "Hello from upstream."}]
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["x-stillhouse-tier"] in {"small", "medium", "large"}
    assert "x-stillhouse-dropped" not in answer.headers
    record = await gw.record(answer)
    assert (record["endpoint"], record["outcome"], record["tokens_in"]) == ("/v1/messages", "ok", 7)
    assert up.requests[0].json["max_completion_tokens"] == 100


async def test_a_stream_keeps_the_grammar_and_tells_its_usage(serve):
    gw = await serve()
    body = await told(gw)
    assert body["content"] == [{"type": "text", "text": "Hello from upstream."}]
    assert body["usage"]["input_tokens"] == 7


@pytest.mark.parametrize("header", [{"x-api-key": "{}"}, {"authorization": "Bearer {}"}])
async def test_a_key_comes_in_either_header_and_goes_nowhere_else(serve, up, home, header):
    secret = KeyStore(home / "keys.json").add(tenant="acme", now=datetime(2026, 11, 1, tzinfo=UTC))[1]
    gw = await serve(keys="required")
    refused = await ask(gw, {"x-api-key": "sk-ant-wrong"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    answer = await ask(gw, {name: value.format(secret) for name, value in header.items()})
    assert answer.status_code == 200, answer.text
    assert secret not in str(up.requests[0].headers)


async def test_errors_have_anthropics_shape_wherever_they_arise(serve, up):
    gw = await serve()
    up.always(Answer.error(429, retry_after=17))
    for answer, status, kind in (
        (await ask(gw, messages=[]), 400, "invalid_request_error"),
        (await ask(gw, model="nope"), 404, "not_found_error"),
        (await ask(gw, model="large"), 429, "rate_limit_error"),
        (await gw.http.get("/v1/messages"), 405, "invalid_request_error"),
        (await gw.http.post("/v1/messages", content=b"{"), 415, "invalid_request_error"),
        (await gw.http.post("/v1/messages", content=b"{", headers={"content-type": "application/json"}), 400, "invalid_request_error"),
        (await ask(gw, {"anthropic-beta": "bad beta!"}), 400, "invalid_request_error"),
    ):  # fmt: skip
        body = answer.json()
        assert answer.status_code == status
        assert body["type"] == "error"
        assert body["error"]["type"] == kind
        assert body["request_id"] == answer.headers["request-id"]
    assert (await ask(gw, model="large")).headers["retry-after"] == "17"


async def test_an_error_in_the_middle_of_a_stream_is_an_event_and_no_made_up_end(serve, up):
    gw = await serve()
    up.always(Answer.stream(chunk("a"), chunk("b"), RESET))
    events = m.events_of((await ask(gw, stream=True)).text)
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["type"] == "api_error"
    assert "message_stop" not in [e["type"] for e in events]


async def test_a_conversation_too_long_is_told_in_the_words_agents_look_for(serve, up):
    gw = await serve()
    up.always(Answer.error(400, "maximum context length is 10 tokens", code="context_length_exceeded"))
    body = (await ask(gw)).json()
    assert body["error"]["message"].startswith("prompt is too long")


async def test_what_chat_cannot_carry_is_named_in_a_header(serve, up):
    gw = await serve()
    answer = await ask(
        gw, system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], top_k=3, whatever=1,
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
    )  # fmt: skip
    assert answer.headers["x-stillhouse-dropped"] == "tools.web_search_20250305, whatever, top_k, cache_control"
    assert up.requests[0].json["messages"][0] == {"role": "system", "content": "s"}
    assert "tools" not in up.requests[0].json


async def test_tools_whole_and_streamed(serve, up):
    gw = await serve()
    offered = [{"name": "weather", "description": "d", "input_schema": {"type": "object"}}]
    call = tool('{"city": "서울"}', name="weather", id="call_1")
    up.script(Answer.json(completion(None, tools=(call,), reason="tool_calls")))
    body = (await ask(gw, tools=offered)).json()
    assert body["content"] == [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "서울"}}]
    up.script(Answer.stream(
        chunk("Look."), chunk(tools=(tool("", name="weather", id="call_1"),)), chunk(tools=(tool('{"city"'),)),
        chunk(tools=(tool(': "서울"}'),)), finish("tool_calls"), usage(), split=5,
    ))  # fmt: skip
    streamed = await told(gw, tools=offered)
    assert streamed["content"] == [{"type": "text", "text": "Look."}, *body["content"]]
    assert streamed["stop_reason"] == "tool_use"


# --- a server of the same protocol behind it


async def test_what_chat_cannot_carry_travels_to_a_server_of_the_same_protocol(serve, up):
    gw = await serve(change=native)
    up.script(Answer.json(m.message(m.thinking("Hm."), m.text("x"), used={**m.USED, "cache_read_input_tokens": 90})))
    sent = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "ok"}]},
            {"role": "user", "content": "and?"},
        ],
        "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000, "top_k": 3,
    }  # fmt: skip
    answer = await ask(gw, {"anthropic-beta": "one,two", "x-api-key": "the-callers"}, **sent)
    assert answer.json()["content"] == [m.thinking("Hm."), m.text("x")]
    assert answer.json()["usage"] == {**m.USED, "cache_read_input_tokens": 90}
    assert "x-stillhouse-dropped" not in answer.headers
    seen = up.requests[0]
    assert {name: seen.json[name] for name in sent} == sent
    assert seen.headers["anthropic-beta"] == "one,two"
    assert "the-callers" not in str(seen.headers)
    assert (await gw.record(answer))["tokens_cached"] == 90


async def test_a_stream_between_two_of_the_same_protocol_is_the_same_message(serve, up):
    gw = await serve(change=native)
    up.script(m.stream(
        m.start(), *m.thinking_block(0, "H", "m."), *m.text_block(1, "Lo", "ok."), *m.tool_block(2, "f", '{"x"', ":1}"),
        *m.stop("tool_use"), split=11,
    ))  # fmt: skip
    body = await told(gw, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=4000)
    assert body["content"] == [m.thinking("Hm."), m.text("Look."), m.tool_use("f", {"x": 1})]
    assert body["stop_reason"] == "tool_use"


async def test_a_caller_of_chat_reaches_a_server_that_speaks_messages(serve, up):
    gw = await serve(change=native)
    up.script(Answer.json(m.message(m.text("Hi."))), m.stream(m.start(), *m.text_block(0, "H", "i."), *m.stop()))
    assert (await gw.chat()).json()["choices"][0]["message"]["content"] == "Hi."
    streamed = await gw.chat(stream=True)
    assert '"content":"H"' in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")


# --- counting


async def test_a_count_is_our_estimate_unless_the_models_own_server_can_be_asked(serve, up):
    gw = await serve()
    long = [{"role": "user", "content": "word " * 400}]
    answer = await gw.http.post("/v1/messages/count_tokens", json={"model": "auto", "messages": long})
    assert answer.headers["x-stillhouse-tokens"] == "estimated"
    assert 400 <= answer.json()["input_tokens"] <= 600
    assert not up.requests


async def test_a_count_is_asked_of_a_server_that_counts(serve, up):
    gw = await serve(change=native)
    up.script(Answer.json({"input_tokens": 42}), Answer.error(500))
    body = {"model": "claude-large", "messages": HI}
    answer = await gw.http.post("/v1/messages/count_tokens", json=body)
    assert (answer.json(), answer.headers["x-stillhouse-tokens"]) == ({"input_tokens": 42}, "upstream")
    assert up.requests[0].path == "/v1/messages/count_tokens"
    fallen = await gw.http.post("/v1/messages/count_tokens", json=body)
    assert fallen.headers["x-stillhouse-tokens"] == "estimated"


# --- guards

TEXT = {"type": "text", "text": "a WORD b"}
PLACES = {
    "system": {"system": "a WORD b"},
    "system block": {"system": [TEXT]},
    "text": {"messages": [{"role": "user", "content": "a WORD b"}]},
    "text block": {"messages": [{"role": "user", "content": [TEXT, TEXT]}]},
    "result": {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "a WORD b"}]}]},
    "result block": {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [TEXT]}]}]},
    "document": {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a WORD b"}}]}]},
    "document title": {"messages": [{"role": "user", "content": [{"type": "document", "title": "a WORD b", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]},
    "document context": {"messages": [{"role": "user", "content": [{"type": "document", "context": "a WORD b", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]},
    "document blocks": {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [TEXT]}}]}]},
    "search result": {"messages": [{"role": "user", "content": [{"type": "search_result", "source": "s", "title": "t", "content": [TEXT]}]}]},
    "input of a call": {"messages": [*HI, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": "a WORD b"}}]}]},
    "thinking": {"messages": [*HI, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a WORD b", "signature": "s"}, {"type": "text", "text": "x"}]}]},
    "tool description": {"tools": [{"name": "f", "description": "a WORD b", "input_schema": {"type": "object"}}]},
}  # fmt: skip


def worded(value, word):
    return json.loads(json.dumps(value).replace("WORD", word))


@pytest.mark.parametrize("change", [lambda s: s, native], ids=["chat behind", "messages behind"])
async def test_no_field_of_a_request_slips_past_the_guards(serve, up, change):
    gw = await serve(GUARDED, change=change)
    up.always(Answer.json(m.message(m.text("x"))) if change is native else Answer.completion("x"))
    for place, more in PLACES.items():
        seen = len(up.requests)
        masked = await ask(gw, **worded(more, "geheim"))
        assert masked.status_code == 200, (place, masked.text)
        assert b"geheim" not in up.requests[seen].body, place
        blocked = await ask(gw, **worded(more, "verboten"))
        assert blocked.json()["stop_reason"] == "refusal", place
        assert len(up.requests) == seen + 1, place
        count = await ask(gw, path="/v1/messages/count_tokens", **worded(more, "verboten"))
        assert count.status_code == 200, place
        assert len(up.requests) == seen + 1, place


def chat_answers(word, split):
    call = tool(json.dumps({"x": word}), name="f", id="c")
    yield Answer.json(completion(f"a {word} b", reasoning=f"t {word} u", tools=(call,), reason="tool_calls"))
    cut = [chunk(reasoning=c) for c in f"t {word} u"] + [chunk(c) for c in f"a {word} b"]
    written = json.dumps({"x": word})
    cut += [chunk(tools=(tool("", name="f", id="c"),)), *(chunk(tools=(tool(c),)) for c in written)]
    yield Answer.stream(*cut, finish("tool_calls"), usage(), split=split)


def native_answers(word, split):
    written = json.dumps({"x": word})
    yield Answer.json(
        m.message(
            m.thinking(f"t {word} u"), m.text(f"a {word} b"), m.tool_use("f", {"x": word}, id="c"), stop="tool_use"
        )
    )
    yield m.stream(
        m.start(), *m.thinking_block(0, *f"t {word} u"), *m.text_block(1, *f"a {word} b"),
        *m.tool_block(2, "f", *written, id="c"), *m.stop("tool_use"), split=split,
    )  # fmt: skip


@pytest.mark.parametrize("behind", ["chat", "messages"])
async def test_no_field_of_an_answer_slips_past_the_guards(serve, up, behind):
    gw = await serve(GUARDED, change=native if behind == "messages" else lambda s: s)
    answers = native_answers if behind == "messages" else chat_answers
    think = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
    for split in (None, 1, 13):
        whole, streamed = answers("geheim", split)
        up.script(whole, streamed)
        one = (await ask(gw, **think)).json()
        two = await told(gw, **think)
        assert two["content"] == one["content"]
        thought, said, call = two["content"]
        assert "geheim" not in json.dumps(two)
        assert thought["thinking"].startswith("t [")
        assert thought["thinking"].endswith(" u")
        assert thought["signature"] == "", "what was signed is not what was said"
        assert said["text"].endswith(" b")
        assert call["input"]["x"].startswith("[")
        up.script(*answers("verboten", split))
        assert (await ask(gw, **think)).json()["stop_reason"] == "refusal"
        ended = await told(gw, **think)
        assert ended["stop_reason"] == "refusal"
        assert "verboten" not in json.dumps(ended)


async def test_thinking_that_no_guard_changed_keeps_its_signature_in_a_guarded_stream(serve, up):
    gw = await serve(GUARDED, change=native)
    up.script(m.stream(m.start(), *m.thinking_block(0, *"why gehei"), *m.text_block(1, *"done"), *m.stop()))
    body = await told(gw, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=4000)
    assert body["content"] == [m.thinking("why gehei"), m.text("done")]


async def test_two_upstreams_of_two_protocols_take_turns_in_one_conversation(serve, up):
    def mixed(settings):
        both = native(settings)
        tiers = tuple(
            TierSettings(tier=t, upstream="up" if t == "large" else "plain", model=f"m-{t}") for t in ("small", "large")
        )
        plain = UpstreamSettings(kind="openai", base_url=settings.upstreams["up"].base_url)
        return Settings(
            server=ServerSettings(),
            upstreams={**both.upstreams, "plain": plain},
            tiers=tiers,
            policies=settings.policies,
        )

    gw = await serve(change=mixed)
    up.script(Answer.json(m.message(m.thinking("Hm."), m.tool_use("f", {"x": 1}), stop="tool_use")))
    think = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
    first = (await ask(gw, model="large", **think)).json()
    turns = [*HI, {"role": "assistant", "content": first["content"]}]
    turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}]})
    up.script(Answer.completion("So it is."))
    second = await ask(gw, model="small", messages=turns, **think)
    assert second.headers["x-stillhouse-dropped"] == "thinking"
    assert up.requests[1].json["messages"][1]["tool_calls"][0]["id"] == "toolu_1"
    turns += [{"role": "assistant", "content": second.json()["content"]}, {"role": "user", "content": "and?"}]
    up.script(Answer.json(m.message(m.text("Fine."))))
    third = await ask(gw, model="large", messages=turns, **think)
    assert third.json()["content"] == [m.text("Fine.")]
    assert up.requests[2].json["messages"][1]["content"][-1] == m.tool_use("f", {"x": 1})
