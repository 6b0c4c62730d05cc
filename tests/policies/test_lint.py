"""What is allowed but hardly meant gets a warning."""

import pytest

from policies.lint import implies, lint
from policies.schema import Explore, PolicyBody, Rule, When


def warnings(*rules, tiers=("small", "medium", "large")):
    named = tuple(Rule(name=f"r{i}", **rule) for i, rule in enumerate(rules))
    return [(p.path, p.message) for p in lint(PolicyBody(stillhouse=1, name="p", tiers=tiers, rules=named))]


ALWAYS, KOREAN = When(), When(language=("ko",))


@pytest.mark.parametrize(
    ("rules", "tiers", "path", "words"),
    [
        ([{"when": ALWAYS, "pin": "large"}], ("small",), ("rules", 0, "pin"), "large is not among"),
        ([{"when": ALWAYS, "forbid": ("small", "large")}], ("small", "medium"), ("rules", 0, "forbid", 1), "anyway"),
        ([{"when": ALWAYS, "forbid": ("small", "medium")}], ("small", "medium"), ("rules", 0, "forbid"), "nothing is left"),
        ([{"when": ALWAYS, "at_least": "large"}], ("small", "medium"), ("rules", 0, "at_least"), "no tier reaches"),
        ([{"when": ALWAYS, "at_least": "small"}], ("small", "medium"), ("rules", 0, "at_least"), "does nothing"),
        ([{"when": ALWAYS, "pin": "small"}, {"when": KOREAN, "pin": "large"}], None, ("rules", 1), "never used"),
        ([{"when": ALWAYS, "private": True}, {"when": KOREAN, "private": True}], None, ("rules", 1), "says again"),
        ([{"when": ALWAYS, "at_least": "medium"}, {"when": KOREAN, "forbid": ("medium", "large")}], None,
         ("rules", 1), "leaves no tier"),
    ],
)  # fmt: skip
def test_a_doubtful_rule_is_named(rules, tiers, path, words):
    ((found, message),) = warnings(*rules, **({"tiers": tiers} if tiers else {}))
    assert found == path
    assert words in message


@pytest.mark.parametrize(
    "rules",
    [
        [{"when": KOREAN, "pin": "large"}, {"when": ALWAYS, "pin": "small"}],
        [{"when": KOREAN, "at_least": "medium"}, {"when": KOREAN, "private": True}],
        [{"when": ALWAYS, "forbid": ("small",)}, {"when": KOREAN, "at_least": "large"}],
        [{"when": ALWAYS, "pin": "small"}, {"when": KOREAN, "at_least": "medium"}],
    ],
)
def test_sensible_rules_pass_in_silence(rules):
    assert warnings(*rules) == []


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        (KOREAN, ALWAYS, True),
        (ALWAYS, KOREAN, False),
        (KOREAN, When(language=("ko", "ja")), True),
        (When(language=("ko", "ja")), KOREAN, False),
        (When(context_tokens_over=9), When(context_tokens_over=5), True),
        (When(context_tokens_over=5), When(context_tokens_over=9), False),
        (When(tools=True), When(tools=False), False),
        (When(tools=True, tag=("x",)), When(tools=True), True),
        (When(pattern="ab"), When(pattern="a"), False),
        (When(pattern="a"), When(pattern="a"), True),
    ],
)
def test_a_narrow_condition_implies_a_wide_one(narrow, wide, expected):
    assert implies(narrow, wide) is expected


def test_only_the_file_s_own_rules_are_spoken_of():
    rules = (Rule(name="a", when=ALWAYS, pin="small"), Rule(name="b", when=KOREAN, pin="large"))
    body = PolicyBody(stillhouse=1, name="p", rules=rules)
    assert [p.path for p in lint(body, own=1)] == [("rules", 0)]
    assert lint(body, own=0) == ()


def test_exploring_with_one_tier_is_named():
    body = PolicyBody(stillhouse=1, name="p", tiers=("small",), explore=Explore())
    ((path, message),) = [(p.path, p.message) for p in lint(body)]
    assert path == ("explore",)
    assert "nothing to explore" in message
