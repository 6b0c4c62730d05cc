"""The figures of cascades are what the recorded numbers say, and the simulation is the gateway's own rule."""

import json
import math

import msgspec
import numpy as np
import pytest

from evals.cascade import __main__ as cascade
from evals.cascade.__main__ import (
    WITH,
    WITHOUT,
    Curve,
    adapted_scores,
    calibrate,
    cascaded,
    constants,
    costs_of,
    fit_head,
    folds_of,
    forecasts,
    judged,
    measure,
    resamples,
    risk_coverage,
    shipped_scores,
)
from evals.cascade.outcomes import FILE, read_rows
from evals.cascade.questions import questions, written
from evals.cascade.report import rounded
from router.core.checks import Prior, Terms, judge, tiers_above
from router.score.calibration import SHIPPED, load_calibration
from router.types import TIER_NAMES

RECORDED = json.loads((FILE.parent / "cascade.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def rows():
    return read_rows()


@pytest.fixture(scope="module")
def again(rows):
    return rounded(measure(rows, draws=20))


def test_at_least_three_hundred_questions_of_four_kinds_in_two_languages(rows):
    assert len(rows) == RECORDED["n"] >= 300
    assert {row.task for row in rows} == {"choice", "sum", "fact", "json"}
    assert {row.language for row in rows} == {"en", "ko"}
    assert all(answer.tokens_out <= 64 for row in rows for answer in row.answers.values())
    assert len({row.question for row in rows}) == len(rows)


def test_the_figures_come_again_from_the_recorded_numbers(again):
    key = ("part", "prices", "method", "against", "where")
    found = {tuple(line[k] for k in key): line["value"] for line in again["lines"]}
    recorded = {tuple(line[k] for k in key): line["value"] for line in RECORDED["lines"]}
    assert found.keys() == recorded.keys()
    # Another machine's arithmetic may move a chance across a threshold, never by much.
    for name, value in recorded.items():
        assert found[name] == pytest.approx(value, abs=0.005), name
    assert again["accuracy"] == RECORDED["accuracy"]
    assert again["kinds"] == RECORDED["kinds"]


def test_the_shipped_calibration_was_learned_from_the_recorded_numbers(rows):
    shipped = load_calibration()
    made = calibrate(rows, cascade.KINDS, [None, shipped_scores(rows)])
    assert made.heads.keys() == shipped.heads.keys()
    for tier, kinds in made.heads.items():
        assert kinds.keys() == shipped.heads[tier].keys()
        for kind, heads in kinds.items():
            for target, head in heads.items():
                theirs = shipped.heads[tier][kind][target]
                assert head.bias == pytest.approx(theirs.bias, abs=0.05)
                assert head.weights == pytest.approx(theirs.weights, abs=0.05)
    assert len(shipped.digest) == 64


@pytest.mark.parametrize("terms", [WITH, WITHOUT], ids=["with", "without"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_the_simulated_verdict_is_the_gateway_s(rows, terms, weight):
    fold, scores = folds_of(rows), shipped_scores(rows)
    train, dial = np.flatnonzero(fold != 0), 1 / (1 + weight)
    calibration = calibrate([rows[i] for i in train], [terms], [scores[train]])
    judgement = judged(rows, terms, fold, [scores] * cascade.FOLDS)
    ahead = np.array([0.1, 0.3, 1.0])
    measured = Terms(checks=terms.checks, dial=dial)
    for i in np.flatnonzero(fold == 0):
        prior = Prior(score=rows[i].p_right, cost=dict(zip(TIER_NAMES, ahead, strict=True)))
        for t, tier in enumerate(TIER_NAMES[:-1]):
            said = judge(
                measured, rows[i].answers[tier].signals, rows[i].demand, tier, tiers_above(tier), calibration, prior
            )
            worth = (judgement.above[tier][i] - weight * ahead)[t + 1 :].max()
            kept = not judgement.barred[tier][i] and judgement.own[tier][i] >= worth
            assert said.good == kept or judgement.own[tier][i] == pytest.approx(worth, abs=1e-9)


def test_a_question_is_never_judged_by_a_model_that_saw_it(rows):
    some = rows[:120]
    turned = [msgspec.structs.replace(some[0], answers={t: _turned(a) for t, a in some[0].answers.items()}), *some[1:]]
    fold = folds_of(some)
    before, after = (judged(each, WITH, fold, adapted_scores(each, fold)) for each in (some, turned))
    assert before.own["medium"][0] == after.own["medium"][0]
    assert before.above["small"][0].tolist() == after.above["small"][0].tolist()
    same_fold = fold == fold[0]
    assert (before.own["medium"][same_fold] == after.own["medium"][same_fold]).all()
    assert (before.own["medium"][~same_fold] != after.own["medium"][~same_fold]).any()


def _turned(answer):
    return msgspec.structs.replace(answer, right=not answer.right)


def test_a_curve_is_read_between_its_settings():
    curve = Curve("c", np.array([[0.0, 0.0], [10.0, 10.0]]), np.array([[0.0, 0.0], [1.0, 0.0]]))
    read = curve.at(np.array([[5.0], [5.0]]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert read.tolist() == [[0.25], [0.5]]


def test_resamples_begin_with_the_sample_and_add_up():
    drawn = resamples(7, 5)
    assert drawn.shape == (6, 7)
    assert np.allclose(drawn.sum(axis=1), 1)
    assert np.allclose(drawn[0], 1 / 7)


def test_every_curve_ends_where_the_constants_are(rows):
    prices, fold, scores = cascade.PRICES["gpt-5 list"], folds_of(rows), shipped_scores(rows)
    cost = costs_of(rows, prices)
    ends, ahead = constants(rows, cost), forecasts(rows, cost, fold)
    curve = cascaded("c", rows, WITH, prices, judged(rows, WITH, fold, [scores] * cascade.FOLDS), scores, ahead)
    assert curve.cost[0].tolist() == ends.cost[0].tolist()
    assert curve.quality[-1].tolist() == ends.quality[-1].tolist()
    # No question can cost more than all of its tiers together.
    assert (curve.cost <= cost.sum(axis=1) + 1e-6).all()


def test_the_most_confident_come_first(rows):
    sure = np.array([float(row.answers["medium"].right) for row in rows])
    curve = risk_coverage(rows, "medium", sure)
    assert [risk for _, risk in curve] == sorted(risk for _, risk in curve)
    assert curve[-1][1] == pytest.approx(1 - sure.mean(), abs=1e-3)


def test_one_class_gives_its_base_rate():
    head = fit_head(np.zeros((9, 2)), np.ones(9, bool))
    assert head.weights == (0.0, 0.0)
    assert 1 / (1 + math.exp(-head.bias)) == pytest.approx(0.95)


# --- the questions


def test_our_own_questions_are_the_same_every_time():
    assert [q.hash for q in written()] == [q.hash for q in written()]
    assert {q.task for q in written()} == {"sum", "fact", "json"}
    assert [q.hash for q in questions(None, {})] == [q.hash for q in questions(None, {})]


@pytest.mark.parametrize(
    ("task", "answer", "right"),
    [
        ("sum", "It is 1,234.", True),
        ("sum", "1235", False),
        ("sum", "none", False),
        ("fact", "The capital is Seoul.", True),
        ("fact", "Seoulite", False),
        ("choice", "(B) because", True),
        ("choice", "The answer is C", False),
        ("json", '```json\n{"name": "Mira  Olsen", "age": 30}\n```', True),
        ("json", '{"name": "Mira Olsen", "age": "30"}', False),
        ("json", "[]", False),
    ],
)
def test_graders_are_exact(task, answer, right):
    from evals.cascade.questions import Question

    want = {"sum": "1234", "fact": "seoul", "choice": "B", "json": '{"name": "mira olsen", "age": 30}'}[task]
    question = Question(task=task, language="en", source="own", prompt="?", right=(want,))
    assert question.grade(answer) is right


@pytest.mark.parametrize(
    ("answer", "want", "right"),
    [
        ("서울입니다.", "서울", True),
        ("서울특별시", "서울", False),
        ("7일", "7", True),
        ("17", "7", False),
        ("Au", "au", True),
    ],
)
def test_a_fact_is_a_word_of_its_own(answer, want, right):
    from evals.cascade.questions import Question

    assert Question(task="fact", language="ko", source="own", prompt="?", right=(want,)).grade(answer) is right


def test_a_damaged_calibration_is_refused(tmp_path):
    path = tmp_path / "answers.json"
    body = json.loads(SHIPPED.read_text("utf-8"))
    for change, words in (
        ({"version": 9}, "version 9"),
        ({"heads": {"small": {"plain": {"small": {"bias": 0, "weights": [1]}}}}}, "1 weights"),
        ({"extra": 1}, "not a calibration"),
    ):
        path.write_text(json.dumps(body | change), "utf-8")
        with pytest.raises(ValueError, match=words):
            load_calibration(path)
