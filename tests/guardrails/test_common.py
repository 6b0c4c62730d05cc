"""What may be said of every guard: whose texts it reads, whether a stream waits for it, what it means that it broke."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.common import Common
from guardrails.run import judged

WORDS = {"words": ["apex"], "action": "block"}


def broken(*_):
    raise RuntimeError("the text itself must not be in here")


@pytest.fixture
def broken_pii(monkeypatch):
    monkeypatch.setattr("guardrails.matching.RuleFamily.scan", broken)


def test_a_guard_reads_only_the_roles_it_is_for():
    rails = compile_rails([{"words": {**WORDS, "roles": ["tool", "document"]}}, {"pii": {"entities": ["EMAIL"]}}])
    text = "apex a@example.com"
    assert [f.guard for f in rails.check(text, role="user").findings] == ["pii"]
    assert [f.guard for f in rails.check(text, role="tool").findings] == ["words", "pii"]
    assert [f.guard for f in rails.check(text).findings] == ["words", "pii"]
    assert rails.stream(role="user").feed("apex plan ") == "apex plan "
    blocked = rails.stream(role="tool")
    assert blocked.feed("apex plan ") == ""
    assert blocked.blocked


def test_equal_guards_have_one_hash_and_the_common_settings_count():
    plain = compile_rails([{"words": WORDS}])
    assert plain.hash == compile_rails([{"words": {**WORDS, "stream": "sync", "on_error": "block"}}]).hash
    assert plain.hash != compile_rails([{"words": {**WORDS, "roles": ["user"]}}]).hash


def test_an_async_guard_lets_text_go_and_cuts_it_off_once_it_knows():
    rails = compile_rails([{"words": {**WORDS, "stream": "async"}}])
    assert rails.max_hold == 0
    stream = rails.stream()
    assert stream.feed("the ap") == "the ap"
    assert stream.feed("ex plan") == "ex plan"  # the word may still grow into another one
    assert stream.feed(" is") == ""
    assert stream.blocked
    assert stream.action is Action.BLOCK
    assert stream.feed("more") == ""


@given(st.text(alphabet="apex .", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_async_never_blocks_where_the_whole_text_does_not(text, cuts):
    rails = compile_rails([{"words": {**WORDS, "stream": "async"}}])
    stream, sent = rails.stream(), ""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in zip(places, places[1:], strict=False):
        sent += stream.feed(text[start:end])
    sent += stream.finish()
    blocks = rails.check(text).action is Action.BLOCK
    assert stream.blocked is blocks
    assert text.startswith(sent)
    assert sent == text or blocks


def test_an_async_guard_cannot_mask():
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"pii": {"stream": "async"}}])
    assert caught.value.path == (0, "pii", "stream")
    assert "stream: sync" in caught.value.hint


def test_a_guard_that_broke_blocks_and_says_so(broken_pii):
    rails = compile_rails([{"pii": {"entities": ["EMAIL"]}}, {"words": WORDS}])
    verdict = rails.check("the apex text")
    assert verdict.action is Action.BLOCK
    assert [(f.guard, f.category, f.reason) for f in verdict.findings] == [
        ("pii", "ERROR", "pii.error"),
        ("words", "WORD", "words.word"),
    ]
    assert "text" not in verdict.text
    stream = rails.stream()
    assert stream.feed("something ") == ""
    assert stream.blocked


def test_a_guard_that_broke_may_pass_on_record(broken_pii):
    rails = compile_rails([{"pii": {"entities": ["EMAIL"], "on_error": "pass"}}, {"words": WORDS}])
    verdict = rails.check("some text")
    assert (verdict.action, verdict.text) == (Action.DETECT, "some text")
    stream = rails.stream()
    assert stream.feed("some ") + stream.feed("text") + stream.finish() == "some text"
    assert [f.reason for f in stream.findings] == ["pii.error"]
    assert rails.check("apex").action is Action.BLOCK  # the others go on


def test_a_guard_for_which_no_time_is_left_is_an_error():
    rails = compile_rails([{"words": WORDS}, {"pii": {"entities": ["EMAIL"]}}])
    asked = itertools.chain([False], itertools.repeat(True))
    verdict = rails.check("a@example.com" + " and more" * 200, hurry=lambda: next(asked))
    assert {f.reason for f in verdict.findings} == {"pii.timeout", "layers.timeout"}
    assert verdict.action is Action.BLOCK


def test_a_brief_text_for_which_no_time_is_left_is_read_by_no_guard():
    rails = compile_rails([{"words": WORDS}, {"pii": {"entities": ["EMAIL"]}}])
    verdict = rails.check("apex a@example.com", hurry=lambda: True)
    assert {f.reason for f in verdict.findings} == {"words.timeout", "pii.timeout", "layers.timeout"}
    assert verdict.action is Action.BLOCK


def test_findings_that_are_remembered_give_the_same_verdict():
    rails = compile_rails([{"pii": {"entities": ["all"]}}, {"words": WORDS}])
    for text in ("a@example.com and b@example.com apex", "nothing", "전화 010-1234-5678로"):
        assert judged(text, rails.find(text)) == rails.check(text)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"roles": ["nobody"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"stream": "later"}, "stream"),
        ({"on_error": 1}, "on_error"),
    ],
)
def test_a_wrong_common_setting_is_named(settings, path):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"words": {**WORDS, **settings}}])
    assert caught.value.path[:3] == (0, "words", path)


def test_every_common_setting_is_said_once():
    assert set(Common.model_fields) == {"roles", "stream", "on_error"}
