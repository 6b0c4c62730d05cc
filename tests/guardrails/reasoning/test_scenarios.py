from guardrails.reasoning.scenarios import rule_scenarios
from guardrails.reasoning.terms import evaluate, value_of
from tests.support.rulebooks import VARIABLES, book

USED = {"days": VARIABLES["days"], "opened": VARIABLES["opened"], "refundable": VARIABLES["refundable"]}


def test_each_rule_shows_where_it_applies_and_what_it_alone_forbids():
    rulebook = book({"late": "if days > 30 then not refundable", "opened": "if opened then not refundable"}, USED)
    for rule, scenario in zip(rulebook.rules, rule_scenarios(rulebook), strict=True):
        allowed = {name: value_of(term) for name, term in scenario.allowed.items()}
        forbidden = {name: value_of(term) for name, term in scenario.forbidden.items()}
        assert scenario.rule == rule.id
        assert evaluate(rule.premise, allowed)
        assert evaluate(rule.term, allowed)
        assert not evaluate(rule.term, forbidden)


def test_a_rule_that_never_applies_or_forbids_nothing_new_has_none():
    rules = {"a": "if opened then not refundable", "b": "if opened and days > 3 then not refundable"}
    assert rule_scenarios(book(rules, USED))[1].forbidden is None
    dead = book({"cap": "days < 5", "dead": "if days > 9 then refundable"}, USED)
    assert rule_scenarios(dead)[1].allowed is None
