"""A policy's text is changed where it must be, and nowhere else."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.edit import CannotEdit, set_models, set_quality
from policies.schema import PolicyBody
from policies.yaml import load_strict

FIGURES = {"small": 0.031, "medium": 0.0625}
HEAD = "# ours\nstillhouse: 1   # the grammar\nname: ours\n"
SAID = "{small: 0.031, medium: 0.0625}"


def body(text):
    return load_strict(text, PolicyBody, file="p.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, HEAD + f"quality: {{lose: {SAID}}}\n"),
        (HEAD + "quality: {keep: 0.95}  # usual\nrules: []\n", HEAD + f"quality: {{lose: {SAID}}}  # usual\nrules: []\n"),
        (HEAD + "quality:\n  # why\n  keep: 0.95   # usual\n\n# end\n", HEAD + f"quality:\n  # why\n  lose: {SAID}   # usual\n\n# end\n"),
        (HEAD + "cost_quality: 0.5 # dial\nstream: checked\n", HEAD + f"quality: {{lose: {SAID}}} # dial\nstream: checked\n"),
        (HEAD + "budget:\n  usd_per_request: 1\nstream: checked\n", HEAD + f"quality: {{lose: {SAID}}}\nstream: checked\n"),
        (HEAD + "quality: {lose: {small: 0.5, medium: 0.25}}\n", HEAD + f"quality: {{lose: {SAID}}}\n"),
        (HEAD + "quality:\n  lose:\n    small: 0.5  # a\n    medium: 0.25 # b\n",
         HEAD + "quality:\n  lose:\n    small: 0.031  # a\n    medium: 0.0625 # b\n"),
        (HEAD + "quality:\n  lose:\n    small: 0.5  # a\nstream: checked\n", HEAD + f"quality:\n  lose: {SAID}  # a\nstream: checked\n"),
        ("{stillhouse: 1, name: ours, stream: checked}", f"{{stillhouse: 1, name: ours, quality: {{lose: {SAID}}}, stream: checked}}"),
        ("stillhouse: 1\r\nname: ours\r\nstream: checked\r\n", f"stillhouse: 1\r\nname: ours\r\nquality: {{lose: {SAID}}}\r\nstream: checked\r\n"),
        ("stillhouse: 1\nname: ours", f"stillhouse: 1\nname: ours\nquality: {{lose: {SAID}}}"),
        ("\ufeffstillhouse: 1\nname: ours\n", f"\ufeffstillhouse: 1\nname: ours\nquality: {{lose: {SAID}}}\n"),
        (HEAD + "description: >\n  한국어 two\n  lines\ntiers: [small, large]\n", HEAD + f"description: >\n  한국어 two\n  lines\ntiers: [small, large]\nquality: {{lose: {SAID}}}\n"),
    ],
)  # fmt: skip
def test_only_the_aim_changes(before, after):
    assert set_quality(before, "lose", FIGURES) == after
    assert body(after.removeprefix("\ufeff")).quality.model_dump()["lose"] == FIGURES


def test_the_same_figures_change_no_byte():
    text = HEAD + "quality: {lose: {small: 0.031, medium: 0.0625}} # x\n"
    assert set_quality(text, "lose", FIGURES) == text


def test_an_aim_behind_an_alias_is_left_to_a_person():
    text = HEAD + "budget: &b {usd_per_request: 1}\n"
    assert body(set_quality(text, "lose", FIGURES)).quality is not None
    with pytest.raises(CannotEdit):
        set_quality("stillhouse: 1\nname: ours\nquality: {}\n", "lose", FIGURES)


COMMENT = st.sampled_from(["", "  # 왜", " # a: b", "   "])
AIM = st.sampled_from([
    "quality: {keep: 0.9}", "quality: {lose: 0.1}", "cost_quality: 0.5", "quality:\n  floor: 0.5", "",
    "quality:\n    lose:\n        small: 0.5\n        medium: 0.25", "budget: {usd_per_request: 0.5}",
])  # fmt: skip
OTHERS = st.lists(
    st.sampled_from(["stream: checked", "rules:\n- {name: a, when: {}, pin: small}", "# nothing", "",
                     "guards:\n  input:\n    - pii: {}", "timeouts: {total: 9}", "description: 'it''s'"]),
    unique=True, max_size=5,
)  # fmt: skip


@given(AIM, COMMENT, OTHERS, OTHERS, st.sampled_from(["\n", "\r\n"]))
def test_all_else_stays_byte_for_byte_and_the_policy_is_the_one_that_was_meant(aim, comment, above, below, end):
    above = [line for line in above if line not in below or not line]
    lines = ["stillhouse: 1", "name: ours", *above, *([aim + comment] if aim else []), *below]
    text = end.join("\n".join(lines).split("\n")) + end
    new = set_quality(text, "lose", FIGURES)
    meant = body(text).model_dump() | {"cost_quality": None, "budget": None}
    assert body(new).model_dump() | {"quality": None} == meant | {"quality": None}
    assert body(new).quality.model_dump() == {"keep": None, "lose": FIGURES, "floor": None}
    old, fresh = text.split(end), new.split(end)
    changed = [op for op in difflib.SequenceMatcher(None, old, fresh, autojunk=False).get_opcodes() if op[0] != "equal"]
    assert len(changed) == 1
    assert [new.count(word) for word in ("왜", "a: b", end)][:2] == [text.count(word) for word in ("왜", "a: b")]


NAMED = {"small": ("our-1f3a", "no"), "large": ("m:l",)}
LINES = 'models: {small: [our-1f3a, "no"], large: ["m:l"]}\n'
PROFILE = "1" * 64


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD + "tiers: [small, large] # both\nstream: checked\n",
         HEAD + f'tiers: [small, large] # both\nprofile: "{PROFILE}"\n{LINES}stream: checked\n'),
        (HEAD + "models:\n  small: [old] # why\n# end\nprofile: " + '"' + "2" * 64 + '" # x\n',
         HEAD + LINES.rstrip() + f' # why\n# end\nprofile: "{PROFILE}" # x\n'),
    ],
)  # fmt: skip
def test_models_and_their_profile_are_named_and_nothing_else_changes(before, after):
    text = set_models(before, NAMED, PROFILE)
    assert text == after
    assert body(text).models == NAMED
    assert body(text).profile == PROFILE


def test_a_profile_of_other_models_does_not_stay_where_none_can_be_made():
    bare = set_models(HEAD, NAMED, None)
    assert bare == HEAD + LINES
    with pytest.raises(CannotEdit, match="take it out by hand"):
        set_models(HEAD + f'profile: "{PROFILE}"\n', NAMED, None)
