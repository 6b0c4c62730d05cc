import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.guard import command

POLICY = """\
stillhouse: 1
name: guarded
quality: {keep: 0.95}
guards:
  input:
    - pii: {entities: [EMAIL], action: mask, allow: [help@example.com]}
    - words: {words: [apex], action: block, allow: [apex predator]}
  output:
    - regex: {name: ticket, pattern: "TK-[0-9]+", max_length: 12, action: detect, allow: [TK-0]}
"""
PROBES = """\
stillhouse: 1
policy: policy.yaml
probes:
  - {id: masks, guard: {text: "to a@example.com", action: mask, categories: [EMAIL], becomes: "to [EMAIL_1]"}}
  - {id: lets-be, guard: {text: "hello", action: none}}
  - {id: reports, guard: {text: "see TK-17", direction: output, action: detect, categories: [TICKET]}}
"""


@pytest.fixture
def run(tmp_path):
    def test(policy=POLICY, probes=PROBES, *more):
        path = tmp_path / "policy.yaml"
        path.write_text(policy, encoding="utf-8")
        if probes is not None:
            (tmp_path / "probes.yaml").write_text(probes, encoding="utf-8")
        return CliRunner().invoke(command, ["test", str(path), *more], catch_exceptions=False)

    return test


def test_probes_and_allow_lines_are_cases(run):
    result = run(POLICY, PROBES, "--json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["ok"] is True
    assert [(case["kind"], case["where"], case["name"]) for case in said["cases"]] == [
        ("probe", "input", "masks"),
        ("probe", "input", "lets-be"),
        ("probe", "output", "reports"),
        ("allow", "input", "[0].pii.allow[0]"),
        ("allow", "input", "[1].words.allow[0]"),
        ("allow", "output", "[0].regex.allow[0]"),
    ]


def test_success_is_one_line(run):
    result = run()
    assert result.exit_code == 0
    assert "6 of 6 cases passed (3 probes, 3 lines of allow lists)" in result.stdout


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ('{id: bad, guard: {text: "a@example.com", action: none}}', "mask EMAIL"),
        ('{id: bad, guard: {text: "hello SECRET-WORD", action: mask, categories: [EMAIL]}}', "none"),
        ('{id: bad, guard: {text: "a@example.com", action: mask, categories: [PHONE]}}', "mask EMAIL"),
        ('{id: bad, guard: {text: "a@example.com", action: mask, becomes: "[PHONE_1]"}}', "another text"),
    ],
)
def test_a_probe_that_is_not_kept_is_shown_and_fails(run, probe, said):
    result = run(POLICY, f"stillhouse: 1\nprobes:\n  - {probe}\n")
    assert result.exit_code == 1
    assert "bad" in result.stdout
    assert said.split()[0] in result.stdout
    assert "3 of 4 cases passed" in result.stdout
    assert "SECRET-WORD" not in result.output
    assert "example.com" not in result.output


def test_an_allow_line_that_opens_nothing_fails(run, tmp_path):
    """A floor's guard still finds what a layer above wants to allow."""
    (tmp_path / "floor.yaml").write_text(
        "stillhouse: 1\nname: floor\nguards: {input: [{pii: {entities: [EMAIL], action: mask}}]}\n"
    )
    above = (
        "stillhouse: 1\nname: above\nextends: floor.yaml\n"
        "guards: {input: [{pii: {entities: [EMAIL], action: mask, allow: [help@example.com]}}]}\n"
    )
    result = run(above, None, "--json")
    assert result.exit_code == 1
    assert [(c["name"], c["found"]) for c in json.loads(result.stdout)["cases"]] == [("[1].pii.allow[0]", "EMAIL")]


def test_shadow_guards_are_tried_too(run):
    shadow = POLICY.replace(
        "guards:\n", "guards:\n  shadow:\n    input:\n      - words: {words: [b], allow: [a b c]}\n"
    )
    said = json.loads(run(shadow, None, "--json").stdout)
    assert ("allow", "shadow input", "[0].words.allow[0]") in [
        (c["kind"], c["where"], c["name"]) for c in said["cases"]
    ]


def test_a_policy_without_cases_is_no_pass(run):
    result = run("stillhouse: 1\nname: bare\n", None)
    assert result.exit_code == 2
    assert "no cases" in result.stderr


def test_wrong_probes_and_a_wrong_policy_end_with_words(run):
    assert "probes" in run(POLICY, "stillhouse: 1\nprobes: []\n").stderr
    assert run("stillhouse: 1\nname: x\nnonsense: 1\n").exit_code == 2


def test_the_presets_keep_their_cases():
    for preset in ("balanced", "korean"):
        result = CliRunner().invoke(command, ["test", preset], catch_exceptions=False)
        assert result.exit_code == 0, result.output


def test_a_guards_own_tests_are_cases(tmp_path, monkeypatch):
    """A check with ``cases`` is tried by its module's ``run_cases``."""
    import sys
    import types
    from dataclasses import replace
    from typing import NamedTuple

    from guardrails import Action
    from guardrails.run import Checked, Rails
    from policies.guard_cases import run_cases
    from policies.load import load_policy

    class Result(NamedTuple):
        name: str
        expect: str
        found: str
        passed: bool
        message: str

    class Rules:
        guard, scope, actions, cases = "rulings", "answer", frozenset({Action.BLOCK}), (1, 2)

    module = types.ModuleType("guardrails.rulings")
    module.run_cases = lambda check: [
        Result("one", "VALID", "VALID", True, ""),
        Result("two", "VALID", "INVALID", False, "expected VALID, found INVALID"),
    ]
    monkeypatch.setitem(sys.modules, "guardrails.rulings", module)
    (tmp_path / "p.yaml").write_text("stillhouse: 1\nname: p\n")
    policy = load_policy(tmp_path / "p.yaml")
    rails = {**policy.rails, "output": Rails([], [Checked(Rules(), Action.BLOCK)], "rules")}
    results = run_cases(replace(policy, rails=rails))
    assert [(r.name, r.found, r.passed) for r in results] == [
        ("rulings: one", "VALID", True),
        ("rulings: two", "expected VALID, found INVALID", False),
    ]
