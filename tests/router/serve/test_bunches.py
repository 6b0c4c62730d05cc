"""Events that arrive together are guarded at once; what the caller reads is the same."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Placeholders, compile_rails
from router.errors import UpstreamInvalid
from router.serve.guards.stream import EventGuard
from router.serve.http.respond import EventMaker

MASKING = compile_rails([{"pii": {"entities": ["all"], "action": "mask"}}, {"secrets": {"action": "mask"}}])
BLOCKING = compile_rails([{"words": {"words": ["badword"], "action": "block"}}])
TEXTS = ["write to kim@example.com or call 010-1234-5678 today", "a plain answer of some words", "say badword now ok"]


def event(text, index=0, path="content", finish=None, **more):
    delta = {path: text} if text is not None else {}
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}).encode()


def guard_of(rails, mode="guarded", choices=1):
    found = []
    maker = EventMaker("req_1", "m", 1)
    guard = EventGuard(
        rails, mode, Placeholders(), "refused", maker, choices=choices, include_usage=False,
        on_findings=lambda findings, where: found.extend((f.category, f.start, f.end, where) for f in findings),
    )  # fmt: skip
    return guard, found


def heard(rails, bunches, mode="guarded", choices=1):
    """What the caller reads of each running text, what was found, and how it ended."""
    guard, found = guard_of(rails, mode, choices)
    sent = []
    for bunch in bunches:
        guard.feed_all(bunch, sent)
    sent += guard.finish(1)
    said = {}
    for data in sent:
        for choice in json.loads(data)["choices"]:
            for path, text in choice["delta"].items():
                said[choice["index"], path] = said.get((choice["index"], path), "") + text
    return said, sorted(found), guard.finish_reason, guard.usage(1).output_tokens


@st.composite
def cut(draw, paths=("content", "content", "refusal")):
    text = draw(st.sampled_from(TEXTS))
    edges = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=12))})
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    events = [event(piece, path=draw(st.sampled_from(paths))) for piece in pieces]
    events = [event("", role="x"), *events, event(None, finish="stop")]
    sizes = draw(st.lists(st.integers(1, 6), min_size=len(events)))
    bunches, rest = [], events
    for size in sizes:
        bunches.append(rest[:size])
        rest = rest[size:]
    return events, [bunch for bunch in bunches if bunch]


@settings(max_examples=120, deadline=None)
@given(cut(), st.sampled_from(["guarded", "immediate", "checked"]))
def test_masks_and_findings_do_not_depend_on_what_arrives_together(parts, mode):
    events, bunches = parts
    assert heard(MASKING, bunches, mode) == heard(MASKING, [[one] for one in events], mode)


@settings(max_examples=60, deadline=None)
@given(cut(("content",)))
def test_what_is_blocked_never_leaves_however_it_arrives(parts):
    _, bunches = parts
    said, found, finish, _ = heard(BLOCKING, bunches)
    assert "badword" not in "".join(said.values())
    assert bool(found) == (finish == "content_filter")


def test_of_two_choices_each_keeps_its_own_text():
    events = [event("", index=i) for i in (0, 1)] + [event(f"{i}word ", index=i % 2) for i in range(8)]
    bunched, alone = heard(MASKING, [events], choices=2), heard(MASKING, [[e] for e in events], choices=2)
    assert bunched == alone
    assert bunched[0][0, "content"] == "0word 2word 4word 6word "


def test_events_between_the_first_and_the_last_of_a_bunch_leave_as_they_came():
    guard, _ = guard_of(MASKING)
    events = [event(f"word{chr(97 + i)} ") for i in range(6)]
    ready = []
    guard.feed_all([event("")], ready)
    del ready[:]
    guard.feed_all(events, ready)
    assert ready[:5] == events[:5]
    assert len(ready) == 6


@pytest.mark.parametrize("mode", ["guarded", "immediate"])
def test_what_came_before_a_fault_in_one_bunch_is_not_lost(mode):
    guard, _ = guard_of(MASKING, mode)
    ready = []
    with pytest.raises(Exception, match="not a chat completion chunk"):
        guard.feed_all([event("one two "), b"{}"], ready)
    assert len(ready) == 1


def test_immediate_holds_nothing_back():
    guard, _ = guard_of(MASKING, "immediate")
    ready = []
    events = [event("call 0"), event("10-1234"), event("-5678")]
    for one in events:
        guard.feed_all([one], ready)
    assert ready == events


SAID = st.sampled_from(
    [
        "call ",
        "010-1234",
        "-5678",
        " kim@exam",
        "ple.com ",
        "bad",
        "badword ",
        '"quoted" ',
        "back\\slash",
        "\n",
        "한국 ",
        "\u200b",
        "",
        "\x7f",
    ]
)


@st.composite
def written(draw):
    """Events as a server writes them, most of one form."""
    n = draw(st.integers(1, 2))
    texts = draw(
        st.lists(st.tuples(st.lists(SAID, min_size=1, max_size=2).map("".join), st.integers(0, n - 1)), max_size=12)
    )
    ways = st.sampled_from([{}, {}, {}, {"path": "refusal"}, {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}])
    events = [event("", index=index, role="x") for index in range(n)]
    events += [event(text, index=index, **draw(ways)) for text, index in texts]
    return n, [*events, *(event(None, index=index, finish="stop") for index in range(n))]


@settings(max_examples=80, deadline=None)
@given(written(), st.sampled_from([MASKING, BLOCKING]), st.sampled_from(["guarded", "immediate", "checked"]))
def test_an_event_known_by_its_form_leaves_byte_for_byte_as_one_that_is_parsed(made, rails, mode):
    n, events = made
    (known, found), (parsed, also) = guard_of(rails, mode, n), guard_of(rails, mode, n)
    for data in events:
        sent = []
        known.feed_all([data], sent)
        assert sent == (parsed.feed(data) if not parsed.over else [])
    assert known.finish(1) == parsed.finish(1)
    assert (found, known.blocked, known.usage(1)) == (also, parsed.blocked, parsed.usage(1))


def test_a_choice_that_nobody_asked_for_is_refused_in_a_bunch_as_by_itself():
    guard, _ = guard_of(MASKING)
    with pytest.raises(UpstreamInvalid, match="nobody asked for"):
        guard.feed_all([event("a"), event("b", index=500), event("c", index=500)], [])


def test_the_end_of_one_text_may_stop_a_choice_that_has_another():
    guard, found = guard_of(BLOCKING)
    events = [event("", role="x"), event("call ", path="refusal"), event("badword"), event(None, finish="stop")]
    sent = []
    guard.feed_all(events, sent)
    assert guard.over
    assert [where for *_, where in found] == ["choices[0].content"]
