import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.reasoning.truth import random_policy, situations, true_finding
from guardrails.reasoning import Shelf, prove
from guardrails.reasoning.examples import Chart
from guardrails.reasoning.prove import MAX_FACTS, apart, make_job
from guardrails.reasoning.rulebook import from_plain
from guardrails.reasoning.terms import both, evaluate, value_of
from tests.support.rulebooks import book, judged, reading

BOOK = book()


def found(*arguments, **named):
    [one] = judged(BOOK, *arguments, **named)
    return one


@pytest.mark.parametrize(
    ("premises", "claims", "finding", "rules", "warning"),
    [
        (["days = 45"], ["refundable"], "INVALID", ["window"], None),
        (["days = 45"], ["not refundable"], "VALID", ["window"], None),
        (["days = 5"], ["refundable"], "SATISFIABLE", [], None),
        (["days = 45", "refundable"], ["not opened"], "IMPOSSIBLE", ["window"], None),
        (["days = 5", "not opened", "category = other"], ["refundable"], "VALID", ["due"], None),
        ([], ["if category = food then not refundable"], "VALID", ["food"], None),
        (["days = 5"], ["days = 5"], "VALID", [], "ALWAYS_TRUE"),
        (["days = 5"], ["days = 6"], "INVALID", [], "ALWAYS_FALSE"),
        ([], ["days < 0"], "INVALID", [], "ALWAYS_FALSE"),
        (["days = 5", "days = 6"], ["days = 5"], "IMPOSSIBLE", [], "ALWAYS_FALSE"),
    ],
)
def test_each_finding_names_its_rules(premises, claims, finding, rules, warning):
    one = found(premises, claims)
    assert one["finding"] == finding
    assert one.get("supporting" if finding == "VALID" else "contradicting", []) == rules
    assert one["logic_warning"] == warning


def test_the_core_of_an_invalid_answer_names_its_claims_and_premises():
    one = found(["opened", "days = 45"], ["category = other", "refundable"])
    assert (one["core_premises"], one["core_claims"]) == ([1], [1])


def test_a_satisfiable_answer_says_what_is_unproven_and_shows_both_ways():
    one = found(["category = food"], ["not refundable", "opened"])
    assert one["unproven"] == [1]
    assert one["true_scenario"]["opened"] == ("bool", True)
    assert one["false_scenario"]["opened"] == ("bool", False)


def test_a_counter_scenario_keeps_what_can_be_kept():
    scenario = found(["days = 45"], ["category = food", "refundable"])["false_scenario"]
    assert scenario["category"] == ("enum", "category", "food")
    assert scenario["refundable"] == ("bool", False)
    assert scenario["days"] == ("num", "45")


def test_claims_without_a_common_variable_are_judged_apart():
    rules = {"a": "if opened then refundable", "b": "if price > 5 then days > 5"}
    findings = judged(book(rules), ["opened", "price = 6"], ["refundable", "days = 3"])
    assert [one["finding"] for one in findings] == ["VALID", "INVALID"]
    assert [one["premises"] for one in findings] == [(("var", "opened"),), (("=", ("var", "price"), ("num", "6")),)]


def test_dates_and_exact_numbers_are_compared():
    rules = {"a": "if bought + 30 < 2026-03-01 then not refundable", "b": "if price > 0.3 then opened"}
    dated = book(rules)
    assert judged(dated, ["bought = 2026-01-29"], ["refundable"])[0]["finding"] == "INVALID"
    assert judged(dated, ["bought = 2026-01-30"], ["refundable"])[0]["finding"] == "SATISFIABLE"
    assert judged(dated, ["price = 0.1 + 0.2"], ["not opened"])[0]["finding"] == "SATISFIABLE"
    assert judged(dated, ["price = 0.1 + 0.2001"], ["not opened"])[0]["finding"] == "INVALID"


def test_nothing_read_is_no_translation():
    assert found(["days = 5"], [])["finding"] == "NO_TRANSLATION"


def test_too_many_facts_are_too_complex():
    claims = [f"days != {n}" for n in range(MAX_FACTS + 1)]
    assert found([], claims)["finding"] == "TOO_COMPLEX"


def test_a_question_that_cannot_be_decided_in_time_is_too_complex():
    variables = {name: {"type": "int", "description": name} for name in "abc"}
    hard = book({"cubes": "if a > 1 then a * a * a + b * b * b + c * c * c = 114"}, variables)
    assert judged(hard, ["a > 1", "b > 1000", "c < -1000"], ["a > b"])[0]["finding"] == "TOO_COMPLEX"


def test_the_clock_ends_a_job_too():
    seconds = iter([0.0, *[1.0] * 9])
    [one] = judged(BOOK, [], ["refundable"], shelf=Shelf(clock=lambda: next(seconds)))
    assert one == {"finding": "TOO_COMPLEX", "confidence": 1.0}


def test_translations_that_mean_the_same_agree():
    one, two = reading(BOOK, ["days < 30"], ["refundable"]), reading(BOOK, ["days <= 29"], ["not not refundable"])
    [answer] = judged(BOOK, translations=[one, two])
    assert (answer["finding"], answer["confidence"]) == ("SATISFIABLE", 1.0)


def test_translations_that_differ_are_ambiguous_and_the_difference_is_shown():
    one, two = reading(BOOK, [], ["refundable"]), reading(BOOK, [], ["not refundable"])
    [answer] = judged(BOOK, translations=[one, one, two])
    assert (answer["finding"], answer["confidence"]) == ("TRANSLATION_AMBIGUOUS", pytest.approx(2 / 3))
    assert [option["share"] for option in answer["options"]] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert answer["difference"] == {"refundable": ("bool", True)}


def test_enough_agreement_is_enough():
    one, two = reading(BOOK, ["days = 45"], ["refundable"]), reading(BOOK, [], ["opened"])
    [answer] = judged(BOOK, translations=[two, one, one], agreement=0.6)
    assert (answer["finding"], answer["confidence"]) == ("INVALID", pytest.approx(2 / 3))


def test_an_unreadable_translation_agrees_with_none():
    one = reading(BOOK, [], ["refundable"])
    [answer] = judged(BOOK, translations=[one, None])
    assert (answer["finding"], answer["confidence"]) == ("TRANSLATION_AMBIGUOUS", 0.5)


def test_a_translation_against_the_patterns_does_not_agree():
    other = reading(BOOK, [], ["not refundable"])
    [answer] = judged(BOOK, ["days = 45"], ["refundable"], translations=[other])
    assert (answer["finding"], answer["confidence"], answer["options"]) == ("TRANSLATION_AMBIGUOUS", 0.0, [])


def test_patterns_and_translations_are_joined():
    other = reading(BOOK, ["days = 45"], [])
    assert judged(BOOK, [], ["refundable"], translations=[other])[0]["finding"] == "INVALID"


def test_a_job_survives_json_and_so_does_its_reply():
    job = make_job(BOOK, reading(BOOK, ["days = 45"], ["refundable"]), [], agreement=1.0, limit_ms=250)
    assert prove(json.loads(json.dumps(job))) == prove(job)
    assert from_plain(json.loads(json.dumps(BOOK.plain()))).hash == BOOK.hash


def test_the_shelf_keeps_the_policies_used_last():
    shelf = Shelf(size=2)
    books = [book({"r": f"if days > {n} then opened"}) for n in range(3)]
    for one in (*books, books[1]):
        judged(one, [], ["opened"], shelf=shelf)
    assert len(shelf) == 2
    assert list(shelf._warm) == [books[2].hash, books[1].hash]


def test_what_was_proved_before_changes_no_finding_and_no_core():
    shelf = Shelf()
    dice = random.Random(7)
    texts = ["days = 45", "opened", "category = food", "refundable", "not refundable", "days < 3", "not opened"]
    for _ in range(12):
        premises, claims = dice.sample(texts, 2), dice.sample(texts, 2)
        warm, fresh = judged(BOOK, premises, claims, shelf=shelf), judged(BOOK, premises, claims)
        keys = ("finding", "supporting", "contradicting", "core_premises", "core_claims", "unproven", "logic_warning")
        assert [[one.get(key) for key in keys] for one in warm] == [[one.get(key) for key in keys] for one in fresh]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_findings_scenarios_and_cores_are_the_truth_by_counting(seed):
    rulebook, read = random_policy(random.Random(seed))
    rules = tuple(rule.term for rule in rulebook.rules)
    if not any(evaluate(both(rules), situation) for situation in situations(rulebook)):
        return
    findings = prove(make_job(rulebook, read, [], agreement=1.0, limit_ms=250))["findings"]
    groups = apart(Chart(rulebook), read)
    for one, group in zip(findings, groups, strict=True):
        assert one["finding"] == true_finding(rulebook, group)
        known = (*rules, *group.premises)
        claims = both(group.claims)
        for key, wanted in (("true_scenario", True), ("false_scenario", False)):
            if one.get(key) is not None:
                shown = {name: value_of(term) for name, term in one[key].items()}
                assert any(
                    all(situation[name] == value for name, value in shown.items())
                    and all(evaluate(term, situation) for term in known)
                    and evaluate(claims, situation) is wanted
                    for situation in situations(rulebook)
                )
        core_is_enough_and_minimal(rulebook, group, one)


def core_is_enough_and_minimal(rulebook, group, one):
    named = set(one.get("supporting", one.get("contradicting", ())))
    core = [rule.term for rule in rulebook.rules if rule.id in named]
    core += [group.premises[index] for index in one.get("core_premises", ())]
    fixed = []
    if one["finding"] == "VALID":
        fixed = [("not", both(group.claims))]
    elif one["finding"] == "INVALID":
        core += [group.claims[index] for index in one["core_claims"]]
    elif one["finding"] == "SATISFIABLE":
        return

    def possible(terms):
        return any(all(evaluate(term, s) for term in terms) for s in situations(rulebook))

    assert not possible([*core, *fixed])
    for index in range(len(core)):
        assert possible([*core[:index], *core[index + 1 :], *fixed])


def test_an_irrational_solution_is_shown_as_a_number_near_it():
    rulebook = book({"root": "if opened then price * price = 2"})
    [one] = judged(rulebook, ["opened"], ["price > 1"])
    assert one["finding"] == "VALID"
    assert abs(float(value_of(one["true_scenario"]["price"])) - 2**0.5) < 1e-3
