"""promptfoo's configuration as suites: what is carried says the same, what is not is named."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evals.migrate.places import ForeignError
from evals.migrate.promptfoo import promptfoo_suites
from evals.migrate.suites import suite_text
from stillhouse.cli.migrate import command

HERE = Path(__file__).parent / "promptfoo"
CONFIG = HERE / "promptfooconfig.yaml"


def read(name):
    return (HERE / name).read_text()


def carry(text=None, **changes):
    given = {"file": "promptfooconfig.yaml", "name": "capitals", "read": read, "config": "stillhouse.yaml"}
    return promptfoo_suites(CONFIG.read_text() if text is None else text, **{**given, **changes})


def said(tale, kind, what):
    return " ".join(told.words for told in tale.of(kind) if told.what == what)


def test_tests_that_are_scored_alike_make_one_suite():
    made, _ = carry()
    absent = {"regex": {"absent": True, "pattern": "As an AI"}}
    assert [one.suite["scorers"] for one in made] == [
        [{"contains": {}}, absent],
        [{"exact": {"strict": True}, "weight": 2}, absent],
        [
            {"json_schema": {"schema": {"type": "object", "required": ["a"]}}},
            {"regex": {"pattern": '"a"\\s*:'}},
            {"judge": {"by": "large", "question": "It is short and to the point."}},
            {"name": "regex-2", **absent},
        ],
        [absent],
    ]
    assert [len(one.rows) for one in made] == [4, 8, 4, 4]


def test_prompts_are_filled_in_and_every_combination_of_values_is_a_row():
    made, _ = carry()
    rows = made[1].rows
    assert [row["messages"][-1]["content"] for row in rows[:4]] == [
        "Answer in one word: What is 2 + 2?",
        "What is 2 + 2?",
        "First of the file: What is 2 + 2?",
        "Second of the file, plain: What is 2 + 2?",
    ]
    assert rows[1]["messages"][0] == {"role": "system", "content": "You are kind."}
    assert {row["reference"] for row in rows} == {"4"}
    assert len({row["id"] for one in made for row in one.rows}) == 20
    assert rows[0]["stem"] == rows[3]["stem"] != rows[4]["stem"]
    assert made[0].rows[0]["metadata"] == {"topic": "geography"}


def test_providers_become_targets_by_the_models_name():
    made, tale = carry()
    assert made[0].suite["targets"] == [
        {"name": "gpt-5-mini", "model": "gpt-5-mini"},
        {"name": "sonnet", "model": "claude-sonnet-4-5"},
    ]
    assert "params" not in made[0].suite
    assert "differ in their parameters" in said(tale, "lost", "providers")
    assert "no model" in said(tale, "lost", "providers[2]")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("prompts[3]", "code is not run"),
        ("prompts[4]", "filters"),
        ("tests[1].assert[1]", "'javascript': code is not run"),
        ("tests[2].assert[3]", "'similar'"),
        ("tests[3].assert[0]", "'python': code is not run"),
        ("tests[5]", "in another file"),
        ("evaluateOptions", "runner's own"),
        ("redteam", "attack suites"),
    ],
)
def test_what_is_not_carried_is_named_with_its_reason(what, words):
    _, tale = carry()
    assert words in said(tale, "lost", what)


def test_a_test_that_nothing_is_left_of_and_one_without_its_values_are_named():
    _, tale = carry(
        "prompts: ['{{q}}']\ntests:\n- vars: {q: a}\n  assert: [{type: python, value: x}]\n- vars: {q: b}\n  assert: [{type: equals, value: b}]\n- assert: [{type: equals, value: b}]\n"
    )
    assert "left out" in said(tale, "lost", "tests[0]")
    assert "no value for q" in said(tale, "lost", "tests[2]")


@pytest.mark.parametrize(
    ("kind", "value", "answer", "passes"),
    [
        ("starts-with", "a.b", "a.bc", True),
        ("starts-with", "a.b", "axb", False),
        ("not-icontains", "NO", "so no", False),
        ("not-contains-any", ["x", "y"], "z", True),
        ("not-equals", "4", " 4\n", False),
        ("not-equals", "4", "44", True),
    ],
)
def test_an_assertion_as_a_pattern_says_the_same(kind, value, answer, passes):
    import re

    text = yaml.safe_dump({"prompts": ["hi"], "tests": [{"assert": [{"type": kind, "value": value}]}]})
    [made], _ = carry(text)
    [scorer] = made.suite["scorers"]
    found = re.search(scorer["regex"]["pattern"], answer) is not None
    assert found is not scorer["regex"].get("absent", False) or not passes
    assert (found != scorer["regex"].get("absent", False)) is passes


@pytest.mark.parametrize(
    "text",
    ["", "prompts: []\n", "tests: []\n", "prompts: ['x']\ntests: [{assert: [{type: javascript, value: 'true'}]}]\n"],
)
def test_a_file_without_a_test_that_can_be_carried_is_refused(text):
    with pytest.raises(ForeignError):
        carry(text)


def test_what_is_expected_may_be_a_value_of_the_test():
    text = yaml.safe_dump(
        {
            "prompts": ["{{q}}"],
            "defaultTest": {"assert": [{"type": "equals", "value": "{{right}}"}]},
            "tests": [{"vars": {"q": "a", "right": "b"}}, {"vars": {"q": "c", "right": "d"}}, {"vars": {"q": "e"}}],
        }
    )
    [made], tale = carry(text)
    assert [row["reference"] for row in made.rows] == ["b", "d"]
    assert "no value for right" in said(tale, "lost", "tests[2]")


@pytest.mark.parametrize(
    ("each", "words"),
    [
        ({"type": "regex", "value": "(?=a)b"}, "none that re2 knows"),
        ({"type": "is-json", "value": {"type": "object", "dependentSchemas": {"a": {}}}}, "beyond the part"),
        ({"type": "equals", "value": "{{ q | upper }}"}, "'equals'"),
        ({"type": "starts-with", "value": "{{q}}"}, "'starts-with'"),
    ],
)
def test_an_assertion_that_no_suite_could_load_is_named(each, words):
    kept = {"type": "equals", "value": "x"}
    _, tale = carry(yaml.safe_dump({"prompts": ["{{q}}"], "tests": [{"vars": {"q": "a"}, "assert": [each, kept]}]}))
    assert words in said(tale, "lost", "tests[0].assert[0]")


def test_a_setting_that_nobody_knows_is_named_wherever_it_stands():
    whole = yaml.safe_load(CONFIG.read_text())
    for place in ((), ("tests", 0), ("tests", 0, "assert", 0), ("defaultTest",), ("providers", 1), ("prompts", 1)):
        text = yaml.safe_load(CONFIG.read_text())
        node = text
        for part in place:
            node = node[part]
        node["zz-unheard-of"] = 7
        _, tale = carry(yaml.safe_dump(text, sort_keys=False))
        assert any(told.what.endswith("zz-unheard-of") for told in tale.of("lost")), place
    assert "zz-unheard-of" not in whole


def test_the_command_writes_suites_beside_their_rows(tmp_path):
    done = CliRunner().invoke(command, ["promptfoo", str(CONFIG), "--out", str(tmp_path), "--name", "capitals"])
    assert done.exit_code == 0, done.output
    assert "suite capitals-2, 8 rows" in done.output
    suite = yaml.safe_load((tmp_path / "capitals-2.yaml").read_text())
    assert (suite["suite"], suite["data"], suite["assert"]) == (
        "capitals-2", {"file": "capitals-2.jsonl"}, ["quality >= 1"],
    )  # fmt: skip
    assert len((tmp_path / "capitals-2.jsonl").read_text().splitlines()) == 8
    again = CliRunner().invoke(command, ["promptfoo", str(CONFIG), "--out", str(tmp_path), "--name", "capitals"])
    assert again.exit_code == 2


def test_a_file_outside_the_configurations_folder_is_not_read(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("{{q}} never to be read")
    (folder / "c.yaml").write_text(
        "prompts: ['file://../secret.txt', '{{q}}']\ntests: [{vars: {q: a}, assert: [{type: equals, value: a}]}]\n"
    )
    done = CliRunner().invoke(command, ["promptfoo", str(folder / "c.yaml"), "--out", str(folder / "out")])
    assert "outside" in done.output
    assert "never to be read" not in (folder / "out" / "c.jsonl").read_text()


def test_the_suites_are_in_the_grammar_of_suites(tmp_path):
    grammar = pytest.importorskip("evals.suites.grammar")
    from policies.yaml import load_strict

    for one in carry()[0]:
        suite = load_strict(suite_text(one), grammar.Suite, file=f"{one.name}.yaml")
        assert suite.suite == one.name
        assert json.loads(suite.model_dump_json())["scorers"]
