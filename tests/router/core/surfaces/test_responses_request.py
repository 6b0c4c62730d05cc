"""A request of Responses becomes the chat request that means the same, or is refused by the field at fault."""

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.surfaces.carried import MARK, without
from router.core.surfaces.responses import Responses
from router.core.surfaces.toward_responses import in_responses
from router.core.wire import read_chat
from router.errors import BadRequest, NotFound, StillhouseError, UnsupportedParameter


class Shelf:
    """Nothing is kept, unless a test says so."""

    def __init__(self, **kept):
        self.kept = kept

    def before(self, response_id):
        if response_id not in self.kept:
            raise NotFound("not kept", param="previous_response_id")
        return self.kept[response_id]

    item = before

    def keep(self, kept):
        self.kept[kept.id] = kept


def surface(shelf=None, **fields):
    body = json.dumps({"model": "auto", "input": "hi", **fields}).encode()
    return Responses(body, "ab12", 1_790_000_000, shelf or Shelf())


def chat_of(**fields):
    return json.loads(surface(**fields).chat)


def messages_of(*items, **fields):
    return chat_of(input=list(items), **fields)["messages"]


def call(call_id="c1", name="f", arguments="{}", **more):
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}


def result(output, call_id="c1"):
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def said(role, text):
    return {"type": "message", "role": role, "content": text}


def test_a_string_is_a_message_of_the_user():
    assert chat_of() == {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def test_instructions_and_what_developers_say_first_are_one_system_message():
    told = messages_of(said("developer", "a"), said("system", "b"), said("user", "hi"), instructions="be kind")
    assert told == [{"role": "system", "content": "be kind\n\na\n\nb"}, {"role": "user", "content": "hi"}]


def test_a_developer_who_speaks_later_keeps_his_place():
    told = messages_of(said("user", "hi"), said("developer", "now in French"))
    assert [m["role"] for m in told] == ["user", "system"]


def test_thoughts_words_and_calls_of_one_turn_are_one_message():
    told = messages_of(
        said("user", "hi"),
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        said("assistant", [{"type": "output_text", "text": "one moment"}]),
        call("c1"), call("c2", "g", '{"a": 1}'), result("one", "c1"), result("two", "c2"),
    )  # fmt: skip
    assert told[1] == {
        "role": "assistant",
        "content": "one moment",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"a": 1}'}},
        ],
    }
    assert told[2:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]


def test_results_follow_their_calls_whatever_stands_between():
    told = messages_of(said("user", "hi"), call("c1"), said("user", "hurry"), result("done", "c1"))
    assert [m["role"] for m in told] == ["user", "assistant", "tool", "user"]


def test_a_word_between_a_call_and_its_result_joins_the_call():
    told = messages_of(said("user", "hi"), call("c1"), said("assistant", "working"), result("done"))
    assert [m["role"] for m in told] == ["user", "assistant", "tool"]
    assert told[1]["content"] == "working"


def test_a_picture_in_a_result_follows_as_a_message_of_the_user():
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    told = messages_of(said("user", "look"), call(), result([{"type": "input_text", "text": "here"}, picture]))
    assert told[2] == {"role": "tool", "tool_call_id": "c1", "content": "here"}
    url = {"url": "data:image/png;base64,AA==", "detail": "low"}
    assert told[3] == {"role": "user", "content": [{"type": "image_url", "image_url": url}]}


def test_custom_tools_keep_their_kind():
    told = chat_of(
        input=[
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        ],
        tools=[{"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}],
        tool_choice={"type": "custom", "name": "patch"},
    )
    custom = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    assert told["messages"][0]["tool_calls"] == [custom]
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    assert told["tools"] == [{"type": "custom", "custom": {"name": "patch", "format": form}}]
    assert told["tool_choice"] == {"type": "custom", "custom": {"name": "patch"}}


def test_settings_get_their_names_in_chat():
    schema = {"type": "object"}
    told = chat_of(
        max_output_tokens=50, temperature=0.5, top_p=0.9, parallel_tool_calls=False, stream=True, store=False, user="u",
        prompt_cache_key="k", service_tier="auto", metadata={"a": "b"}, top_k=7,
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": True, "description": "d"}],
        tool_choice={"type": "function", "name": "f"}, reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}, "verbosity": "low"},
        include=["message.output_text.logprobs"], top_logprobs=2,
    )  # fmt: skip
    function = {"name": "f", "description": "d", "parameters": schema, "strict": True}
    assert told == {
        "model": "auto", "messages": [{"role": "user", "content": "hi"}], "stream": True,
        "stream_options": {"include_usage": True}, "max_completion_tokens": 50, "temperature": 0.5, "top_p": 0.9,
        "parallel_tool_calls": False, "user": "u", "prompt_cache_key": "k", "service_tier": "auto", "top_k": 7,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "reasoning_effort": "low", "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
        "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip


def test_tools_of_a_namespace_are_offered_under_one_name_and_called_by_two():
    space = {"type": "namespace", "name": "mcp", "tools": [{"type": "function", "name": "f"}]}
    told = chat_of(input=[call(namespace="mcp"), result("x")], tools=[space])
    assert [tool["function"]["name"] for tool in told["tools"]] == ["mcp__f"]
    assert told["messages"][0]["tool_calls"][0]["function"]["name"] == "mcp__f"


def test_names_too_long_for_chat_stay_apart():
    tools = [{"type": "function", "name": "f" * 60 + end} for end in "ab"]
    told = chat_of(tools=[{"type": "namespace", "name": "n" * 20, "tools": tools}])
    names = [tool["function"]["name"] for tool in told["tools"]]
    assert len(set(names)) == 2
    assert all(len(name) <= 64 for name in names)


def test_what_chat_does_not_know_is_named_and_only_an_upstream_of_this_protocol_gets_it():
    asked = surface(
        input=[said("user", "hi"), {"type": "web_search_call", "id": "ws_1", "status": "completed"}, said("user", "go")],
        tools=[{"type": "web_search", "search_context_size": "low"}],
        include=["web_search_call.results"], truncation="auto", client_metadata={"a": "b"}, tool_choice="auto",
    )  # fmt: skip
    assert set(asked.dropped) == {
        "client_metadata", "tools[].web_search", "input[].web_search_call", "include[web_search_call.results]", "truncation",
    }  # fmt: skip
    plain = json.loads(without(asked.chat))
    assert plain == {
        "model": "auto",
        "messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": "go"}],
    }
    back = json.loads(in_responses(asked.chat))
    assert back["tools"] == [{"type": "web_search", "search_context_size": "low"}]
    assert back["input"][1] == {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert (back["include"], back["truncation"]) == (["web_search_call.results"], "auto")
    asked.carried.sent = True
    assert asked.dropped == ["client_metadata"]


def test_sealed_thoughts_go_back_to_who_sealed_them():
    thought = {"type": "reasoning", "id": "rs_ours", "summary": [], "encrypted_content": "stillhouse:rs_theirs:SEAL"}
    asked = surface(input=[said("user", "hi"), thought, call(), result("x")])
    assert "reasoning_details" not in json.dumps(json.loads(without(asked.chat)))
    back = json.loads(in_responses(asked.chat))["input"]
    assert back[1] == {"type": "reasoning", "id": "rs_theirs", "summary": [], "encrypted_content": "SEAL"}


def test_earlier_answers_and_their_items_are_put_in_their_place():
    shelf = Shelf(resp_1=[said("user", "a"), said("assistant", "b")], fc_1=call())
    told = json.loads(surface(shelf, previous_response_id="resp_1").chat)["messages"]
    assert [m["content"] for m in told] == ["a", "b", "hi"]
    told = json.loads(surface(shelf, input=[{"type": "item_reference", "id": "fc_1"}, result("x")]).chat)["messages"]
    assert told[0]["tool_calls"][0]["id"] == "c1"


@pytest.mark.parametrize(
    ("fields", "param", "error"),
    [
        ({"input": None}, "input", BadRequest),
        ({"input": []}, "input", BadRequest),
        ({"input": 5}, "input", BadRequest),
        ({"input": [5]}, "input[0]", BadRequest),
        ({"input": [{"type": "message", "content": "x"}]}, "input[0].role", BadRequest),
        ({"input": [said("wizard", "x")]}, "input[0].role", BadRequest),
        ({"input": [said("user", 5)]}, "input[0].content", BadRequest),
        ({"input": [said("user", [{"type": "hologram"}])]}, "input[0].content[0].type", UnsupportedParameter),
        ({"input": [said("user", [{"type": "input_image", "file_id": "f"}])]}, "input[0].content[0].file_id", BadRequest),
        ({"input": [said("user", [{"type": "input_file", "file_url": "f"}])]}, "input[0].content[0].file_url", BadRequest),
        ({"input": [result("x")]}, "input[0].call_id", BadRequest),
        ({"input": [{"type": "function_call"}]}, "input[0].call_id", BadRequest),
        ({"instructions": 5}, "instructions", BadRequest),
        ({"tools": {}}, "tools", BadRequest),
        ({"tools": [{"type": "function"}]}, "tools[0].name", BadRequest),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice", UnsupportedParameter),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", BadRequest),
        ({"max_output_tokens": "many"}, "max_output_tokens", BadRequest),
        ({"background": True}, "background", UnsupportedParameter),
        ({"conversation": "conv_1"}, "conversation", UnsupportedParameter),
        ({"prompt": {"id": "p"}}, "prompt", UnsupportedParameter),
        ({"messages": []}, "messages", UnsupportedParameter),
        ({"max_tokens": 5}, "max_tokens", UnsupportedParameter),
        ({MARK: {"include": []}}, MARK, UnsupportedParameter),
        ({"previous_response_id": "resp_9"}, "previous_response_id", NotFound),
    ],
)  # fmt: skip
def test_a_field_at_fault_is_named(fields, param, error):
    with pytest.raises(error) as refused:
        surface(**fields)
    assert refused.value.param == param


# --- whatever comes

RICH = {
    "model": "auto",
    "instructions": "be kind",
    "input": [
        said("user", [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "u", "detail": "low"}]),
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "b"}], "encrypted_content": "c"},
        call(namespace="ns"),
        result([{"type": "input_text", "text": "d"}, {"type": "input_file", "file_data": "e", "filename": "f"}]),
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "h"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "i"},
        {"type": "mcp_call", "id": "m"},
        said("assistant", [{"type": "output_text", "text": "j"}, {"type": "refusal", "refusal": "k"}]),
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": {}, "strict": True},
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "l"}},
        {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "f"}]},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "text": {"format": {"type": "json_schema", "name": "m", "schema": {}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 5,
    "stream": True,
    "metadata": {},
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["function", "message", "reasoning", "user", "input_text", "resp_1"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "name", "content", "text", "id", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


PLACES = sorted(places(RICH), key=str)


@given(st.sampled_from(PLACES), ANYTHING, st.booleans())
def test_whatever_comes_is_read_or_refused_by_name(place, value, leave_out):
    body = copy.deepcopy(RICH)
    if place:
        *way, last = place
        at = body
        for key in way:
            at = at[key]
        if leave_out:
            del at[last]
        else:
            at[last] = value
    else:
        body = value
    try:
        asked = Responses(json.dumps(body).encode(), "ab", 0, Shelf(resp_1=[]))
        request = read_chat(asked.chat)
    except StillhouseError as refused:
        assert 400 <= refused.status < 500
        return
    sent = request.forward("m")
    assert json.loads(without(sent))["model"] == "m"
    with contextlib.suppress(ValueError, TypeError, AttributeError):  # the adapter refuses it
        assert json.loads(in_responses(sent))["store"] is False
    assert all(isinstance(name, str) for name in asked.dropped)


# --- rows of the tables that no test above reads


def test_files_refusals_and_allowed_tools_keep_their_meaning():
    told = chat_of(
        input=[
            said("user", [{"type": "input_file", "file_data": "data:x", "filename": "a.pdf"}]),
            said("assistant", [{"type": "refusal", "refusal": "no"}]),
        ],
        tools=[{"type": "function", "name": "f"}],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        safety_identifier="s",
    )
    assert told["messages"][0]["content"] == [{"type": "file", "file": {"file_data": "data:x", "filename": "a.pdf"}}]
    assert told["messages"][1]["content"] == [{"type": "refusal", "refusal": "no"}]
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert told["tool_choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    assert told["safety_identifier"] == "s"


def test_open_thoughts_become_reasoning_content():
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert messages_of(said("user", "hi"), thought, call())[1]["reasoning_content"] == "hm"


def test_chat_in_responses_words():
    chat = {
        "model": "m", "max_tokens": 9, "stop": ["x"], "seed": 1, "verbosity": "low", "reasoning_effort": "high",
        "logprobs": True, "top_logprobs": 2, "stream": True, "stream_options": {"include_usage": True}, "n": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        "tools": [
            {"type": "function", "function": {"name": "f"}},
            {"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "u"}}]},
            {"role": "assistant", "content": "", "reasoning_content": "open", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "i"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "r1"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "r2"}]},
        ],
    }  # fmt: skip
    assert json.loads(in_responses(json.dumps(chat).encode())) == {
        "model": "m", "max_output_tokens": 9, "stop": ["x"], "seed": 1, "stream": True, "store": False, "top_logprobs": 2,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
        "reasoning": {"effort": "high"}, "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "tools": [
            {"type": "function", "name": "f", "strict": False, "parameters": None},
            {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark"}},
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "input": [
            {"type": "message", "role": "system", "content": "s"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "u", "detail": "auto"},
            ]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "i"},
            {"type": "function_call_output", "call_id": "c1", "output": "r1"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "r2"}]},
        ],
    }  # fmt: skip
