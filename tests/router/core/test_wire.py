"""The wire: what we read, what we refuse, and that only the edited spans change."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.wire import (
    Edit,
    check_json,
    choice_sites,
    delta_sites,
    read_answer,
    read_chat,
    read_choice,
    read_chunk,
    read_usage,
    span,
    splice,
)
from router.errors import BadJSON, BadRequest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
reserved = {"model", "messages", "stream", "stream_options", "tools", "functions", "max_tokens", "n",
            "max_completion_tokens"}  # fmt: skip
extras = st.dictionaries(st.text(max_size=6).filter(lambda k: k not in reserved), json_values, max_size=4)
spaces = st.sampled_from(["", " ", "\n  ", "\t"])


@st.composite
def bodies(draw):
    """A chat body written out by hand, with odd spacing and escapes, and its parts."""
    model, texts_, gap = draw(texts), draw(st.lists(texts, min_size=1, max_size=4)), draw(spaces)
    ascii_only = draw(st.booleans())
    messages = [{"role": draw(st.sampled_from(["user", "system", "assistant"])), "content": t} for t in texts_]
    fields = {**draw(extras), "model": model, "messages": messages}
    if draw(st.booleans()):
        fields["stream"] = True
    order = draw(st.permutations(list(fields)))
    body = "{" + ",".join(
        f"{gap}{json.dumps(k)}{gap}:{gap}{json.dumps(fields[k], ensure_ascii=ascii_only)}{gap}" for k in order
    ) + "}"  # fmt: skip
    return body.encode("utf-8", "surrogatepass"), fields


@given(bodies())
@settings(max_examples=300)
def test_forwarding_changes_the_model_and_nothing_else(case):
    body, fields = case
    request = read_chat(body)
    out = request.forward("other-model")
    raw = request._head.model
    start, end = span(body, raw)
    head, tail = body[:start], body[end:]
    if request.stream:
        insert = b'"stream_options":{"include_usage":true},'
        assert out == splice(body, [Edit(1, 1, insert), Edit(start, end, b'"other-model"')])
        assert json.loads(out)["stream_options"] == {"include_usage": True}
    else:
        assert out == head + b'"other-model"' + tail


@given(bodies())
@settings(max_examples=200)
def test_the_texts_read_are_the_texts_sent(case):
    body, fields = case
    assert [s.text for s in read_chat(body).sites] == [m["content"] for m in fields["messages"]]


@given(bodies(), texts)
@settings(max_examples=200)
def test_a_mask_replaces_its_own_text_only(case, mask):
    body, fields = case
    request = read_chat(body)
    site = request.sites[-1]
    out = json.loads(request.forward("m", [(site, mask)]))
    expected = {**fields, "model": "m"}
    expected["messages"] = [dict(m) for m in fields["messages"]]
    expected["messages"][-1]["content"] = mask
    out.pop("stream_options", None)
    assert out == expected


def test_numbers_spacing_and_key_order_travel_untouched():
    body = b'{ "seed": 123456789012345678901234567890, "temperature": 1.0,\n "model":"auto", "messages":[{"role":"user","content":"\\u00e9"}], "top_p":1e0}'
    assert read_chat(body).forward("auto") == body


@pytest.mark.parametrize(
    ("options", "after"),
    [
        (b"null", {"include_usage": True}),
        (b"{}", {"include_usage": True}),
        (b'{"include_usage":false,"include_obfuscation":false}', {"include_usage": True, "include_obfuscation": False}),
    ],
)
def test_usage_is_asked_for_in_whatever_options_there_are(options, after):
    body = b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":' + options + b"}"
    request = read_chat(body)
    assert not request.include_usage
    assert json.loads(request.forward("b"))["stream_options"] == after


def test_usage_asked_by_the_caller_is_left_as_written():
    body = b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage" : true}}'
    request = read_chat(body)
    assert request.include_usage
    assert request.forward("a") == body


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        (b"", BadJSON, None),
        (b"[]", BadJSON, None),
        (b"null", BadJSON, None),
        (b'"text"', BadJSON, None),
        (b"{", BadJSON, None),
        (b"\xff{}", BadJSON, None),
        (b"\xef\xbb\xbf{}", BadJSON, None),
        (b'{"model":"a","model":"b","messages":[{"role":"user","content":"x"}]}', BadJSON, None),
        (b'{"model":"a","messages":[{"role":"user","content":"x","content":"y"}]}', BadJSON, None),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"t":NaN}', BadJSON, None),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"t":-Infinity}', BadJSON, None),
        (b'{"model":"a","messages":[{"role":"user","content":"\\ud800"}]}', BadJSON, None),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", BadJSON, None),
        (b"{}", BadRequest, "model"),
        (b'{"messages":[{"role":"user","content":"x"}]}', BadRequest, "model"),
        (b'{"model":5,"messages":[{"role":"user","content":"x"}]}', BadRequest, "model"),
        (b'{"model":null,"messages":[{"role":"user","content":"x"}]}', BadRequest, "model"),
        (b'{"model":"a"}', BadRequest, "messages"),
        (b'{"model":"a","messages":{}}', BadRequest, "messages"),
        (b'{"model":"a","messages":[]}', BadRequest, "messages"),
        (b'{"model":"a","messages":["x"]}', BadRequest, "messages[0]"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"},{"content":"x"}]}', BadRequest, "messages[1].role"),
        (b'{"model":"a","messages":[{"role":"user","content":5}]}', BadRequest, "messages[0].content"),
        (b'{"model":"a","messages":[{"role":"user","content":[5]}]}', BadRequest, "messages[0].content[0]"),
        (b'{"model":"a","messages":[{"role":"user","content":[{"type":"text","text":5}]}]}', BadRequest, "messages[0].content[0].text"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream":1}', BadRequest, "stream"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"max_tokens":"9"}', BadRequest, "max_tokens"),
        (b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream_options":[]}', BadRequest, "stream_options"),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else str(value),
)  # fmt: skip
def test_a_bad_body_is_refused_and_the_field_is_named(body, error, param):
    with pytest.raises(error) as caught:
        read_chat(body)
    assert caught.value.param == param
    assert caught.value.status == 400


@given(json_values)
def test_check_json_accepts_what_json_accepts(value):
    check_json(json.dumps({"x": value}).encode())


@pytest.mark.parametrize(
    ("messages", "ask"),
    [
        ([("user", "a")], "a"),
        ([("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c")], "c"),
        ([("user", "a"), ("assistant", "b")], "a"),
        ([("system", "s")], ""),
        ([("user", "a"), ("tool", "t")], "a"),
    ],
)
def test_the_ask_is_the_last_thing_the_user_said(messages, ask):
    body = json.dumps({"model": "m", "messages": [{"role": r, "content": c} for r, c in messages]}).encode()
    assert read_chat(body).ask() == ask


def test_parts_tools_and_refusals_are_read_as_texts():
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "one"}, {"type": "refusal", "refusal": "two"}],
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"three"}'}}],
        "reasoning_content": "four",
    }
    image = {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "five"}],
    }
    request = read_chat(json.dumps({"model": "m", "messages": [message, image]}).encode())
    assert {s.path: s.text for s in request.sites} == {
        "messages[0].content[0].text": "one",
        "messages[0].content[1].refusal": "two",
        "messages[0].reasoning_content": "four",
        "messages[0].tool_calls[0].function.arguments": '{"a":"three"}',
        "messages[1].content[1].text": "five",
    }
    assert request.images
    assert not request.tools


def test_splice_refuses_edits_that_overlap():
    with pytest.raises(ValueError, match="overlap"):
        splice(b"abcdef", [Edit(0, 3, b"x"), Edit(2, 4, b"y")])


def test_span_refuses_a_value_of_another_buffer():
    request = read_chat(b'{"model":"a","messages":[{"role":"user","content":"x"}]}')
    with pytest.raises(ValueError, match="this buffer"):
        span(bytes(40), request._head.model)


def test_every_text_of_an_answer_is_seen():
    body = json.dumps({"choices": [{"index": 0, "message": {
        "role": "assistant", "content": "a", "refusal": "b", "reasoning_content": "c", "reasoning": "d",
        "tool_calls": [{"function": {"name": "f", "arguments": "e"}}], "function_call": {"name": "g", "arguments": "h"},
    }}]}).encode()  # fmt: skip
    [raw] = read_answer(body).choices
    assert {s.path: s.text for s in choice_sites(read_choice(raw))} == {
        "content": "a", "refusal": "b", "reasoning_content": "c", "reasoning": "d", "tool_calls[0]": "e", "function_call": "h",
    }  # fmt: skip


def test_every_text_of_an_event_is_seen():
    data = json.dumps({"choices": [{"index": 1, "delta": {
        "content": "a", "refusal": "b", "reasoning_content": "c",
        "tool_calls": [{"index": 2, "function": {"arguments": "e"}}], "function_call": {"arguments": "h"},
    }}]}).encode()  # fmt: skip
    chunk = read_chunk(data)
    assert [(s.path, s.text) for s in delta_sites(chunk.choices[0])] == [
        ("content", "a"), ("refusal", "b"), ("reasoning_content", "c"), ("tool_calls[2]", "e"), ("function_call", "h"),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"hello", b"[]", b"{}", b'{"object":"x"}', b'{"choices":5}'])
def test_what_is_not_a_chunk_is_refused(data):
    with pytest.raises(ValueError, match="not a chat completion chunk"):
        read_chunk(data)


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]},
    {"type": "text", "text": "b"},
    "c",
    {"type": "image_url", "image_url": {"url": "d"}},
    7,
]
SAID = [("content[].thinking[].text", "a"), ("content[].text", "b"), ("content[]", "c")]


def test_content_in_parts_is_seen_in_answers_and_events():
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": PARTS}}]}
    [raw] = read_answer(json.dumps(body).encode()).choices
    assert [(s.path, s.text) for s in choice_sites(read_choice(raw))] == SAID
    event = read_chunk(json.dumps({"choices": [{"index": 0, "delta": {"content": PARTS}}]}).encode())
    assert [(s.path, s.text) for s in delta_sites(event.choices[0])] == SAID


def test_other_servers_names_for_thoughts_and_calls_are_seen():
    message = {
        "thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": "x"}],
        "reasoning_details": [{"type": "reasoning.summary", "summary": "b"}, {"type": "reasoning.text", "text": "c"}],
        "tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "n", "input": "d"}}],
    }
    [raw] = read_answer(json.dumps({"choices": [{"index": 0, "message": message}]}).encode()).choices
    event = read_chunk(json.dumps({"choices": [{"index": 0, "delta": message}]}).encode())
    for sites in (choice_sites(read_choice(raw)), delta_sites(event.choices[0])):
        assert "".join(s.text for s in sites) == "abcd"
    asked = {"model": "m", "messages": [{"role": "assistant", "content": PARTS[:2], "reasoning": "e", **message}]}
    assert sorted(s.text for s in read_chat(json.dumps(asked).encode()).sites) == ["a", "a", "b", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "message",
    ['{"tool_calls":[1]}', '{"tool_calls":"x"}', '{"function_call":"x"}', '{"tool_calls":[{"function":3}]}', "null"],
)
def test_what_is_not_a_choice_is_refused(message):
    [raw] = read_answer(b'{"choices":[{"index":0,"message":%b}]}' % message.encode()).choices
    with pytest.raises(ValueError, match="not a choice"):
        read_choice(raw)


def test_nulls_that_servers_send_in_events_are_read_over():
    delta = {
        "tool_calls": [{"index": 1, "function": {"name": None, "arguments": "x"}}, {"index": None, "function": None}]
    }
    for choice in ({"index": 0, "delta": delta}, {"index": 0, "delta": None}):
        read_chunk(json.dumps({"choices": [choice]}).encode())
    event = read_chunk(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode())
    assert [(s.path, s.text) for s in delta_sites(event.choices[0])] == [("tool_calls[1]", "x")]


@pytest.mark.parametrize(
    "usage", ["[]", "{}", '{"prompt_tokens":1}', '{"prompt_tokens":-1,"completion_tokens":1}', '{"prompt_tokens":"1","completion_tokens":1}',
              '{"prompt_tokens":1e30,"completion_tokens":1}', '{"prompt_tokens":99999999999999999999,"completion_tokens":1}', "null"]
)  # fmt: skip
def test_a_usage_that_counts_nothing_is_no_usage(usage):
    answer = read_answer(b'{"choices":[],"usage":%b}' % usage.encode())
    assert read_usage(answer.usage) is None


def test_tool_calls_that_are_no_list_are_refused():
    with pytest.raises(BadRequest) as caught:
        read_chat(b'{"model":"m","messages":[{"role":"assistant","tool_calls":"text that no guard would read"}]}')
    assert caught.value.param == "messages[0].tool_calls"


@pytest.mark.parametrize("n", [-1, 0, "null"])
def test_there_is_always_a_choice(n):
    assert read_chat(f'{{"model":"m","n":{n},"messages":[{{"role":"user","content":"x"}}]}}'.encode()).n == 1
