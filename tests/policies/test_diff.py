"""What changes between two policies: settings, not letters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.diff import changes
from policies.load import load_policy, preset_names

BASE = """
stillhouse: 1
name: ours
quality: {keep: 0.9}
rules:
  - {name: long, when: {context_tokens_over: 1000}, at_least: medium}
  - {name: secret, when: {findings: [secrets]}, private: true}
guards:
  input:
    - pii: {action: detect}
    - pii: {action: mask, entities: [EMAIL]}
timeouts: {total: 60.0}
"""


@pytest.fixture
def differ(tmp_path):
    def compare(before, after, floor=None):
        for name, text in (("floor", floor), ("before", before), ("after", after)):
            if text is not None:
                (tmp_path / f"{name}.yaml").write_text(text)
        return changes(load_policy(tmp_path / "before.yaml"), load_policy(tmp_path / "after.yaml"))

    return compare


@pytest.mark.parametrize(
    ("old", "new", "path", "before", "after"),
    [
        ("keep: 0.9", "keep: 0.95", "quality.keep", 0.9, 0.95),
        ("total: 60.0", "total: 30.0", "timeouts.total", 60.0, 30.0),
        ("at_least: medium", "at_least: large", "rules[long].at_least", "medium", "large"),
        ("over: 1000", "over: 2000", "rules[long].when.context_tokens_over", 1000, 2000),
        ("action: detect", "action: block", "guards.input[pii].action", "detect", "block"),
        ("entities: [EMAIL]", "entities: [PHONE]", "guards.input[pii 2].entities", ["EMAIL"], ["PHONE"]),
    ],
)
def test_one_setting_is_one_change_with_its_values(differ, old, new, path, before, after):
    [change] = differ(BASE, BASE.replace(old, new))
    assert (change.path, change.before, change.after) == (path, before, after)
    assert (change.layer_before, change.layer_after) == ("ours", "ours")


def test_comments_order_of_keys_and_defaults_are_no_change(differ):
    moved = "# said otherwise\n" + BASE.replace(
        "{action: mask, entities: [EMAIL]}", "{entities: [EMAIL], action: mask}"
    )
    assert differ(BASE, moved) == ()


def test_another_aim_says_what_goes_and_what_comes(differ):
    found = {
        c.path: (c.before, c.after) for c in differ(BASE, BASE.replace("quality: {keep: 0.9}", "cost_quality: 0.5"))
    }
    assert found == {"quality.keep": (0.9, None), "cost_quality": (None, 0.5)}


def test_a_rule_that_moved_is_told_as_an_order(differ):
    first, second = (line for line in BASE.splitlines(keepends=True) if line.startswith("  - {name:"))
    swapped = BASE.replace(first + second, second + first)
    [change] = differ(BASE, swapped)
    assert (change.path, change.after) == ("rules (order)", ["secret", "long"])


def test_a_floors_change_is_a_change_and_its_layer_is_named(differ, tmp_path):
    floor = "stillhouse: 1\nname: floor\ntimeouts: {total: 60.0}\n"
    over = "stillhouse: 1\nname: ours\nextends: ./floor.yaml\nquality: {keep: 0.9}\n"
    under = over.replace("quality", "timeouts: {total: 30.0}\nquality")
    [change] = differ(over, under, floor)
    assert (change.layer_before, change.layer_after) == ("floor", "ours")
    assert str(change) == "timeouts.total: 60.0 (floor) -> 30.0 (ours)"


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(preset_names()), st.sampled_from(preset_names()))
def test_policies_differ_exactly_where_their_hashes_do(one, other):
    first, second = load_policy(one), load_policy(other)
    assert bool(changes(first, second)) == (first.hash != second.hash)
    assert {c.path for c in changes(first, second)} == {c.path for c in changes(second, first)}
