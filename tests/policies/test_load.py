"""Files in, one frozen policy out."""

import dataclasses
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.load import MAX_LAYERS, PRESETS, load_policy, preset_names
from policies.mistakes import Mistakes
from policies.schema import Quality


@pytest.fixture
def write(tmp_path):
    """Write a policy file; give back its path."""

    def write(text, name="p"):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"stillhouse: 1\nname: {path.stem}\n{text}")
        return path

    return write


def wrong(source, **options):
    with pytest.raises(Mistakes) as error:
        load_policy(source, **options)
    return error.value.mistakes


def test_a_file_becomes_a_policy(write):
    path = write("quality: {floor: 0.8}\nrules: [{name: nda, when: {pattern: '(?i)nda'}, private: true}]\n")
    policy = load_policy(path)
    assert (policy.name, policy.layers, policy.source, policy.files) == ("p", ("p",), path, (path,))
    assert policy.body.quality == Quality(floor=0.8)
    assert policy.rules[0].pattern.search("our NDA")
    assert (policy.rules[0].layer, policy.rules[0].rule.name) == ("p", "nda")
    assert policy.rails["input"].empty
    assert policy.rails["output"].empty


def test_a_path_may_be_text(write):
    assert load_policy(str(write(""))).name == "p"


def test_nothing_in_a_policy_can_be_changed(write):
    policy = load_policy(write("guards: {input: [{pii: {}}]}"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.name = "other"
    with pytest.raises(TypeError):
        policy.origin["tiers"] = "other"
    with pytest.raises(TypeError):
        policy.rails["input"] = None


class TestHash:
    def test_names_the_content(self, write):
        policy = load_policy(write("quality: {keep: 0.9}"))
        assert policy.hash == hashlib.sha256(policy.content).hexdigest()
        assert json.loads(policy.content)["body"]["quality"] == {"keep": 0.9, "floor": None}

    @pytest.mark.parametrize(
        "same",
        [
            "tiers: [small, medium, large]",
            "quality: {keep: 0.95}",
            "# a comment\nfallback_tier: large\n",
            "timeouts: {total: 600}",
            "guards: {input: []}",
        ],
    )
    def test_is_the_same_for_the_same_decisions(self, write, same):
        assert load_policy(write(same, "q/p")).hash == load_policy(write("")).hash

    @pytest.mark.parametrize(
        "other",
        [
            "quality: {keep: 0.9}",
            "guards: {input: [{pii: {}}]}",
            "guards: {output: [{pii: {}}]}",
            "refusal: {input: other}",
            "rules: [{name: a, when: {}, private: true}]",
            "extends: balanced",
        ],
    )
    def test_differs_with_anything_that_decides(self, write, other):
        assert load_policy(write(other)).hash != load_policy(write("")).hash

    def test_does_not_depend_on_where_the_file_lies(self, write):
        assert (
            load_policy(write("cost_quality: 0.1", "a/p")).hash == load_policy(write("cost_quality: 0.1", "b/p")).hash
        )


class TestLayers:
    def test_a_policy_may_extend_a_preset(self, write):
        policy = load_policy(write("extends: balanced\ncost_quality: 0.7\n"))
        assert policy.layers == ("balanced", "p")
        assert policy.body.cost_quality == 0.7
        assert policy.origin["cost_quality"] == policy.origin["aim"] == "p"
        assert policy.origin["fallback_tier"] == "balanced"
        assert policy.origin["stream"] == "default"
        assert [rule.layer for rule in policy.rules] == ["balanced"]
        assert policy.body.extends is None

    def test_a_policy_may_extend_a_file_beside_it(self, write):
        floor = write("quality: {keep: 0.9}\nrules: [{name: f, when: {}, private: true}]", "floors/org")
        team = write("extends: floors/org.yaml\nrules: [{name: t, when: {}, at_least: medium}]", "team")
        policy = load_policy(team)
        assert policy.layers == ("org", "team")
        assert [(rule.layer, rule.rule.name) for rule in policy.rules] == [("org", "f"), ("team", "t")]
        assert [path.resolve() for path in policy.files] == [floor, team]

    def test_guards_of_all_layers_act_and_the_strictest_wins(self, write):
        write("guards: {input: [{pii: {entities: [EMAIL], action: mask}}]}", "org")
        child = write("extends: org.yaml\nguards: {input: [{pii: {entities: [EMAIL], action: detect}}]}")
        verdict = load_policy(child).rails["input"].check("write to a.b@example.org")
        assert "a.b@example.org" not in verdict.text

    def test_an_allowlist_above_does_not_open_the_floor(self, write):
        write("guards: {input: [{pii: {entities: [EMAIL], action: block}}]}", "org")
        child = write(
            "extends: org.yaml\nguards: {input: [{pii: {entities: [EMAIL], action: mask, allow: [a.b@example.org]}}]}"
        )
        assert load_policy(child).rails["input"].check("a.b@example.org").action.word == "block"

    def test_a_loosening_is_a_mistake_with_its_place(self, write):
        write("quality: {keep: 0.95}\nstream: checked\n", "org")
        found = wrong(write("extends: org.yaml\nquality: {keep: 0.5}\nstream: guarded\n"))
        assert [(m.line, m.column, m.path) for m in found] == [(4, 17, "quality.keep"), (5, 9, "stream")]
        assert all("'org'" in m.message for m in found)

    def test_a_mask_over_an_immediate_floor_is_refused(self, write):
        write("stream: immediate", "org")
        (mistake,) = wrong(write("extends: org.yaml\nguards:\n  output: [{pii: {action: mask}}]\n"))
        assert (mistake.path, mistake.line) == ("guards.output", 5)

    def test_mistakes_of_the_floor_are_told_in_its_own_file(self, write):
        floor = write("tiers: [huge]", "org")
        (mistake,) = wrong(write("extends: org.yaml"))
        assert mistake.file == str(floor)
        assert mistake.path == "tiers[0]"

    def test_a_floor_that_is_not_there_is_named_at_both_ends(self, write):
        found = wrong(write("extends: nobody.yaml"))
        assert [m.path for m in found] == ["(root)", "extends"]
        assert "no such file" in found[0].message

    def test_a_preset_that_is_not_there_gets_a_guess(self, write):
        (mistake,) = wrong(write("extends: balancd"))
        assert (mistake.path, mistake.hint) == ("extends", "did you mean 'balanced'?")

    def test_layers_in_a_circle_are_refused(self, write):
        write("extends: b.yaml", "a")
        write("extends: c.yaml", "b")
        write("extends: a.yaml", "c")
        (mistake,) = wrong(write("extends: a.yaml", "p"))
        assert "circle: p -> a -> b -> c -> a" in mistake.message

    def test_a_policy_that_extends_itself_is_refused(self, write):
        (mistake,) = wrong(write("extends: p.yaml"))
        assert "circle: p -> p" in mistake.message

    def test_too_many_layers_are_refused(self, write):
        write("", "l0")
        for i in range(1, MAX_LAYERS + 1):
            write(f"extends: l{i - 1}.yaml", f"l{i}")
        assert len(load_policy(write(f"extends: l{MAX_LAYERS - 2}.yaml")).layers) == MAX_LAYERS
        (mistake,) = wrong(write(f"extends: l{MAX_LAYERS - 1}.yaml"))
        assert f"more than {MAX_LAYERS}" in mistake.message

    def test_two_layers_of_one_name_are_refused(self, write):
        write("", "floors/p")
        (mistake,) = wrong(write("extends: floors/p.yaml"))
        assert mistake.path == "name"


class TestSources:
    def test_presets_are_found_by_name(self):
        assert {"balanced", "private", "korean"} <= set(preset_names())
        assert load_policy("balanced").name == "balanced"

    def test_an_unknown_name_gets_a_guess(self):
        (mistake,) = wrong("koraen")
        assert mistake.hint == "did you mean 'korean'?"
        assert "presets are balanced" in wrong("zzz")[0].hint

    @pytest.mark.parametrize("source", ["nobody.yaml", "./nobody", "../balanced", "balanced/../balanced"])
    def test_a_path_is_never_taken_for_a_preset(self, source):
        (mistake,) = wrong(source)
        assert "no such file" in mistake.message

    def test_the_working_folder_does_not_hide_a_preset(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "balanced").mkdir()
        assert load_policy("balanced").name == "balanced"


class TestFamilies:
    def test_an_unknown_family_is_a_mistake_where_families_are_known(self, write):
        path = write("family: gema-2")
        assert load_policy(path).body.family == "gema-2"
        (mistake,) = wrong(path, families=frozenset({"generic", "gemma-2"}))
        assert (mistake.path, mistake.line, mistake.hint) == ("family", 3, "did you mean 'gemma-2'?")

    def test_a_known_family_passes(self, write):
        assert load_policy(write("family: gemma-2"), families=frozenset({"generic", "gemma-2"})).name == "p"


def test_warnings_do_not_stop_a_policy(write):
    policy = load_policy(write("tiers: [small]\nrules:\n  - {name: a, when: {}, pin: large}\n"))
    (warning,) = policy.warnings
    assert (warning.path, warning.line, warning.column) == ("rules[0].pin", 5, 30)


def test_loading_again_gives_the_same_policy(write):
    path = write("extends: private\ncost_quality: 0.2\n")
    first, second = load_policy(path), load_policy(path)
    assert first.hash == second.hash
    assert first.body == second.body
    assert first.origin == second.origin


PRESET_TEXTS = [path.read_text("utf-8") for path in sorted(PRESETS.glob("*/policy.yaml"))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_an_editor_leaves_behind_is_a_policy_or_mistakes(data, tmp_path):
    text = data.draw(st.sampled_from(PRESET_TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        put = data.draw(st.text(alphabet="{}[]:,&*!|>%@`\"'#-\n\t 0.aA가<~", max_size=4))
        text = text[:start] + put + text[end:]
    path = tmp_path / "edited.yaml"
    path.write_text(text, "utf-8")
    try:
        assert len(load_policy(path).hash) == 64
    except Mistakes as error:
        lines = text.count("\n") + 1
        assert all(1 <= m.line <= lines for m in error.mistakes if m.file == str(path))
