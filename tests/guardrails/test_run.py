import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Action, GuardConfigError, GuardConfigErrors, Placeholders, compile_rails

MIXED = compile_rails(
    [
        {"pii": {"entities": ["all"]}},
        {"words": {"words": ["apex"], "action": "block"}},
        {"regex": {"name": "ticket", "pattern": r"TCK-\d+", "max_length": 20, "action": "detect"}},
    ]
)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("nothing here", Action.NONE),
        ("TCK-1", Action.DETECT),
        ("TCK-1 a@example.com", Action.MASK),
        ("TCK-1 a@example.com apex", Action.BLOCK),
    ],
)
def test_the_strictest_action_wins_and_every_finding_is_kept(text, action):
    verdict = MIXED.check(text)
    assert verdict.action is action
    assert len(verdict.findings) == action
    assert verdict.checked == len(text)


def test_a_clean_text_comes_back_as_it_is():
    text = "한글 “quoted” 😀"
    assert MIXED.check(text).text is text


def test_what_blocks_does_not_stay_in_the_text_either():
    assert MIXED.check("the Apex plan").text == "the [WORD_1] plan"


def test_numbers_agree_across_the_texts_of_one_request():
    names = Placeholders()
    assert MIXED.check("a@example.com b@example.com", names).text == "[EMAIL_1] [EMAIL_2]"
    assert MIXED.check("b@example.com", names).text == "[EMAIL_2]"
    assert MIXED.check("b@example.com").text == "[EMAIL_1]"


def test_overlapping_masks_leave_nothing_between_them():
    rails = compile_rails(
        [
            {"regex": {"name": "left", "pattern": "abcd", "max_length": 4, "action": "mask"}},
            {"regex": {"name": "right", "pattern": "cdef", "max_length": 4, "action": "mask"}},
            {"regex": {"name": "inner", "pattern": "bc", "max_length": 2, "action": "mask"}},
        ]
    )
    verdict = rails.check("<abcdef>")
    assert verdict.text == "<[LEFT_1][RIGHT_1]>"
    assert [(f.category, f.start, f.end) for f in verdict.findings] == [
        ("LEFT", 1, 5),
        ("INNER", 2, 4),
        ("RIGHT", 3, 7),
    ]


def test_a_block_wins_over_a_mask_at_the_same_place():
    rails = compile_rails(
        [
            {"pii": {"entities": ["EMAIL"], "action": "mask"}},
            {"words": {"words": ["spy"], "match": "substring", "action": "block"}},
        ]
    )
    verdict = rails.check("spy@example.com")
    assert verdict.action is Action.BLOCK
    assert {f.guard for f in verdict.findings} == {"pii", "words"}
    assert "spy" not in verdict.text


def test_offsets_are_code_points_of_the_text_as_it_came():
    text = "😀㎏\u200b한 a@example.com"
    (finding,) = MIXED.check(text).findings
    assert text[finding.start : finding.end] == "a@example.com"


def test_findings_never_hold_the_text_that_was_found():
    (finding,) = MIXED.check("a@example.com").findings
    assert "example" not in str(finding.as_dict())


@given(st.text(max_size=200))
def test_any_text_has_a_verdict(text):
    verdict = MIXED.check(text)
    assert verdict.checked == len(text)
    for finding in verdict.findings:
        assert 0 <= finding.start < finding.end <= len(text)


def test_rails_know_what_they_may_do():
    empty = compile_rails([])
    assert empty.empty
    assert (empty.masks, empty.blocks, empty.max_hold) == (False, False, 0)
    assert (MIXED.masks, MIXED.blocks, MIXED.empty) == (True, True, False)
    assert MIXED.max_hold > 0


def test_rails_that_only_watch_hold_nothing():
    assert compile_rails([{"pii": {"entities": ["all"], "action": "detect"}}]).max_hold == 0


def test_the_hash_names_the_content():
    one, same = (compile_rails([{"pii": {"entities": ["EMAIL"]}}]) for _ in range(2))
    spelled_out = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "mask"}}])
    other = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "block"}}])
    assert one.hash == same.hash == spelled_out.hash
    assert one.hash != other.hash


def test_a_guard_without_settings_has_its_defaults():
    assert compile_rails([{"pii": None}]).hash == compile_rails([{"pii": {}}]).hash


def test_every_mistake_is_reported_at_once():
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails(
            [
                {"pii": {"entities": ["EMIAL", "EMAIL"], "actions": {"X": "mask"}}},
                {"pi": {}},
                {"pii": {}, "words": {}},
                {"words": {"words": ["", "ok"]}},
                {"regex": {"pattern": "(", "max_length": 3, "name": "x"}},
                {"secrets": []},
            ]
        )
    assert [error.path for error in caught.value.errors] == [
        (0, "pii", "entities", 0),
        (0, "pii", "actions", "X"),
        (1, "pi"),
        (2,),
        (3, "words", "words", 0),
        (4, "regex", "pattern"),
        (5, "secrets"),
    ]
    assert isinstance(caught.value, GuardConfigError)
    assert caught.value.path == (0, "pii", "entities", 0)
    assert caught.value.errors[1].hint


def test_a_guard_that_is_not_a_mapping_is_a_mistake():
    with pytest.raises(GuardConfigError) as caught:
        compile_rails(["pii"])  # type: ignore[list-item]
    assert caught.value.path == (0,)


def test_rails_do_not_change_once_they_are_made():
    rails = compile_rails([{"words": {"words": ["apex"]}}])
    with pytest.raises(AttributeError, match="compile others"):
        rails.checks = ()
    assert rails is compile_rails([{"words": {"words": ["apex"]}}])


LAYERED = compile_rails([{"pii": {"action": "detect"}}, {"pii": {"action": "mask"}}, {"pii": {"action": "mask"}}])


@pytest.mark.parametrize("cut", range(0, 24, 3))
def test_layers_with_the_same_guard_tell_a_finding_once_with_the_strictest_action(cut):
    text = "write to lee@example.com and to kim@example.org today"
    whole = LAYERED.check(text, Placeholders())
    assert [(f.category, f.action) for f in whole.findings] == [("EMAIL", Action.MASK)] * 2
    stream = LAYERED.stream(Placeholders())
    sent = stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish()
    assert (sent, stream.findings) == (whole.text, whole.findings)
