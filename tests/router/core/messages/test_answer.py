"""Chat answers as Messages, whole and streamed."""

import json

from hypothesis import given
from hypothesis import strategies as st

from router.core.messages.answer import message_of
from router.core.messages.events import EventWriter
from router.core.messages.heard import ChunkMaker, completion_of
from tests.support import messages as m
from tests.support.wire import chunk, completion, dump, finish, tokens, tool, usage


def streamed(*chunks, thinks=True, stops=()):
    writer = EventWriter(thinks=thinks, stops=stops)
    body = b"".join(writer.feed(dump(each)) for each in chunks) + writer.end()
    return m.put_together(m.events_of(body.decode()))


def whole(body, thinks=True, stops=()):
    return json.loads(message_of(dump(body), thinks=thinks, stops=stops))


def test_a_whole_answer_with_thinking_text_and_a_call():
    call = tool('{"city": "서울"}', name="weather", id="call_1")
    got = whole(completion("Look.", reasoning="Hm.", tools=(call,), reason="tool_calls", used=tokens(20, 4, cached=15)))
    assert got["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Look."},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "서울"}},
    ]
    assert got["stop_reason"] == "tool_use"
    assert got["usage"] == {
        "input_tokens": 5, "output_tokens": 4, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 15,
    }  # fmt: skip


def test_thinking_is_for_those_who_asked_for_it():
    assert [b["type"] for b in whole(completion("x", reasoning="Hm."), thinks=False)["content"]] == ["text"]
    got = streamed(chunk(reasoning="Hm."), chunk("x"), finish(), thinks=False)
    assert [b["type"] for b in got["content"]] == ["text"]


def test_reasons_to_stop():
    for reason, wanted in (
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("odd", "end_turn"),
    ):
        assert whole(completion("x", reason=reason))["stop_reason"] == wanted
        assert streamed(chunk("x"), finish(reason))["stop_reason"] == wanted
    assert whole(completion(None, refusal="I will not."))["stop_reason"] == "refusal"
    body = completion("x")
    body["choices"][0]["stop_reason"] = "END"
    assert whole(body, stops=["END"])["stop_sequence"] == "END"
    assert whole(body)["stop_reason"] == "end_turn", "a sequence that nobody asked for is no sequence"


def test_the_rest_of_a_call_that_comes_late_still_joins_it():
    got = streamed(
        chunk("a"), chunk(tools=(tool("", name="f", id="1"),)), chunk(tools=(tool("", name="g", id="2", index=1),)),
        chunk(tools=(tool('{"y":2}', index=1),)), chunk(tools=(tool('{"x"'),)), chunk(tools=(tool(":1}"),)),
        finish("tool_calls"), usage(5, 6),
    )  # fmt: skip
    assert [(b["type"], b.get("input")) for b in got["content"]] == [
        ("text", None), ("tool_use", {"x": 1}), ("tool_use", {"y": 2}),
    ]  # fmt: skip
    assert got["usage"]["output_tokens"] == 6


def test_an_empty_answer_is_still_a_message():
    got = streamed(finish())
    assert got["content"] == []
    assert got["stop_reason"] == "end_turn"


# --- laws

WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
ARGUMENTS = st.dictionaries(WORD, st.integers() | WORD, max_size=2)


@st.composite
def chat_streams(draw):
    """Chunks of one choice with pieces in chat's freedom of order, and what they amount to."""
    thought = draw(st.lists(WORD, max_size=3))
    said = draw(st.lists(WORD, max_size=3))
    calls = [json.dumps(value) for value in draw(st.lists(ARGUMENTS, max_size=3))]
    chunks = [chunk("", role="assistant"), *(chunk(reasoning=w) for w in thought), *(chunk(w) for w in said)]
    chunks += [chunk(tools=(tool("", name=f"f{i}", id=f"c{i}", index=i),)) for i in range(len(calls))]
    pieces = []
    for i, written in enumerate(calls):
        cut = draw(st.integers(0, len(written)))
        pieces += [(i, written[:cut]), (i, written[cut:])]
    order = draw(st.permutations(range(len(pieces))))
    left = {i: [p for j, p in pieces if j == i] for i in range(len(calls))}
    for at in order:
        index = pieces[at][0]
        chunks.append(chunk(tools=(tool(left[index].pop(0), index=index),)))
    used = draw(st.tuples(st.integers(0, 99), st.integers(0, 99)))
    chunks += [finish(draw(st.sampled_from(["stop", "tool_calls", "length"]))), usage(*used)]
    return chunks, "".join(thought), "".join(said), [json.loads(c) for c in calls], used


@given(chat_streams())
def test_any_stream_keeps_its_texts_calls_usage_and_the_grammar(case):
    chunks, thought, said, calls, used = case
    got = streamed(*chunks)
    kinds = {kind: [b for b in got["content"] if b["type"] == kind] for kind in ("thinking", "text", "tool_use")}
    assert "".join(b["thinking"] for b in kinds["thinking"]) == thought
    assert "".join(b["text"] for b in kinds["text"]) == said
    assert [(b["id"], b["input"]) for b in kinds["tool_use"]] == [(f"c{i}", c) for i, c in enumerate(calls)]
    assert (got["usage"]["input_tokens"], got["usage"]["output_tokens"]) == used


BLOCKS = st.tuples(
    st.lists(WORD, max_size=2).map("".join), st.lists(WORD, min_size=1, max_size=3), st.lists(ARGUMENTS, max_size=2)
)


@given(BLOCKS)
def test_an_answer_that_goes_through_chat_is_the_same_message_again(parts):
    thought, said, calls = parts
    blocks = [m.thinking(thought)] if thought else []
    blocks += [m.text("".join(said)), *(m.tool_use("f", c, id=f"c{i}") for i, c in enumerate(calls))]
    sent = m.message(*blocks, stop="tool_use" if calls else "end_turn")
    assert json.loads(message_of(completion_of(dump(sent)), thinks=True)) == sent

    maker, writer = ChunkMaker(), EventWriter(thinks=True)
    events = [
        m.start(),
        *(m.thinking_block(0, thought) if thought else ()),
        *m.text_block(len(blocks) - len(calls) - 1, *said),
    ]
    for i, c in enumerate(calls):
        events += m.tool_block(len(blocks) - len(calls) + i, "f", json.dumps(c), id=f"c{i}")
    chunks = [
        made for each in [*events, *m.stop(sent["stop_reason"])]
        for made in maker.feed(each.split(b"data: ", 1)[1].strip())
    ]  # fmt: skip
    body = b"".join(map(writer.feed, chunks)) + writer.end()
    assert m.put_together(m.events_of(body.decode()))["content"] == sent["content"]
