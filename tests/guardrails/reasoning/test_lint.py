import pytest

from guardrails.reasoning.lint import lint, unread
from tests.support.rulebooks import VARIABLES, book

USED = {"days": VARIABLES["days"], "opened": VARIABLES["opened"], "refundable": VARIABLES["refundable"]}


def said(rules, variables=USED):
    return [(one.level, one.kind, one.about) for one in lint(book(rules, variables))]


def of(kind, complaints):
    return [about for _, found, about in complaints if found == kind]


def test_good_rules_get_no_complaint():
    assert said({"late": "if days > 30 then not refundable", "opened": "if opened then not refundable"}) == []


def test_contradictory_rules_are_an_error_that_names_the_fewest():
    found = said(
        {"fine": "if opened then days > 3", "low": "days < 3", "high": "days > 5", "also": "if refundable then opened"}
    )
    assert found[0] == ("error", "contradiction", ("low", "high"))


def test_a_rule_that_can_never_hold_is_named_alone():
    assert said({"never": "days < -1", "x": "if opened then refundable"})[0][2] == ("never",)


def test_a_redundant_rule_names_what_says_it_already():
    found = said(
        {
            "month": "if days > 30 then not refundable",
            "year": "if days > 365 then not refundable",
            "o": "if opened then days > 1",
        }
    )
    assert of("redundant", found) == [("year", "month")]


def test_an_empty_rule_says_nothing():
    assert of("empty", said({"empty": "if opened then opened", "x": "if opened and days > 3 then refundable"})) == [
        ("empty",)
    ]


def test_an_unreachable_condition_names_what_excludes_it():
    found = said({"cap": "if opened then days <= 10", "dead": "if opened and days > 20 then refundable"})
    assert of("unreachable", found) == [("dead", "cap")]
    alone = said({"dead": "if days > 5 and days < 3 then refundable", "x": "if opened then refundable"})
    assert of("unreachable", alone) == [("dead",)]


def test_rules_that_clash_where_both_apply_are_named():
    found = said({"late": "if days > 30 then not refundable", "opened": "if opened then refundable"})
    assert of("clashing", found) == [("late", "opened")]


def test_rules_whose_conditions_exclude_each_other_do_not_clash():
    assert (
        said(
            {
                "late": "if days > 30 then not refundable",
                "soon": "if days <= 30 then refundable",
                "o": "if opened then days > 1",
            }
        )
        == []
    )


def test_a_bare_assertion_is_named():
    assert of("bare", said({"bare": "not refundable", "x": "if opened then days > 3"})) == [("bare",)]


def test_unused_variables_and_values_are_named():
    found = said({"food": "if category = food then not refundable"}, USED | {"category": VARIABLES["category"]})
    assert of("unused-variable", found) == [("days",), ("opened",)]
    [complaint] = [
        one for one in lint(book({"food": "if category = food then not refundable"})) if one.kind == "unused-value"
    ]
    assert complaint.about == ("category",)
    assert "'electronics', 'other'" in complaint.message


def test_values_count_as_used_where_enums_are_compared():
    variables = USED | {name: {"type": "enum", "values": ["a", "b"], "description": name} for name in ("one", "two")}
    rules = {"same": "if one = two then refundable", "o": "if opened then days > 3"}
    # Two enums are of one sort only when their values are the same.
    assert not of("unused-value", said(rules, variables))


def test_variables_that_nothing_reads_are_named():
    rulebook = book({"late": "if days > 30 then not refundable"}, USED)
    assert [one.about for one in unread(rulebook, {"days": True})] == [("refundable",)]


def test_what_cannot_be_decided_is_said_and_ends():
    variables = {name: {"type": "int", "description": name} for name in "abc"}
    cubes = "a * a * a + b * b * b + c * c * c"
    rules = {f"cubes-{n}": f"if a > 1 then {cubes} = {n}" for n in (114, 165, 390, 579, 627, 633, 732, 906)}
    found = said(rules, variables)
    assert all(level == "warning" for level, _, _ in found)
    assert 1 <= len(of("undecided", found)) <= 7


@pytest.mark.parametrize("text", ["if 하자 then 환불", "if not 하자 then not 환불"])
def test_rules_in_korean_are_rules(text):
    variables = {name: {"type": "bool", "description": name} for name in ("하자", "환불")}
    assert said({"규칙": text}, variables) == []
