"""A chat answer becomes an answer of Responses that says the same, whole and in events, and back again."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.surfaces.from_responses import Chunks, chat_of
from router.core.surfaces.responses import Responses
from router.core.surfaces.said import read_turn
from tests.router.core.surfaces.test_responses_request import Shelf, surface
from tests.support.wire import chunk, completion, dump, finish, tokens, tool, usage


def events_of(data):
    """The events in some bytes, their names checked."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        name, text = block.split("\n")
        event = json.loads(text.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def streamed(*chunks, **fields):
    asked = surface(stream=True, **fields)
    return events_of(b"".join(asked.event(dump(c)) for c in chunks) + asked.end())


def whole(body, **fields):
    return json.loads(surface(**fields).answer(dump(body)))


PLAIN = [
    "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    "response.output_text.delta", "response.output_text.delta", "response.output_text.done", "response.content_part.done",
    "response.output_item.done", "response.completed",
]  # fmt: skip


def test_a_text_comes_in_the_protocols_own_order():
    events = streamed(
        chunk("", role="assistant"), chunk("안"), chunk("녕"), finish(), usage(7, 4, cached=2, reasoning=1)
    )
    assert [e["type"] for e in events] == PLAIN
    assert [e["sequence_number"] for e in events] == list(range(len(events)))
    last = events[-1]["response"]
    assert last["status"] == "completed"
    assert last["output"][0]["content"] == [{"type": "output_text", "text": "안녕", "annotations": [], "logprobs": []}]
    assert last["usage"] == {
        "input_tokens": 7, "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 11,
    }  # fmt: skip


def test_a_whole_answer_is_what_a_stream_ends_with():
    body = completion("Hi", reasoning="hm", tools=(tool("{}", name="f", id="c1"),), reason="tool_calls")
    events = streamed(
        chunk(reasoning="hm"), chunk("Hi"), chunk(tools=(tool("", name="f", id="c1"),)), chunk(tools=(tool("{}"),)),
        finish("tool_calls"), usage(),
    )  # fmt: skip
    assert whole(body, stream=True) == events[-1]["response"]


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("eos", "completed", None),
    ],
)
def test_how_it_ended_is_told(reason, status, why):
    told = whole(completion("Hi", reason=reason))
    assert (told["status"], told["incomplete_details"], told["output"][0]["status"]) == (status, why, status)
    events = streamed(chunk("Hi"), finish(reason))
    assert events[-1]["type"] == f"response.{status}"
    assert events[-1]["response"]["incomplete_details"] == why


def test_words_in_the_place_of_json_are_a_refusal():
    told = whole(completion("Not here.", reason="content_filter"), text={"format": {"type": "json_object"}})
    assert told["output"][0]["content"] == [{"type": "refusal", "refusal": "Not here."}]


def test_a_call_of_a_tool_in_a_namespace_names_both():
    space = {"type": "namespace", "name": "mcp", "tools": [{"type": "function", "name": "f"}]}
    told = whole(completion(None, tools=(tool("{}", name="mcp__f", id="c1"),)), tools=[space])
    item = told["output"][0]
    assert (item["namespace"], item["name"], item["call_id"]) == ("mcp", "f", "c1")


def test_an_answer_that_says_nothing_is_an_empty_text():
    assert whole(completion(None))["output"][0]["content"][0]["text"] == ""


def test_a_server_that_numbers_all_calls_alike_is_understood():
    events = streamed(
        chunk(tools=(tool("{}", name="f", id="c1"),)), chunk(tools=(tool("[]", name="g", id="c2"),)), finish("tool_calls")
    )  # fmt: skip
    items = events[-1]["response"]["output"]
    assert [(i["name"], i["arguments"]) for i in items] == [("f", "{}"), ("g", "[]")]


def test_an_error_in_a_stream_ends_it_as_failed_and_not_as_completed():
    asked = surface(stream=True)
    data = asked.event(dump(chunk("Hal"))) + asked.error_event(b'{"error":{"message":"no","code":"upstream_timeout"}}')
    events = events_of(data)
    assert [e["type"] for e in events[-2:]] == ["error", "response.failed"]
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]) == ("failed", {"code": "upstream_timeout", "message": "no"})
    assert failed["output"][0]["content"][0]["text"] == "Hal"
    assert "response.completed" not in [e["type"] for e in events]


def test_an_answer_is_kept_unless_the_caller_or_a_guard_says_no():
    for fields, reason, kept in (({}, "stop", 1), ({"store": False}, "stop", 0), ({}, "content_filter", 0)):
        shelf = Shelf()
        surface(shelf, **fields).answer(dump(completion("Hi", reason=reason)))
        assert len(shelf.kept) == kept


# --- whatever is said


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
PART = st.one_of(
    st.builds(lambda t: ("content", 0, t), TEXTS),
    st.builds(lambda t: ("refusal", 0, t), TEXTS),
    st.builds(lambda t: ("reasoning", 0, t), TEXTS),
    st.builds(lambda k, t: ("arguments", k, t), st.integers(0, 2), TEXTS),
)


def chunks_of(parts, reason):
    begun = set()
    for kind, k, text in parts:
        if kind == "arguments":
            named = {} if k in begun else {"name": f"f{k}", "id": f"c{k}"}
            begun.add(k)
            yield chunk(tools=(tool(text, index=k, **named),))
        else:
            yield chunk(**{"text" if kind == "content" else kind: text})
    yield finish(reason)
    yield usage(9, 5, cached=3, reasoning=2)


def joined(parts, kind, k=0):
    return "".join(text for what, at, text in parts if (what, at) == (kind, k))


def check_grammar(events):
    """Every item and part opens once and closes once, in order, and its deltas are what it ends as."""
    open_items, said = {}, {}
    for event in events:
        kind, at = event["type"], event.get("output_index")
        if kind == "response.output_item.added":
            assert at == len(open_items)
            open_items[at] = event["item"]["id"]
        elif kind == "response.output_item.done":
            assert open_items[at] == event["item"]["id"]
        elif at is not None:
            assert event["item_id"] == open_items[at]
            place = at, event.get("content_index"), kind.rsplit(".", 1)[0]
            if kind.endswith(".delta"):
                said[place] = said.get(place, "") + event["delta"]
            elif kind.endswith(".done") and "part" not in kind:
                value = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
                assert said.pop(place, "") == value
    assert not said
    return events[-1]["response"]


@given(st.lists(PART, max_size=12), st.sampled_from(["stop", "tool_calls", "length"]))
def test_whatever_a_stream_says_is_said_again(parts, reason):
    chunks = list(chunks_of(parts, reason))
    events = streamed(*chunks)
    assert [e["sequence_number"] for e in events] == list(range(len(events)))
    last = check_grammar(events)
    assert last["output"] == [e["item"] for e in events if e["type"] == "response.output_item.done"]
    content = [p for i in last["output"] if i["type"] == "message" for p in i["content"]]
    assert "".join(p.get("text", "") for p in content) == joined(parts, "content")
    assert "".join(p.get("refusal", "") for p in content) == joined(parts, "refusal")
    thoughts = [s["text"] for i in last["output"] if i["type"] == "reasoning" for s in i["summary"]]
    assert "".join(thoughts) == joined(parts, "reasoning")
    calls = {i["name"]: i["arguments"] for i in last["output"] if i["type"] == "function_call"}
    assert calls == {f"f{k}": joined(parts, "arguments", k) for k in {k for what, k, _ in parts if what == "arguments"}}
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (9, 5)
    # and back: what a server of Responses would have told us of it
    back, reader = [], Chunks()
    for event in events:
        back += [read_turn(data) for data in reader.feed(dump(event))]
    assert reader.done
    assert "".join(t.said.text for t in back) == joined(parts, "content")
    assert "".join(t.said.refusal for t in back) == joined(parts, "refusal")
    assert "".join(t.said.thought for t in back) == joined(parts, "reasoning")
    arguments = {}
    for part in (p for t in back for p in t.said.calls):
        arguments[part.at] = arguments.get(part.at, "") + part.text
    assert sorted(arguments.values()) == sorted(calls.values())
    assert next(t.usage for t in back if t.usage) == tokens(9, 5, cached=3, reasoning=2)
    turn = read_turn(chat_of(dump(last)))
    assert (turn.said.text, turn.said.refusal) == (joined(parts, "content"), joined(parts, "refusal"))
    assert turn.usage == tokens(9, 5, cached=3, reasoning=2)


BITS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["type", "item", "delta", "output_index", "response", "output", "content", "text", "error"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)
KINDS = st.sampled_from([*PLAIN, "response.function_call_arguments.delta", "error", "response.failed"])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(["item", "delta", "output_index", "response"]), BITS)))
)
def test_whatever_a_server_sends_is_chat_or_an_error(events):
    reader = Chunks()
    with contextlib.suppress(ValueError):
        for kind, fields in events:
            for data in reader.feed(dump({**fields, "type": kind})):
                assert json.loads(data)


@settings(max_examples=40)
@given(BITS)
def test_whatever_a_whole_answer_holds_is_chat_or_an_error(value):
    for body in (value, {"output": [value]}, {"output": [{"type": "message", "content": value}], "usage": value}):
        with contextlib.suppress(ValueError):
            assert json.loads(chat_of(dump(body)))


@settings(max_examples=40)
@given(BITS)
def test_whatever_a_chat_server_says_beside_is_read_over(value):
    message = {"role": "assistant", "content": value, "reasoning_details": value, "tool_calls": value, "refusal": value}
    answer = {"choices": [{"index": 0, "message": message, "logprobs": value, "finish_reason": value}], "usage": value}
    told = json.loads(Responses(b'{"model":"m","input":"x"}', "ab", 0, Shelf()).answer(dump(answer)))
    assert told["object"] == "response"


# --- rows of the tables that no test above reads


def test_custom_calls_and_logprobs_are_told():
    custom = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    logs = {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [custom]}
    told = whole({"choices": [{"index": 0, "message": message, "logprobs": logs, "finish_reason": "tool_calls"}]})
    assert told["output"][0]["content"][0]["logprobs"] == logs["content"]
    call = told["output"][1]
    assert (call["type"], call["call_id"], call["name"], call["input"]) == (
        "custom_tool_call",
        "c1",
        "patch",
        "*** Begin",
    )
    assert "usage" not in told


def test_a_server_that_tells_arguments_only_at_their_end_is_heard():
    item = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
    reader = Chunks()
    added = reader.feed(
        dump({"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}})
    )
    done = reader.feed(dump({"type": "response.output_item.done", "output_index": 0, "item": item}))
    parts = [p for data in (*added, *done) for p in read_turn(data).said.calls]
    assert "".join(p.text for p in parts) == '{"a":1}'
    assert (parts[0].id, parts[0].name) == ("c1", "f")
