"""Messages requests as chat, and what of them is left for servers that speak chat alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.messages.from_chat import messages_request
from router.core.messages.plain import plain_chat
from router.core.messages.to_chat import read_messages
from router.core.wire import read_chat
from router.errors import BadRequest, UnsupportedParameter, UpstreamRejected

HI = [{"role": "user", "content": "hi"}]
EPHEMERAL = {"type": "ephemeral"}


def asked(**more):
    return read_messages(json.dumps({"model": "m", "max_tokens": 9, "messages": HI, **more}).encode())


def chat(**more):
    return json.loads(asked(**more).chat)


def plain(reasons=False, **more):
    body, dropped = plain_chat(asked(**more).chat, reasons=reasons)
    return json.loads(body), dropped


def test_a_plain_request_needs_no_extras():
    got = asked(
        system="Be brief.", stream=True, temperature=0.5, top_p=0.9, stop_sequences=["END"], metadata={"user_id": "u"}
    )
    assert not got.rich
    assert got.dropped == ()
    assert json.loads(got.chat) == {
        "model": "m", "max_completion_tokens": 9, "stop": ["END"], "stream": True,
        "stream_options": {"include_usage": True}, "temperature": 0.5, "top_p": 0.9, "user": "u",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    }  # fmt: skip


def test_a_turn_with_results_becomes_tool_messages_and_what_the_user_says():
    turns = [
        {"role": "assistant", "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"big": 12345678901234567890123, "one": 1.0}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "4"}]},
            {"type": "text", "text": "so?"},
        ]},
    ]  # fmt: skip
    got = chat(messages=[*HI, *turns])["messages"]
    assert got[1]["content"] == "I look."
    assert got[1]["tool_calls"][0]["function"]["arguments"] == '{"big": 12345678901234567890123, "one": 1.0}'
    assert got[2:] == [{"role": "tool", "tool_call_id": "a", "content": "4"}, {"role": "user", "content": "so?"}]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
    ],
)
def test_tool_choices_have_their_words_in_chat_and_back(choice, wanted):
    got = chat(tools=[{"name": "f", "input_schema": {"type": "object"}}], tool_choice=choice)
    assert {key: got[key] for key in wanted} == wanted
    assert json.loads(messages_request(json.dumps(got).encode()).body)["tool_choice"] == choice


def test_structured_outputs_travel_under_either_name():
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    for more in ({"output_config": {"format": wanted}}, {"output_format": wanted}):
        got = chat(**more)
        assert got["response_format"]["json_schema"]["schema"] == {"type": "object"}
        back = json.loads(messages_request(json.dumps(got).encode()).body)
        assert back["output_config"] == {"format": wanted}


@pytest.mark.parametrize(
    ("more", "dropped"),
    [
        ({"system": [{"type": "text", "text": "s", "cache_control": EPHEMERAL}]}, ("cache_control",)),
        ({"top_k": 5}, ("top_k",)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, ("thinking",)),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, ("tools.bash_20250124",)),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, ("tools.defer_loading",)),
        ({"service_tier": "auto"}, ("service_tier",)),
    ],
)
def test_what_chat_cannot_say_is_dropped_and_named(more, dropped):
    body, told = plain(**more)
    assert told == dropped
    assert "anthropic" not in json.dumps(body)
    assert "cache_control" not in json.dumps(body)


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (8000, "medium"), (32000, "high")])
def test_a_budget_becomes_an_effort_where_the_model_knows_it(budget, effort):
    body, dropped = plain(reasons=True, thinking={"type": "enabled", "budget_tokens": budget})
    assert body["reasoning_effort"] == effort
    assert dropped == ()


def test_a_document_becomes_text_and_a_picture_in_a_result_moves_on():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    document = {
        "type": "document",
        "title": "T",
        "source": {"type": "text", "media_type": "text/plain", "data": "body"},
    }
    result = {"type": "tool_result", "tool_use_id": "a", "content": [picture], "is_error": True}
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    body, dropped = plain(messages=[
        {"role": "user", "content": [document]}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]},
    ])  # fmt: skip
    assert body["messages"][0]["content"] == "T\n\nbody"
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": "See the next message."}
    assert body["messages"][3]["content"][0]["image_url"]["url"] == "data:image/png;base64,AA=="
    assert dropped == ("tool_result.is_error",)


def test_a_pdf_is_a_file_in_chat_and_a_document_again_in_messages():
    pdf = {
        "type": "document",
        "title": "T",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
    }
    turn = [{"role": "user", "content": [pdf]}]
    assert plain(messages=turn)[0]["messages"][0]["content"][0]["file"] == {
        "filename": "T", "file_data": "data:application/pdf;base64,AA==",
    }  # fmt: skip
    assert json.loads(messages_request(asked(messages=turn).chat).body)["messages"][0]["content"] == [pdf]


def test_a_document_by_its_address_is_not_lost_silently():
    document = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    turn = [{"role": "user", "content": [document]}]
    with pytest.raises(UnsupportedParameter):
        plain(messages=turn)
    assert json.loads(messages_request(asked(messages=turn).chat).body)["messages"][0]["content"] == [document]


def test_what_messages_alone_knows_comes_back_as_it_was():
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": EPHEMERAL}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "cache_control": EPHEMERAL},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": True, "cache_control": EPHEMERAL},
            {"type": "document", "title": "T", "context": "C", "citations": {"enabled": True},
             "source": {"type": "text", "media_type": "text/plain", "data": "D"}},
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
        ]},
    ]  # fmt: skip
    body = {
        "model": "m", "max_tokens": 9000, "system": [{"type": "text", "text": "s", "cache_control": EPHEMERAL}],
        "messages": turns, "top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 2000}, "service_tier": "auto",
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}, "cache_control": EPHEMERAL, "eager_input_streaming": True},
            {"type": "bash_20250124", "name": "bash"},
        ],
    }  # fmt: skip
    got = read_messages(json.dumps(body).encode(), ["beta-1"])
    back = messages_request(got.chat)
    assert json.loads(back.body) == body
    assert back.betas == ("beta-1",)
    assert got.dropped == ()


def test_thinking_that_was_changed_since_it_was_signed_does_not_travel():
    turn = {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "the key is k", "signature": "sig"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]}  # fmt: skip
    body = asked(max_tokens=9000, messages=[*HI, turn], thinking={"type": "enabled", "budget_tokens": 2000}).chat
    sent = json.loads(messages_request(body.replace(b"the key is k", b"the key is [K_1]")).body)
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["tool_use"]
    assert "thinking" not in sent, "a loop of tools without its thinking would be refused as a whole"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "texd"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"system": 5}, "system"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "most"}}, "tool_choice.type"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"metadata": []}, "metadata"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
         "messages[0].content[0].source"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "file:///x"}}]}]},
         "messages[0].content[0].source.url"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_path(more, param):
    with pytest.raises(BadRequest) as caught:
        asked(**more)
    assert caught.value.param == param


def test_what_no_guard_reads_travels_nowhere():
    got = asked(
        tools=[
            {"type": "web_search_20250305", "name": "web_search"},
            {"name": "f", "input_schema": {"type": "object"}, "input_examples": [{"x": "prose"}]},
        ],
        context_management={"edits": [{"instructions": "prose"}]},
        messages=[{"role": "assistant", "content": [{"type": "server_tool_use", "id": "a", "name": "f", "input": {}}]}],
    )
    assert got.dropped == (
        "content.server_tool_use", "tools.web_search_20250305", "tools.input_examples", "context_management",
    )  # fmt: skip
    assert b"prose" not in got.chat


def test_extras_that_a_caller_of_chat_writes_himself_carry_no_prose():
    smuggled = {
        "model": "m", "messages": HI, "anthropic": {"system": "prose", "top_k": 3, "betas": ["ok", "bad beta"]},
        "tools": [
            {"type": "anthropic", "anthropic": {"type": "bash_20250124", "name": "bash", "description": "prose"}},
            {"type": "function", "function": {"name": "f"}, "anthropic": {"description": "prose", "defer_loading": True}},
        ],
    }  # fmt: skip
    sent = messages_request(json.dumps(smuggled).encode())
    assert b"prose" not in sent.body
    assert json.loads(sent.body)["top_k"] == 3
    assert sent.betas == ("ok",)
    smuggled["tools"] = [{"type": "anthropic", "anthropic": {"type": "custom", "name": "x", "description": "prose"}}]
    with pytest.raises(UpstreamRejected):
        messages_request(json.dumps(smuggled).encode())


# --- laws

LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
FLAT = LEAF | st.lists(LEAF, max_size=3) | st.dictionaries(st.text(max_size=5), LEAF, max_size=3)
JSON = FLAT | st.lists(FLAT, max_size=3) | st.dictionaries(st.text(max_size=5), FLAT, max_size=3)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SPOKEN = WORDS.filter(str.strip)
KINDS = ["text", "image", "document", "tool_use", "tool_result", "thinking", "search_result", "server_tool_use"]
ANY_BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional=dict.fromkeys(("text", "source", "id", "name", "input", "tool_use_id", "content", "title", "cache_control"), JSON),
)  # fmt: skip
ANY_BODY = st.fixed_dictionaries(
    {
        "model": st.just("m"), "max_tokens": st.just(1) | JSON,
        "messages": st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(ANY_BLOCK, max_size=3) | JSON}), max_size=3) | JSON,
    },
    optional=dict.fromkeys(("system", "tools", "tool_choice", "thinking", "metadata", "top_k", "output_config", "stop_sequences", "stream", "temperature"), JSON),
)  # fmt: skip


@given(
    st.fixed_dictionaries(
        {"model": st.just("m"), "messages": st.lists(st.dictionaries(st.sampled_from(["content", "tool_calls", "thinking_blocks"]), JSON).map(lambda m: {"role": "user", **m}), min_size=1, max_size=2)},
        optional=dict.fromkeys(("tools", "tool_choice", "anthropic", "response_format", "stop", "n", "reasoning_effort", "functions", "max_tokens"), JSON),
    )
)  # fmt: skip
def test_any_chat_is_said_in_messages_or_refused(body):
    try:
        sent = messages_request(json.dumps(body).encode())
    except UpstreamRejected as refused:
        assert refused.status == 400
        return
    assert json.loads(sent.body)["model"] == "m"


@given(ANY_BODY)
def test_any_json_is_read_or_refused_by_name(body):
    try:
        got = read_messages(json.dumps(body).encode())
    except BadRequest as refused:
        assert refused.param is not None
        return
    read_chat(got.chat)
    try:
        plain_chat(got.chat, reasons=False)
        messages_request(got.chat)
    except (BadRequest, UpstreamRejected):
        return


TEXT = st.builds(lambda text: {"type": "text", "text": text}, SPOKEN)
RESULT = st.builds(
    lambda name, text: {"type": "tool_result", "tool_use_id": name, "content": text}, st.sampled_from("abc"), SPOKEN
)
CALL = st.builds(
    lambda name, value: {"type": "tool_use", "id": name, "name": "f", "input": {"x": value}},
    st.sampled_from("abc"),
    WORDS,
)
DOCUMENT = st.builds(
    lambda text, title: {"type": "document", **({"title": title} if title else {}), "source": {"type": "text", "media_type": "text/plain", "data": text}},
    SPOKEN, st.none() | SPOKEN,
)  # fmt: skip
USER = st.builds(
    lambda results, rest: {"role": "user", "content": [*results, *rest]},
    st.lists(RESULT, max_size=2),
    st.lists(TEXT | DOCUMENT, min_size=1, max_size=3),
)
ASSISTANT = st.builds(
    lambda texts, calls: {"role": "assistant", "content": [*texts, *calls]},
    st.lists(TEXT, min_size=1, max_size=2),
    st.lists(CALL, max_size=2),
)


def blocks_of(turns):
    return [
        (turn["role"], block)
        for turn in turns
        for block in (
            [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
        )
    ]


@given(st.lists(st.tuples(USER, ASSISTANT), min_size=1, max_size=3), st.none() | SPOKEN)
def test_a_conversation_comes_through_chat_to_another_messages_server_whole(pairs, system):
    turns = [turn for pair in pairs for turn in pair]
    body = {"model": "m", "max_tokens": 9, "messages": turns, **({"system": system} if system else {})}
    back = json.loads(messages_request(read_messages(json.dumps(body).encode()).chat).body)
    assert blocks_of(back["messages"]) == blocks_of(turns)
    assert back.get("system") == system


@given(st.lists(st.tuples(USER, ASSISTANT), min_size=1, max_size=2))
def test_guards_read_every_text_that_travels(pairs):
    turns = [turn for pair in pairs for turn in pair]
    sites = read_chat(read_messages(json.dumps({"model": "m", "max_tokens": 9, "messages": turns}).encode()).chat).sites
    seen = "\n".join(site.text for site in sites)
    for _, block in blocks_of(turns):
        texts = [block.get("text"), block.get("title"), block.get("content"), (block.get("source") or {}).get("data")]
        assert all(text in seen for text in texts if text)
        if "input" in block:
            assert json.dumps(block["input"]) in seen
