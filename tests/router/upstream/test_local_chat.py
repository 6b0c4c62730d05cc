import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.upstream.local_chat import Answer, Refused, engine_request, refusal_of, refusal_of_words

HELLO = [{"role": "user", "content": "hello"}]


def ask(**fields: Any) -> dict[str, Any]:
    body = json.dumps({"messages": HELLO, **fields}).encode()
    return engine_request(body, tools=False, prompt_cache=False)


def texts(request: dict[str, Any]) -> list[str]:
    return [message["content"] for message in request["messages"]]


def test_the_engine_is_always_asked_for_a_stream_with_usage_and_progress() -> None:
    asked = ask(stream=False)
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True}
    assert asked["return_progress"] is True
    assert asked["cache_prompt"] is False


@pytest.mark.parametrize(
    ("sent", "field", "value"),
    [
        ({"temperature": 0.5}, "temperature", 0.5),
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"max_completion_tokens": 5, "max_tokens": 7}, "max_tokens", 5),
        ({"stop": ["a"]}, "stop", ["a"]),
        ({"seed": 2**70 + 3}, "seed", 3),
        ({"seed": -1}, "seed", 2**32 - 1),
        ({"logprobs": True}, "top_logprobs", 1),
        ({"logprobs": True, "top_logprobs": 4}, "top_logprobs", 4),
        ({"response_format": {"type": "json_object"}}, "response_format", {"type": "json_object"}),
        ({"temperature": None}, "temperature", None),
        (
            {"user": "u", "metadata": {}, "id_slot": 3, "lora": [], "grammar": "x", "service_tier": "flex"},
            "lora",
            None,
        ),
    ],
)
def test_what_the_engine_is_asked(sent: dict[str, Any], field: str, value: object) -> None:
    assert ask(**sent).get(field) == value


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab"),
        ({"role": "assistant", "content": None, "tool_calls": []}, ""),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"role": "developer", "content": "be brief"}, "be brief"),
    ],
)
def test_a_message_becomes_one_text(message: dict[str, Any], text: str) -> None:
    assert texts(ask(messages=[message])) == [text]


def test_a_developer_speaks_as_the_system() -> None:
    assert ask(messages=[{"role": "developer", "content": "x"}])["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}]}, "messages.0.content.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages.0.content.0",
        ),
        ({"messages": [*HELLO, {"role": "user", "content": "\ud800"}]}, "messages.1.content"),
        ({"n": 2}, "n"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
    ],
)
def test_what_cannot_be_answered_names_its_field(sent: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        ask(**sent)
    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"3"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="JSON"):
        engine_request(body, tools=False, prompt_cache=False)


def test_tools_that_must_not_be_called_are_left_out() -> None:
    body = json.dumps({"messages": HELLO, "tools": [{"type": "function"}], "tool_choice": "none"}).encode()
    assert "tools" not in engine_request(body, tools=False, prompt_cache=False)


def test_a_model_that_knows_tools_gets_them() -> None:
    body = json.dumps({"messages": HELLO, "tools": [{"type": "function"}], "tool_choice": "auto"}).encode()
    assert engine_request(body, tools=True, prompt_cache=False)["tool_choice"] == "auto"


CONTROL = [
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<｜User｜>",
]


@given(st.lists(st.sampled_from([*CONTROL, "<", "|", "text", "\u200b", " "]), max_size=8).map("".join))
def test_no_control_word_reaches_the_template_and_no_text_is_lost(text: str) -> None:
    [passed] = texts(ask(messages=[{"role": "user", "content": text}]))
    assert not any(word in passed for word in CONTROL)
    assert passed.replace("\u200b", "") == text.replace("\u200b", "")


@pytest.mark.parametrize("text", ["a < b | c > d", "<s>struck</s>", "<div>", "x[0]", "if a <|b", "한국어 <b>"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert texts(ask(messages=[{"role": "user", "content": text}])) == [text]


def test_an_overflow_is_told_in_openais_words() -> None:
    event = {"error": {"type": "exceed_context_size_error", "code": 400, "n_ctx": 10, "n_prompt_tokens": 20}}
    refused = refusal_of(event)
    assert (refused.status, refused.code, refused.param) == (400, "context_length_exceeded", "messages")
    assert "10" in refused.message


@pytest.mark.parametrize(
    ("words", "status", "param", "out_status"),
    [
        ("Field 'temperature': type must be number", 400, "temperature", 400),
        ("JSON schema error at #: unrecognized type", 400, "response_format", 400),
        ("Failed to parse messages: [secret prompt]", 400, None, 400),
        ("boom: secret prompt", 500, None, 502),
    ],
)
def test_the_engines_words_are_never_passed_on(words: str, status: int, param: str | None, out_status: int) -> None:
    refused = refusal_of_words(words, status)
    assert (refused.param, refused.status) == (param, out_status)
    assert "secret" not in refused.message


# --- answers ---------------------------------------------------------------------------------------


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, **more.pop("choice", {})}]
    return {"id": "c1", "created": 1, "model": "/secret/path.gguf", "choices": choices, **more}


def run(events: list[dict[str, Any]], top_logprobs: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = Answer("m", "fp", top_logprobs)
    chunks = [chunk for one in events for chunk in answer.chunks(one)]
    for chunk in chunks:
        answer.add(chunk)
    return chunks, answer.whole()


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@given(st.lists(st.text(), max_size=6))
def test_the_whole_answer_is_the_sum_of_its_chunks(parts: list[str]) -> None:
    events = [
        event({"role": "assistant", "content": None}, prompt_progress={"total": 3}),
        event({"role": "assistant", "content": None}),
        *(event({"content": part}) for part in parts),
        event({}, "stop"),
        event(usage=USAGE, timings={}),
    ]
    chunks, whole = run(events)
    assert whole["choices"][0]["message"]["content"] == "".join(parts)
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == chunks[-1]["usage"] == USAGE
    assert (whole["model"], whole["id"], whole["object"]) == ("m", "c1", "chat.completion")
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_the_first_chunk_brings_the_role_even_when_the_engine_forgot_it() -> None:
    chunks, _ = run([event({"content": "x"})])
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "x"},
    ]


def test_reading_the_prompt_is_no_chunk() -> None:
    assert run([event({"role": "assistant"}, prompt_progress={"processed": 1})])[0] == []


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_logprobs_hold_openais_fields_and_as_many_alternatives_as_asked(wanted: int) -> None:
    token = {"id": 5, "token": "a", "bytes": [97], "logprob": -0.5}
    content = [{**token, "top_logprobs": [token, token, token]}]
    _, whole = run([event({"content": "a"}, choice={"logprobs": {"content": content}})], wanted)
    [given_back] = whole["choices"][0]["logprobs"]["content"]
    bare = {"token": "a", "bytes": [97], "logprob": -0.5}
    assert given_back == {**bare, "top_logprobs": [bare] * wanted}


def test_tool_calls_are_put_together_from_their_pieces() -> None:
    pieces = [
        {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    _, whole = run([*(event({"tool_calls": [piece]}) for piece in pieces), event({}, "tool_calls")])
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message["tool_calls"]] == [
        ("t1", "f", '{"a":1}'),
        ("t2", "g", "{}"),
    ]
