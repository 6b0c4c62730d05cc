import subprocess
import sys

import pytest
from pydantic import ValidationError

from guardrails.reasoning import compile_reasoning, run_cases
from guardrails.types import GuardConfigError, GuardConfigErrors
from tests.support.rulebooks import RULES, VARIABLES, check, config

INT = {"type": "int", "description": "n"}


def mistakes(**changes):
    with pytest.raises(GuardConfigErrors) as caught:
        check(**changes)
    return [(error.path, error.message, error.hint) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("variables", "path", "part"),
    [
        ({"kind": {"type": "enum", "description": "k"}}, ("variables", "kind", "values"), "at least two"),
        ({"kind": {"type": "enum", "description": "k", "values": ["a"]}}, ("variables", "kind", "values"), "at least two"),
        ({"n": {"type": "int", "description": "n", "values": ["a", "b"]}}, ("variables", "n", "values"), "no values"),
        ({"b": {"type": "bool", "description": "b", "unit": "day"}}, ("variables", "b", "unit"), "no unit"),
        ({"n": {"type": "int", "description": "n", "min": 0.5}}, ("variables", "n", "min"), "no bound"),
        ({"n": {"type": "number", "description": "n", "min": float("nan")}}, ("variables", "n", "min"), "no bound"),
        ({"n": {"type": "int", "description": "n", "min": 3, "max": 1}}, ("variables", "n", "min"), "greater than 'max'"),
        ({"d": {"type": "date", "description": "d", "max": "2026-02-30"}}, ("variables", "d", "max"), "no bound"),
        ({"b": {"type": "bool", "description": "b", "max": 3}}, ("variables", "b", "max"), "no bound"),
        ({"kind": {"type": "enum", "description": "k", "values": ["days", "b"]}}, ("variables", "kind", "values", "days"), "also the name"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_refused_at_its_place(variables, path, part):
    [(where, message, _)] = mistakes(variables=VARIABLES | variables)
    assert where == path
    assert part in message


@pytest.mark.parametrize(
    ("rule", "path", "message", "hint"),
    [
        ("if dayz > 3 then opened", ("rules", "r", "rule"), "rule 'r', column 4: unknown variable 'dayz'", "did you mean days?"),
        ("if days > 3 then price", ("rules", "r", "rule"), "column 18: 'price' is a number", "compare"),
        ("if category = electronic then opened", ("rules", "r", "rule"), "column 15: 'electronic' is not a value", "electronics"),
        ("if opened > 3 then opened", ("rules", "r", "rule"), "column 11: a bool cannot be compared with an int", ""),
        ({"smt": "(=> opened (> day 3))"}, ("rules", "r", "smt"), "column 15: unknown variable 'day'", "days"),
        ({"words": "nothing"}, ("rules", "r"), "either 'rule' or 'smt'", ""),
        ({"rule": "opened", "smt": "opened"}, ("rules", "r"), "either 'rule' or 'smt'", ""),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_id_and_column(rule, path, message, hint):
    [(where, said, helped)] = mistakes(rules={"r": rule})
    assert where == path
    assert message in said
    assert hint in helped


def test_all_mistakes_come_at_once():
    found = mistakes(
        rules={"a": "nothing", "b": "days", "c": "opened"}, variables=VARIABLES | {"x": INT | {"min": "a"}}
    )
    assert [path for path, _, _ in found] == [("variables", "x", "min"), ("rules", "a", "rule"), ("rules", "b", "rule")]


def test_contradictory_rules_are_refused_by_name():
    [(path, message, hint)] = mistakes(rules=RULES | {"low": "days < 5", "high": "days > 9"})
    assert path == ("rules", "low")
    assert message == "the rules 'low', 'high' can never hold together"
    assert hint == "change one of them"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"readings": []}, ("readings",)),
        ({"on_invalid": "rewrite"}, ("rewrite",)),
        ({"rewrite": {"tier": "large"}}, ("rewrite",)),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, path):
    assert [where for where, _, _ in mistakes(**changes)] == [path]


@pytest.mark.parametrize(
    "changes",
    [
        {"on_invalid": "mask"},
        {"translators": {"tiers": []}},
        {"translators": {"tiers": ["a"], "agreement": 1.5}},
        {"limit_ms": 0},
        {"rules": {}},
        {"variables": {}},
        {"variables": {"a b": INT}},
        {"variables": {"n": {"type": "float", "description": "n"}}},
        {"variables": {"n": {"type": "int"}}},
        {"variables": {"n": {"type": "enum", "description": "n", "values": [["a"], "b"]}}},
        {"variables": {"n": {"type": "enum", "description": "n", "values": ["a", "a"]}}},
        {"variables": {"n": {"type": "enum", "description": "n", "values": ["a", " "]}}},
        {"premises": ["assistant"]},
        {"unknown": 1},
        {"rules": {f"r{n}": "opened" for n in range(201)}},
    ],
)
def test_what_the_form_does_not_know_is_refused(changes):
    with pytest.raises(ValidationError):
        config(**changes)


def test_warnings_do_not_refuse():
    assert {one.kind for one in check(rules=RULES | {"year": "if days > 365 then not refundable"}).warnings} >= {
        "redundant", "unused-variable", "unused-value",
    }  # fmt: skip


def test_the_hash_names_what_the_solver_sees():
    same = check(rules=RULES | {"window": {"rule": "if days > 30 then not (refundable)", "words": "Other words."}})
    other = check(rules=RULES | {"window": "if days > 31 then not refundable"})
    assert check().book.hash == same.book.hash != other.book.hash


# --- a policy's own tests

CASES = [
    {"given": "days = 45", "claim": "refundable", "expect": "INVALID", "rules": ["window"]},
    {"name": "food", "question": "My groceries", "answer": "no refund", "expect": "VALID", "rules": ["food"]},
]


def test_a_policys_own_tests_run():
    results = run_cases(check(tests=CASES))
    assert [(one.name, one.kind, one.found, one.passed) for one in results] == [
        ("test 1", "scenario", "INVALID", True),
        ("food", "question", "VALID", True),
    ]


def test_a_test_that_fails_says_what_was_found():
    wrong = [CASES[0] | {"expect": "VALID"}, CASES[0] | {"rules": ["food"]}]
    assert [(one.passed, one.message) for one in run_cases(check(tests=wrong))] == [
        (False, "expected VALID, found INVALID"),
        (False, "expected the rules food, found window"),
    ]


def test_a_test_that_needs_a_model_fails_without_one_and_runs_with_one():
    made = check(tests=CASES, translators={"tiers": ["small"]})
    assert [(one.found, one.passed) for one in run_cases(made)] == [("INVALID", True), ("FAILED", False)]
    answered = run_cases(made, ask=lambda _: '{"premises": [], "claims": []}')
    assert [one.passed for one in answered] == [True, True]


@pytest.mark.parametrize(
    ("case", "path", "part"),
    [
        ({"expect": "VALID"}, ("tests", 0), "either a 'claim' or an 'answer'"),
        ({"claim": "opened", "answer": "x", "expect": "VALID"}, ("tests", 0), "either a 'claim' or an 'answer'"),
        ({"claim": "opend", "expect": "VALID"}, ("tests", 0, "claim"), "column 1"),
        ({"claim": "opened", "question": "x", "expect": "VALID"}, ("tests", 0, "question"), "reads no question"),
        ({"answer": "x", "given": "opened", "expect": "VALID"}, ("tests", 0, "given"), "reads what is given"),
        ({"claim": "opened", "rules": ["windw"], "expect": "VALID"}, ("tests", 0, "rules"), "unknown rule 'windw'"),
    ],
)
def test_a_wrong_test_is_refused_at_its_place(case, path, part):
    [(where, message, _)] = mistakes(tests=[case])
    assert where == path
    assert part in message


# --- the solver is an extra


def test_the_guards_do_not_load_the_solver_until_it_is_needed():
    code = "import sys, guardrails.checks, router.serve.guards.prover; print('z3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_solver_a_policy_is_refused_with_the_way_to_mend_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(GuardConfigError, match=r"stillhouse\[reasoning\]"):
        compile_reasoning(config(), 0)
