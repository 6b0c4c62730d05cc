"""Events that arrive together are guarded at once; what the caller reads is the same."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Placeholders, compile_rails
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
