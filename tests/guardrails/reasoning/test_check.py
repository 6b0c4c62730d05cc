import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks import CHECKS
from guardrails.reasoning import ReasoningFinding, aggregate, prove, settle
from guardrails.reasoning.outcome import ORDER, SENTENCES
from guardrails.reasoning.translate import schema, understood
from guardrails.types import Action
from guardrails.views import Ask, CheckFailed, Passage, Prove, Rewritten, View
from tests.support.rulebooks import RULES, VARIABLES, book, check, reading

LATE = View("Yes, you can get a refund.", "My laptop was delivered 45 days ago. Can I return it?")


def judged(made, view, *answers, prover=None):
    """What the check returns, and what it asked; ``answers`` are the models'."""
    asked = []
    left = list(answers)

    def ask(wanted):
        asked.append(wanted)
        return left.pop(0)

    return settle(made.run(view), ask, prover), asked


def said(*, premises=(), claims=()):
    return json.dumps({"premises": list(premises), "claims": [{"if": []} | claim for claim in claims]})


def about(variable, value, relation="="):
    return {"variable": variable, "relation": relation, "value": value}


def test_a_wrong_answer_is_found_with_its_rule_place_and_scenario():
    [finding], asked = judged(check(), LATE)
    assert asked == []
    assert isinstance(finding, ReasoningFinding)
    assert (finding.guard, finding.category, finding.reason) == ("reasoning", "INVALID", "reasoning.invalid")
    assert (finding.action, finding.score) == (Action.DETECT, 1.0)
    assert LATE.text[finding.start : finding.end] == "you can get a refund"
    assert finding.told["contradicting_rules"] == ["window"]
    assert finding.told["rule_words"] == {"window": "Returns within 30 days only."}
    assert finding.told["claims_false_scenario"] == (
        "a refund is due: no; kind of goods = electronics; days since delivery = 45 days"
    )


def test_the_record_of_a_finding_names_rules_and_quotes_nothing():
    [finding], _ = judged(check(), LATE)
    record = finding.as_dict()
    assert record["contradicting"] == ["window"]
    assert "45" not in json.dumps(record)
    assert json.loads(json.dumps(finding.told))["finding"] == "INVALID"


def test_an_answer_about_something_else_is_no_translation_and_no_action():
    [finding], _ = judged(check(), View("Good morning!", "Hello"))
    assert (finding.category, finding.action) == ("NO_TRANSLATION", Action.NONE)


def test_premises_come_from_where_the_policy_says():
    view = View("no refund", "", (Passage("delivered 45 days ago", "document"),))
    assert judged(check(), view)[0][0].category == "SATISFIABLE"
    assert judged(check(premises=["document"]), view)[0][0].category == "VALID"


def test_a_question_that_is_also_a_passage_counts_once_and_the_last_word_wins():
    passages = (Passage("delivered 5 days ago", "user"), Passage(LATE.query, "user"))
    [finding], _ = judged(check(), View(LATE.text, LATE.query, passages))
    assert finding.told["premises"].count("days since delivery = 45 days") == 1
    assert finding.category == "INVALID"


@pytest.mark.parametrize(
    ("settings", "acts"),
    [
        ({}, {"INVALID": "detect", "IMPOSSIBLE": "detect", "TOO_COMPLEX": "detect", "VALID": "none"}),
        ({"on_invalid": "block"}, {"INVALID": "block", "IMPOSSIBLE": "block", "TRANSLATION_AMBIGUOUS": "block", "TOO_COMPLEX": "block", "SATISFIABLE": "detect"}),
        ({"on_invalid": "block", "on_too_complex": "detect"}, {"TOO_COMPLEX": "detect"}),
        ({"on_satisfiable": "block", "on_no_translation": "block"}, {"SATISFIABLE": "block", "NO_TRANSLATION": "block"}),
    ],
)  # fmt: skip
def test_what_could_not_be_checked_is_treated_like_what_is_wrong(settings, acts):
    made = check(**settings)
    assert {finding: made.acts[finding].word for finding in acts} == acts
    assert made.actions <= {Action.DETECT, Action.BLOCK}


# --- rewriting

REWRITE = {"on_invalid": "rewrite", "rewrite": {"tier": "large", "max_tokens": 300}}


def test_a_wrong_answer_is_written_again_with_what_is_wrong():
    result, [ask] = judged(check(**REWRITE), LATE, "I am sorry: no refund after 30 days.")
    assert isinstance(result, Rewritten)
    assert result.text == "I am sorry: no refund after 30 days."
    assert [finding.category for finding in result.before] == ["INVALID"]
    assert [finding.category for finding in result.after] == ["VALID"]
    assert (ask.tier, ask.max_tokens, ask.schema) == ("large", 300, None)
    told = json.loads(ask.user)
    assert told["question"] == LATE.query
    assert told["first_answer"] == LATE.text
    assert told["what_is_wrong"][0]["rules_it_breaks"] == ["Returns within 30 days only."]
    assert "a refund is due: no" in told["what_is_wrong"][0]["what_the_rules_allow"]


@pytest.mark.parametrize("again", ["Still: you can get a refund.", "", "   "])
def test_an_answer_that_is_no_better_keeps_its_finding_and_blocks(again):
    findings, asked = judged(check(**REWRITE), LATE, again)
    assert [finding.category for finding in findings] == ["INVALID"]
    assert findings[0].action is Action.BLOCK
    assert len(asked) == 1


def test_a_new_answer_that_says_nothing_may_be_enough_or_not():
    assert isinstance(judged(check(**REWRITE), LATE, "Let me ask a colleague.")[0], Rewritten)
    strict = check(**REWRITE, on_no_translation="block")
    assert not isinstance(judged(strict, LATE, "Let me ask a colleague.")[0], Rewritten)


def test_a_right_answer_is_not_written_again():
    assert judged(check(**REWRITE), View("no refund", LATE.query))[1] == []


def test_a_model_that_gives_no_text_fails_the_check():
    with pytest.raises(CheckFailed, match="gave no text"):
        judged(check(**REWRITE), LATE, None)


# --- translators


def test_a_translator_is_asked_with_the_variables_and_a_schema():
    made = check(readings=[], translators={"tiers": ["small"]})
    answer = said(premises=[about("days", 45)], claims=[about("refundable", value=True)])
    [finding], [ask] = judged(made, LATE, answer)
    assert finding.category == "INVALID"
    assert (finding.start, finding.end) == (0, len(LATE.text))
    assert "- days (int, in days): days since delivery" in ask.system
    assert "electronics | food | other" in ask.system
    assert json.loads(ask.user) == {"question_and_sources": [LATE.query], "answer": LATE.text}
    jsonschema.validate(json.loads(answer), ask.schema)


def test_each_tier_is_asked_as_often_as_the_policy_says():
    made = check(readings=[], translators={"tiers": ["a", "b"], "samples": 2})
    _, asked = judged(made, LATE, *[said(claims=[about("opened", value=True)])] * 4)
    assert [(ask.tier, ask.sample) for ask in asked] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_translators_that_disagree_are_ambiguous():
    made = check(readings=[], translators={"tiers": ["a", "b"]}, on_invalid="block")
    one, two = said(claims=[about("refundable", value=True)]), said(claims=[about("refundable", value=False)])
    [finding], _ = judged(made, LATE, one, two)
    assert (finding.category, finding.score, finding.action) == ("TRANSLATION_AMBIGUOUS", 0.5, Action.BLOCK)
    assert [option["claims"] for option in finding.told["options"]] == [
        ["a refund is due: yes"],
        ["a refund is due: no"],
    ]
    assert finding.told["difference"] == "a refund is due: yes"


def test_a_translator_is_spared_where_the_patterns_read_a_claim():
    made = check(translators={"tiers": ["a"], "ask": "unread"})
    assert judged(made, LATE)[1] == []
    assert len(judged(made, View("Sure!", LATE.query), said())[1]) == 1


def test_conditions_of_a_claim_are_part_of_it():
    made = check(readings=[], translators={"tiers": ["a"]})
    claim = about("refundable", value=False) | {"if": [about("category", "food")]}
    assert judged(made, View("Food is not refunded."), said(claims=[claim]))[0][0].category == "VALID"


def test_a_translator_that_answers_in_another_form_is_an_error_not_a_pass():
    made = check(readings=[], translators={"tiers": ["a", "b"]})
    with pytest.raises(CheckFailed, match="no translator answered"):
        judged(made, LATE, "I think it is fine.", '{"premises": []}')


@pytest.mark.parametrize(
    "answer",
    [
        "", "[]", "null", "{}", '{"premises": 3, "claims": []}', '{"premises": [], "claims": [[]]}',
        said(claims=[about("nothing", 3)]),
        said(claims=[about("days", "3")]),
        said(claims=[about("days", 3.5)]),
        said(claims=[about("days", value=True)]),
        said(claims=[about("opened", 1)]),
        said(claims=[about("opened", value=True, relation="<")]),
        said(claims=[about("category", "toys")]),
        said(claims=[about("bought", "2026-02-30")]),
        said(claims=[about("price", 10**40)]),
        '{"premises": [], "claims": [{"variable": "price", "relation": "=", "value": NaN}]}',
        said(claims=[about("days", n) for n in range(70)]),
        "[" * 5000,
    ],
)  # fmt: skip
def test_what_does_not_fit_is_no_translation(answer):
    assert understood(answer, book()) is None


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["premises", "claims", "variable", "relation", "value", "if"]), inner, max_size=5), max_leaves=12))  # fmt: skip
def test_any_json_is_a_translation_or_none(value):
    understood(json.dumps(value), book())


def test_numbers_of_a_translation_are_exact():
    rulebook = book()
    found = understood(said(claims=[about("price", 0.1)]), rulebook)
    assert found.claims == reading(rulebook, claims=["price = 0.1"]).claims


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema(book()))


# --- the solver's side


@pytest.mark.parametrize(
    "reply",
    [None, [], {}, {"findings": []}, {"findings": [{"finding": "FINE", "confidence": 1}]}, {"findings": [{}]},
     {"findings": [{"finding": "INVALID", "confidence": 1, "contradicting": ["who"]}]},
     {"findings": [{"finding": "VALID", "confidence": 1, "claims": [["var", "nothing"]]}]},
     {"findings": [{"finding": "VALID", "confidence": 1, "core_premises": [7]}]},
     {"findings": "x"}, "x"],
)  # fmt: skip
def test_a_reply_that_is_none_fails_the_check(reply):
    with pytest.raises(CheckFailed):
        judged(check(), LATE, prover=lambda _: reply)


def test_a_solver_that_fails_fails_the_check():
    def dead(_):
        raise CheckFailed("the solver's process ended")

    with pytest.raises(CheckFailed):
        judged(check(), LATE, prover=dead)


def test_the_job_crosses_a_process_as_json():
    def through_json(wanted):
        assert isinstance(wanted, Prove)
        return json.loads(json.dumps(prove(json.loads(json.dumps(wanted.job)))))

    assert judged(check(), LATE, prover=through_json)[0] == judged(check(), LATE)[0]


def test_the_same_question_has_the_same_findings():
    made = check()
    assert judged(made, LATE)[0] == judged(made, LATE)[0]


def test_a_check_never_asks_without_a_model():
    with pytest.raises(CheckFailed, match="the tier 'large' is asked"):
        settle(check(**REWRITE).run(LATE))


# --- the table


def test_the_table_compiles_the_guard():
    kind = CHECKS["reasoning"]
    made = kind.compile(kind.config.model_validate({"variables": VARIABLES, "rules": RULES, "readings": ["{days}"]}), 3)
    assert (made.guard, made.item) == ("reasoning", 3)
    assert all(one.summary and name == one.name for name, one in CHECKS.items())


def test_findings_have_one_order_and_one_sentence_each():
    assert aggregate(["VALID", "INVALID", "SATISFIABLE"]) == "INVALID"
    assert aggregate(["IMPOSSIBLE", "INVALID", "TRANSLATION_AMBIGUOUS"]) == "TRANSLATION_AMBIGUOUS"
    assert aggregate([]) == "NO_TRANSLATION"
    assert set(SENTENCES) == set(ORDER)


def test_an_ask_is_plain_data():
    _, [ask] = judged(check(**REWRITE), LATE, "no refund")
    assert isinstance(ask, Ask)
    json.dumps([ask.system, ask.user])
