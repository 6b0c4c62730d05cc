"""A long text is read in windows, and comes to what the whole comes to."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import compile_rails
from guardrails.long import WINDOW, occurs, scan_long
from guardrails.normalize import normalize
from tests.guardrails.test_stream import ALL_RAILS, CASES

FILLING = st.sampled_from(["word " * 20, "x" * 70, "한국어 텍스트 ", "\n", "AbC-1 ", *CASES])


@settings(max_examples=60, deadline=None)
@given(st.lists(FILLING, max_size=14), st.sampled_from(ALL_RAILS), st.sampled_from([40, 130, 900]))
def test_every_family_finds_in_windows_what_it_finds_in_the_whole(parts, rails, window):
    text = normalize("".join(parts))[0]
    for family in rails.families:
        whole = family.scan(text, [0] * family.width, True)[0]
        assert sorted(scan_long(family, text, window=window), key=repr) == sorted(whole, key=repr)


def test_findings_across_the_edge_of_a_window_keep_their_place():
    rails = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "mask"}}])
    for shift in (-20, -9, -1, 0, 5):
        before = "word " * ((WINDOW + shift) // 5)
        found = rails.find(f"{before}kim@example.com ")
        assert [(each.start, each.end) for each in found] == [(len(before), len(before) + 15)]


def test_a_guard_may_run_out_of_time_inside_a_long_text():
    rails = compile_rails([{"secrets": None}])
    looks = iter([False, True])
    found = rails.find("word " * WINDOW, hurry=lambda: next(looks, True))
    assert {each.category for each in found} == {"ERROR"}


@pytest.mark.parametrize("at", [0, WINDOW - 1, WINDOW, 3 * WINDOW - 1])
def test_one_character_is_seen_wherever_it_stands(at):
    text = "a" * at + "7" + "a" * (3 * WINDOW - at - 1)
    assert occurs(re.compile("[0-9]"), text)
    assert not occurs(re.compile("[0-9]"), text.replace("7", "b"))


def test_others_are_served_between_the_windows():
    turns = []
    (family, *_) = compile_rails([{"secrets": None}]).families
    scan_long(family, "word " * WINDOW, lambda: turns.append(1))
    assert len(turns) == 4
