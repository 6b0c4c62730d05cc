"""``check``: one text, one call."""

import pytest

import stillhouse
from guardrails import Action, GuardConfigErrors, Placeholders, check, compile_rails
from guardrails.run import Checked, Rails
from guardrails.types import Finding
from guardrails.views import Ask, CheckFailed

PII = [{"pii": {"entities": ["EMAIL"], "action": "mask"}}]


class Asks:
    """A guard that asks a model whether the text is fine."""

    guard, scope, actions = "asks", "answer", frozenset({Action.BLOCK})

    def run(self, view):
        reply = yield Ask("small", "Is it fine?", f"{view.query}|{[p.text for p in view.passages]}|{view.text}")
        return () if reply == "yes" else (Finding("asks", "BAD", 0.5, 0, 1, Action.BLOCK, "asks.bad"),)


def asking(lost=Action.BLOCK):
    return Rails([], [Checked(Asks(), lost)], "asks")


def test_a_list_of_guards_is_enough():
    verdict = check("write to kim@example.com", PII)
    assert (verdict.action, verdict.text) == (Action.MASK, "write to [EMAIL_1]")


def test_compiled_guards_give_the_same():
    rails = compile_rails(PII)
    assert check("to kim@example.com", rails) == check("to kim@example.com", PII)


def test_it_is_one_of_the_public_names():
    assert stillhouse.check is check


def test_shared_placeholders_agree():
    held = Placeholders()
    texts = [check(f"to {who}@example.com", PII, placeholders=held).text for who in ("a", "b", "a")]
    assert texts == ["to [EMAIL_1]", "to [EMAIL_2]", "to [EMAIL_1]"]


def test_a_role_that_a_guard_does_not_read_is_not_read():
    guards = [{"pii": {"entities": ["EMAIL"], "action": "block", "roles": ["document"]}}]
    assert check("a@example.com", guards, role="user").action is Action.NONE
    assert check("a@example.com", guards, role="document").action is Action.BLOCK


def test_a_wrong_configuration_is_refused():
    with pytest.raises(GuardConfigErrors) as wrong:
        check("x", [{"pii": {"entities": ["EMIAL"]}}])
    assert wrong.value.path == (0, "pii", "entities", 0)


def test_a_check_sees_the_query_and_the_sources():
    asked = []
    verdict = check("A.", asking(), query="Q?", sources=["S"], answer=lambda ask: asked.append(ask.user) or "yes")
    assert verdict.action is Action.NONE
    assert asked == ["Q?|['S', 'Q?']|A."]
    assert check("A.", asking(), answer=lambda _: "no").action is Action.BLOCK


def test_a_claim_is_proved_in_this_process_where_nobody_else_does():
    rules = {
        "variables": {
            "days": {"type": "int", "unit": "day", "description": "days"},
            "refund": {"type": "bool", "description": "a refund is given"},
        },
        "rules": {"late": "if days > 30 then not refund"},
        "readings": [
            {"pattern": "{days} ago", "of": "premise"},
            {"pattern": "you get a refund", "says": "refund", "of": "claim"},
        ],
        "on_invalid": "block",
    }
    rails = compile_rails([{"reasoning": rules}])
    for days, action in ((45, Action.BLOCK), (3, Action.DETECT)):
        assert check("Yes, you get a refund.", rails, query=f"It was {days} days ago.").action is action


@pytest.mark.parametrize("answer", [None, lambda _: (_ for _ in ()).throw(CheckFailed("down"))])
def test_a_check_that_nobody_answers_is_a_finding(answer):
    verdict = check("A.", asking(), answer=answer)
    assert (verdict.action, [f.category for f in verdict.findings]) == (Action.BLOCK, ["ERROR"])
    assert check("A.", asking(Action.DETECT), answer=answer).action is Action.DETECT
