"""What a caller sends arrives, and what a model answers comes back: every field, both ways, byte for byte."""

import json

import pytest

from tests.support.upstream import Answer, chunk, completion, dump, finish, logprobs, sse, tool, usage

pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]

TOOLS = [
    {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
    }
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object", "x-own": 1}}}
MESSAGES = [{"role": "user", "content": "hi"}]

# every parameter of the chat API at the end of 2026, with a value, and some that nobody has heard of
SENT = {
    "audio": {"voice": "alloy", "format": "wav"},
    "frequency_penalty": 0.5,
    "function_call": "auto",
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 32_000,
    "max_tokens": 10,
    "metadata": {"team": "a", "trace": "b"},
    "modalities": ["text"],
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "likely"},
    "presence_penalty": -0.5,
    "prompt_cache_key": "key",
    "prompt_cache_retention": "24h",
    "reasoning_effort": "minimal",
    "response_format": SCHEMA,
    "safety_identifier": "hashed-user",
    "seed": 123456789012345678901234567890,
    "service_tier": "flex",
    "stop": ["\n", "END"],
    "store": True,
    "temperature": 1.0,
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "tools": TOOLS,
    "top_logprobs": 3,
    "top_p": 0.1,
    "user": "user-1234",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
    "chat_template_kwargs": {"enable_thinking": False},
    "extra_body": {"top_k": 40},
    "guided_json": {"type": "object"},
    "min_p": 0.05,
    "nvext": {"greed_sampling": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "top_k": 40,
    "vendor_null": None,
    "이름": "값 🙂",
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", SENT)
async def test_a_parameter_arrives(gw, shared_up, name, streamed):
    answer = await gw.chat(**{name: SENT[name]}, stream=streamed)
    assert answer.status_code == 200, answer.text
    assert shared_up.requests[0].json[name] == SENT[name]


TALK = {
    "every role": [{"role": r, "content": "x"} for r in ("system", "developer", "user", "assistant")],
    "a name": [{"role": "user", "content": "hi", "name": "ann"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
    "an image": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}]}],
    "a sound": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}],
    "a file": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
    "cache control": [{"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}, *MESSAGES],
    "a tool's answer": [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"도시": "서울"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "맑음"}]},
    ],
    "a custom tool": [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "g", "input": "ls"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ],
    "the old functions": [
        *MESSAGES,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
    ],
    "a refusal": [*MESSAGES, {"role": "assistant", "content": None, "refusal": "No."}, *MESSAGES],
    "reasoning": [*MESSAGES, {"role": "assistant", "content": "a", "reasoning_content": "b", "thinking_blocks": [{"type": "thinking", "thinking": "c", "signature": "s"}]}, *MESSAGES],
    "an own field": [{"role": "user", "content": "hi", "x-own": {"deep": [1.0, 2]}}],
    "two users in a row": [*MESSAGES, *MESSAGES],
    "empty text": [{"role": "user", "content": ""}],
    "an emoji of four code points": [{"role": "user", "content": "👨‍👩‍👧‍👦 \u0000 \u2028 \\u0041 \\ /"}],
    "an unknown role": [{"role": "critic", "content": "x"}, *MESSAGES],
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("messages", TALK.values(), ids=TALK)
async def test_messages_arrive(gw, shared_up, messages, streamed):
    answer = await gw.http.post(
        "/v1/chat/completions", json={"model": "large", "messages": messages, "stream": streamed}
    )
    assert answer.status_code == 200, answer.text
    assert shared_up.requests[0].json["messages"] == messages


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False, "include_obfuscation": False}])
async def test_stream_options_keep_what_the_caller_wrote(gw, shared_up, options):
    answer = await gw.chat(stream=True, stream_options=options)
    assert answer.status_code == 200
    assert shared_up.requests[0].json["stream_options"] == {**(options or {}), "include_usage": True}
    assert '"usage"' not in answer.text


@pytest.mark.parametrize(
    "key", ["authorization", "cookie", "x-api-key", "x-forwarded-for", "openai-organization", "x-custom"]
)
async def test_no_header_of_the_callers_reaches_the_upstream(gw, shared_up, key):
    assert (await gw.chat(headers={key: "secret-of-the-caller"})).status_code == 200
    assert "secret-of-the-caller" not in str(shared_up.requests[0].headers)


TEXTS = {
    "plain": {"content": "Hello."},
    "nothing": {"content": None},
    "empty": {"content": ""},
    "a refusal": {"content": None, "refusal": "I cannot."},
    "reasoning_content": {"content": "a", "reasoning_content": "because"},
    "reasoning": {"content": "a", "reasoning": "because", "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "s"}]},
    "annotations": {"content": "a", "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "t", "start_index": 0, "end_index": 1}}]},
    "audio": {"content": None, "audio": {"id": "a", "data": "AA==", "expires_at": 1, "transcript": "hi"}},
    "tool calls": {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"도시": "서울"}'}}]},
    "two calls": {"content": "and", "tool_calls": [{"id": f"c{i}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in (1, 2)]},
    "broken arguments": {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}]},
    "a custom call": {"content": None, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "g", "input": "ls"}}]},
    "the old call": {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
    "an own field": {"content": "a", "provider_specific_fields": {"x": [1.0, None]}},
}  # fmt: skip


@pytest.mark.parametrize("message", TEXTS.values(), ids=TEXTS)
async def test_a_whole_answer_comes_back_byte_for_byte(gw, shared_up, message):
    body = completion()
    body["choices"][0] |= {"message": {"role": "assistant", **message}, "stop_reason": None, "matched_stop": 7}
    raw = json.dumps(body, indent=1, ensure_ascii=True).encode()
    shared_up.script(Answer.raw(raw))
    answer = await gw.chat()
    assert answer.status_code == 200
    assert answer.content == raw


BESIDE = {
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "prompt_logprobs": None,
    "kv_transfer_params": {"a": 1},
    "x_groq": {"id": "req"},
    "citations": ["https://example.com"],
    "big": 123456789012345678901234567890,
    "small": 1e-300,
    "whole": 1.0,
}


@pytest.mark.parametrize("name", BESIDE)
async def test_a_field_beside_the_choices_comes_back(gw, shared_up, name):
    raw = dump({**completion(), name: BESIDE[name]})
    events = [{**chunk("a"), name: BESIDE[name]}, {**finish(), name: BESIDE[name]}]
    shared_up.script(Answer.raw(raw), Answer.stream(*events))
    assert (await gw.chat()).content == raw
    assert (await gw.chat(stream=True)).content == b"".join(map(sse, [*events, b"[DONE]"]))


@pytest.mark.parametrize(
    "used",
    [
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0}},
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1, "accepted_prediction_tokens": 0}},
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": None, "cost": 0.1, "queue_time": 0.2},
        {"prompt_tokens": 1, "completion_tokens": None, "total_tokens": 1},
        {"prompt_tokens": 1, "total_tokens": 1},
        {},
        None,
    ],
)  # fmt: skip
async def test_usage_comes_back_as_it_was_said(gw, shared_up, used):
    raw = dump({**completion(), "usage": used})
    shared_up.script(Answer.raw(raw))
    answer = await gw.chat()
    assert answer.status_code == 200
    assert answer.content == raw
    assert (await gw.record(answer))["tokens_source"] in {"upstream", "estimated"}


@pytest.mark.parametrize(
    "reason", ["stop", "length", "tool_calls", "function_call", "content_filter", "eos", "abort", None]
)
async def test_a_finish_reason_comes_back(gw, shared_up, reason):
    body = completion()
    body["choices"][0]["finish_reason"] = reason
    shared_up.script(Answer.json(body))
    assert (await gw.chat()).json()["choices"][0]["finish_reason"] == reason


async def test_logprobs_come_back_whole_and_streamed(gw, shared_up):
    events = [chunk("a", logs=logprobs("a")), finish()]
    shared_up.script(Answer.completion(logs=logprobs("Hello")), Answer.stream(*events))
    assert (await gw.chat(logprobs=True)).json()["choices"][0]["logprobs"] == logprobs("Hello")
    assert (await gw.chat(logprobs=True, stream=True)).content == b"".join(map(sse, [*events, b"[DONE]"]))


async def test_several_choices_come_back(gw, shared_up):
    shared_up.script(Answer.completion(choices=3))
    assert [c["index"] for c in (await gw.chat(n=3)).json()["choices"]] == [0, 1, 2]


DELTAS = {
    "role first": [chunk("", role="assistant"), chunk("a")],
    "role with text": [chunk("a", role="assistant")],
    "no role": [chunk("a")],
    "a refusal": [chunk(refusal="No"), chunk(refusal=".")],
    "reasoning_content": [chunk(reasoning="b"), chunk("a")],
    "tool calls": [chunk(tools=(tool("", name="f", id="c1"),)), chunk(tools=(tool('{"a"'),)), chunk(tools=(tool(":1}"),))],
    "two calls": [chunk(tools=(tool("{}", name="f", id="c1"), tool("{}", name="g", id="c2", index=1)))],
    "two choices": [chunk("a"), chunk("b", index=1)],
    "an empty delta": [chunk(), chunk("a")],
    "content null": [{**chunk(), "choices": [{"index": 0, "delta": {"content": None}, "finish_reason": None}]}],
    "no choices first": [{**chunk(), "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}, chunk("a")],
    "an own field": [{**chunk("a"), "choices": [{"index": 0, "delta": {"content": "a", "annotations": [{"type": "x"}]}, "finish_reason": None, "token_ids": None}]}],
    "obfuscation": [{**chunk("a"), "obfuscation": "abc"}],
    "role null": [{**chunk("a"), "choices": [{"index": 0, "delta": {"role": None, "content": "a"}, "finish_reason": None}]}],
}  # fmt: skip


@pytest.mark.parametrize("events", DELTAS.values(), ids=DELTAS)
async def test_a_stream_comes_back_byte_for_byte(gw, shared_up, events):
    choices = {c["index"] for e in events for c in e["choices"]}
    events = [*events, *(finish(index=i) for i in sorted(choices))]
    shared_up.script(Answer.stream(*events))
    answer = await gw.chat(stream=True, n=len(choices))
    assert answer.content == b"".join(map(sse, [*events, b"[DONE]"]))
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("written", ['"role":"",', '"role": "", ', '"role" : "",'])
async def test_an_empty_role_is_left_out(gw, shared_up, written):
    """Strict clients refuse it; a first and a lone one are tried too."""
    raw = dump(chunk("a")).replace(b'{"content"', b'{%b"content"' % written.encode())
    last = dump(chunk("a")).replace(b'"content":"a"}', b'"content":"a",%b}' % written.strip(", ").encode())
    lone = dump(chunk("a")).replace(b'"content":"a"', written.strip(", ").encode())
    assert all(b'""' in data for data in (raw, last, lone))
    shared_up.script(Answer.stream(sse(raw), sse(last), sse(lone), sse(dump(chunk('say "role":""'))), finish()))
    answer = await gw.chat(stream=True)
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas == [{"content": "a"}, {"content": "a"}, {}, {"content": 'say "role":""'}, {}]


EMBEDDINGS = {
    "text": {"input": "a"},
    "texts": {"input": ["a", "b"]},
    "tokens": {"input": [1, 2, 3]},
    "lists of tokens": {"input": [[1], [2, 3]]},
    "dimensions": {"input": "a", "dimensions": 256},
    "base64": {"input": "a", "encoding_format": "base64"},
    "float": {"input": "a", "encoding_format": "float"},
    "user": {"input": "a", "user": "u"},
    "own": {"input": "a", "input_type": "query", "truncate": "END"},
}


@pytest.mark.parametrize("body", EMBEDDINGS.values(), ids=EMBEDDINGS)
async def test_embeddings_travel_both_ways(gw, shared_up, body):
    answer = await gw.http.post("/v1/embeddings", json={"model": "embed", **body})
    assert answer.status_code == 200, answer.text
    assert shared_up.requests[0].json == {"model": "embed", **body}
    vector = answer.json()["data"][0]["embedding"]
    assert isinstance(vector, str) is (body.get("encoding_format") == "base64")
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("wanted", [True, False, None])
@pytest.mark.parametrize("place", ["own event", "last text", "every event", "none"])
async def test_usage_comes_once_at_the_end_and_only_when_asked(gw, shared_up, wanted, place):
    tokens = usage()["usage"]
    events = [chunk("a"), chunk("b"), finish()]
    if place == "own event":
        events = [*events, usage()]
    elif place == "last text":
        events[-1] = {**events[-1], "usage": tokens}
    elif place == "every event":
        events = [*({**e, "usage": tokens} for e in events), usage()]
    shared_up.script(Answer.stream(*events))
    options = {} if wanted is None else {"stream_options": {"include_usage": wanted}}
    answer = await gw.chat(stream=True, **options)
    told = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
    with_usage = [event for event in told if event.get("usage")]
    if not wanted:
        assert not with_usage
        return
    assert with_usage == [told[-1]]
    assert told[-1]["choices"] == []
    assert told[-1]["id"] == told[0]["id"]
    assert told[-1]["usage"]["total_tokens"] > 0
