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


RULES = """\
stillhouse: 1
name: ruled
stream: checked
guards:
  output:
    - reasoning:
        name: returns
        on_invalid: block
        variables:
          days: {type: int, unit: day, description: days since the purchase}
          refund: {type: bool, description: a refund is given}
          unused: {type: bool, description: nothing speaks of this}
        rules: {late: if days > 30 then not refund}
        readings:
          - {pattern: "{days} ago", of: premise}
          - {pattern: you get a refund, says: refund, of: claim}
        tests:
          - {name: late, given: days = 45, claim: refund, expect: INVALID, rules: [late]}
          - {name: read, question: I bought it 45 days ago., answer: "Yes, you get a refund.", expect: EXPECTED}
"""


def test_tests_of_rules_are_cases_and_lint_is_told(run):
    result = run(RULES.replace("EXPECTED", "INVALID"), None)
    assert result.exit_code == 0
    assert "2 of 2 cases passed (2 tests of rules)" in result.stdout
    assert "unused" in result.stderr


def test_a_test_of_rules_that_fails_says_what_was_found(run):
    result = run(RULES.replace("EXPECTED", "VALID"), None, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert [(case["kind"], case["name"], case["passed"]) for case in said["cases"]] == [
        ("rules", "reasoning: late", True),
        ("rules", "reasoning: read", False),
    ]
    assert "found INVALID" in said["cases"][1]["found"]
    assert said["warnings"]
