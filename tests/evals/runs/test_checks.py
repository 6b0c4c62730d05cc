"""Assertions on items: pass, fail, and what could not be decided."""

import pytest

from evals.runs.checks import checks_of, verdict_of
from evals.runs.record import Check, Item
from evals.suites.grammar import Suite

SUITE = {
    "suite": "s",
    "about": "a",
    "data": {"file": "a.csv"},
    "targets": [{"name": "t", "tier": "small"}, {"name": "u", "tier": "large"}],
    "scorers": [{"exact": {}}],
    "slices": ["language"],
}


def suite(*asserted):
    import json

    return Suite.model_validate_json(json.dumps({**SUITE, "assert": asserted}))


def items(target="t", right=80, of=100, **fields):
    return [
        Item(target=target, id=str(n), quality=float(n < right), scores={"exact": float(n < right)}, cost_nano=10**6,
             latency_ms=float(n), slices={"language": "ko" if n % 2 else "en"}, **fields)
        for n in range(of)
    ]  # fmt: skip


def verdicts(asserted, mine, others=None):
    return [check.verdict for check in checks_of(suite(asserted), mine, others or {})]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("quality >= 0.8", "pass"),
        ("quality >= 0.81", "fail"),
        ("quality surely >= 0.7", "pass"),
        ("quality surely >= 0.8", "fail"),
        ("exact >= 80%", "pass"),
        ("cost <= 0.1 usd", "pass"),
        ("cost <= 0.09 usd", "fail"),
        ("cost per item <= 0.001 usd", "pass"),
        ("latency p95 <= 94 ms", "pass"),
        ("latency p95 <= 93 ms", "fail"),
        ("errors <= 0%", "pass"),
        ("errors surely <= 1%", "fail"),
        ("saving >= 0%", "error"),
        ("recall@fpr 1% >= 1%", "error"),
    ],
)
def test_bounds(text, verdict):
    assert verdicts({"that": text, "of": ["t"]}, items()) == [verdict]


def test_figures_are_in_the_unit_of_their_assertion():
    found = checks_of(
        suite(*({"that": text, "of": ["t"]} for text in ("cost <= 1 usd", "latency p99 <= 1 s"))), items(), {}
    )
    assert [check.value for check in found] == [pytest.approx(0.1), 98.0]


def test_each_value_of_a_slice_and_where():
    uneven = [i for i in items() if i.slices["language"] == "ko" or float(i.id) < 90]
    found = checks_of(suite({"that": "quality >= 0.85", "of": ["t"], "each": "language"}), uneven, {})
    assert [(check.says, check.verdict, check.n) for check in found] == [
        ("quality >= 0.85, language en", "pass", 45),
        ("quality >= 0.85, language ko", "fail", 50),
    ]
    [only] = checks_of(suite({"that": "quality >= 0.5", "of": ["t"], "where": {"language": "en"}}), uneven, {})
    assert (only.n, only.verdict) == (45, "pass")
    assert verdicts({"that": "quality >= 0.5", "of": ["t"], "where": {"language": "fr"}}, uneven) == ["error"]


def test_a_slice_that_no_answer_has_leaves_its_assertion_undecided():
    bare = [Item(target="t", id=str(n), quality=1.0) for n in range(9)]
    [check] = checks_of(suite({"that": "quality >= 0.5", "of": ["t"], "each": "language"}), bare, {})
    assert (check.verdict, check.why) == ("error", "no answer has a value of language")


def test_rows_whose_ids_name_other_questions_now_are_not_compared():
    asserted = {"that": "no worse than RUN by > 10%", "of": ["t"]}
    now, then = items("t", 80, prompt="2 + 2?"), items("t", 80, prompt="3 + 3?")
    [check] = checks_of(suite(asserted), now, {"RUN": then})
    assert (check.verdict, check.why.split(" in ")[0]) == ("error", "100 rows ask something else")
    assert verdicts(asserted, now, {"RUN": now}) == ["pass"]


def test_a_target_without_an_answer_is_an_error_not_a_pass():
    assert verdicts("errors <= 0%", items("t")) == ["pass", "error"]


def test_no_worse_than_another_target_is_decided_row_by_row():
    both = [*items("t", 80), *items("u", 81)]
    assert verdicts({"that": "no worse than u by > 10%", "of": ["t"]}, both) == ["pass"]
    worse = [*items("t", 60), *items("u", 81)]
    [check] = checks_of(suite({"that": "no worse than u by > 10%", "of": ["t"]}), worse, {})
    assert (check.verdict, check.value, check.n) == ("fail", pytest.approx(-0.21), 100)
    assert check.low < check.value < check.high


def test_no_worse_than_a_run_takes_the_same_target_of_it():
    run = {"RUN": [*items("t", 80), *items("u", 0)]}
    assert verdicts({"that": "no worse than RUN by > 10%", "of": ["t"]}, items("t", 80), run) == ["pass"]
    alone = {"RUN": items("old-name", 80)}
    assert verdicts({"that": "no worse than RUN by > 10%", "of": ["t"]}, items("t", 80), alone) == ["pass"]
    nothing = {"RUN": [Item(target="t", id="other", quality=1.0)]}
    assert verdicts({"that": "no worse than RUN by > 10%", "of": ["t"]}, items("t", 80), nothing) == ["error"]


def test_several_slices_are_held_to_a_narrower_share_of_the_error():
    run = {"RUN": items("t", 85)}
    [whole] = checks_of(suite({"that": "no worse than RUN by > 20%", "of": ["t"]}), items("t", 80), run)
    parts = checks_of(
        suite({"that": "no worse than RUN by > 40%", "of": ["t"], "each": "language"}), items("t", 80), run
    )
    assert len(parts) == 2
    assert all(part.high - part.low > whole.high - whole.low for part in parts)


def test_a_run_may_be_left_out_in_so_many_words():
    asserted = suite({"that": "no worse than RUN by > 10%", "of": ["t"]}, "errors <= 0%")
    assert len(checks_of(asserted, [*items("t"), *items("u")], {}, without_run=True)) == 2


@pytest.mark.parametrize(
    ("verdicts", "incomplete", "whole"),
    [((), "", "pass"), (("pass", "fail"), "", "fail"), (("fail", "error"), "", "error"), (("pass",), "cut", "error")],
)
def test_a_run_is_as_good_as_its_worst_check(verdicts, incomplete, whole):
    assert verdict_of([Check(says="s", target="t", verdict=v) for v in verdicts], incomplete) == whole
