"""Rows with values of both sides, and what they say of a metric."""

import numpy as np
import pytest

from evals.gate.columns import Column, Rows, estimate, within_slices
from evals.gate.values import Metric

QUALITY = Metric(name="quality", low=0, high=1, margin=0.02)
ERRORS = Metric(name="errors", low=0, high=1, margin=0.01, higher_is_better=False)
COST = Metric(name="cost", margin=0.05, relative=True, higher_is_better=False)


def of(metric, new, old, stems=None, measure=None):
    new, old = np.asarray(new, float), np.asarray(old, float)
    return estimate(Column(metric, new, old, measure), np.arange(len(new)) if stems is None else stems, "old")


def coins(n, share, seed):
    return (np.random.default_rng(seed).random(n) < share).astype(float)


def test_a_gain_points_upwards_whichever_way_the_metric_is_read():
    new, old = coins(400, 0.2, 1), coins(400, 0.6, 2)
    assert of(QUALITY, new, old).high < 0
    fewer = of(ERRORS, new, old)
    assert fewer.low > 0
    assert fewer.gain == pytest.approx(old.mean() - new.mean())


def test_a_scale_of_five_points_is_read_in_points():
    stars = Metric(name="stars", low=1, high=5, margin=0.08)
    old = 1 + 4 * coins(300, 0.5, 3)
    found = of(stars, np.minimum(old + 1, 5), old)
    assert found.gain == pytest.approx(np.minimum(old + 1, 5).mean() - old.mean())
    assert found.low <= found.gain <= found.high


def test_answers_that_are_all_alike_are_not_certain_to_stay_so():
    same = coins(100, 0.5, 4)
    found = of(QUALITY, same, same)
    assert found.gain == 0
    assert found.low < -0.02 < 0.02 < found.high


def test_a_candidate_does_not_look_better_for_failing_on_hard_rows():
    old = np.r_[np.ones(450), np.zeros(50)]
    new = np.r_[np.ones(450), np.full(50, np.nan)]
    assert of(QUALITY, new[:450], old[:450]).gain == 0
    found = of(QUALITY, new, old)
    assert found.low < 0
    assert found.high > 0.05
    assert "50 rows have a figure of one side only" in found.why
    lost = of(QUALITY, np.r_[np.full(50, np.nan), np.ones(400)], np.ones(450))
    assert lost.low < -0.1


def test_rows_that_neither_side_answered_are_left_out_and_counted():
    gap = np.full(30, np.nan)
    found = of(QUALITY, np.r_[coins(300, 0.5, 5), gap], np.r_[coins(300, 0.5, 6), gap])
    assert (found.n, found.left_out, found.why) == (300, 30, "")


@pytest.mark.parametrize("side", ["new", "old", "both"])
def test_a_metric_of_one_side_only_has_no_gain(side):
    values, gap = coins(50, 0.5, 7), np.full(50, np.nan)
    new, old = (gap if side in {"new", "both"} else values), (gap if side in {"old", "both"} else values)
    found = of(QUALITY, new, old)
    assert found.gain is None
    assert "has no figure" in found.why


def test_money_is_judged_as_a_share_of_what_is_paid_now():
    rng = np.random.default_rng(8)
    old = rng.lognormal(0, 1, 800)
    found = of(COST, old * 1.3 * rng.lognormal(-0.02, 0.2, 800), old)
    assert found.low < -0.3 < found.high < -0.2
    assert of(COST, old * 1e-6, old * 1e-6).gain == 0


def test_a_candidate_that_costs_nothing_is_cheaper_however_little_is_paid_now():
    for paid in (1.5e-5, 3.0, 4e6):
        found = of(COST, np.zeros(60), np.full(60, paid))
        assert (found.gain, found.high) == (1.0, pytest.approx(1.0, abs=0.1))
        assert found.low > 0.9


def test_the_interval_of_a_ratio_holds_the_truth_in_nineteen_of_twenty_trials():
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(40):
        old = rng.lognormal(0, 1, 150)
        new = old * 1.2 * rng.lognormal(-0.125, 0.5, 150)
        found = of(COST, new, old)
        hits += found.low <= -0.2 <= found.high
    assert hits >= 34


def test_where_few_rows_hold_the_money_a_loss_of_the_margin_still_hardly_passes():
    rng = np.random.default_rng(14)
    margin = Metric(name="cost", margin=0.1, relative=True, higher_is_better=False)
    passed = 0
    for _ in range(60):
        size = np.exp(1.5 * rng.normal(size=150))
        old, new = size * np.exp(0.4 * rng.normal(size=150)), 1.1 * size * np.exp(0.4 * rng.normal(size=150))
        passed += of(margin, new, old).low >= -0.1
    assert passed <= 4


def test_a_share_of_nothing_cannot_be_taken_but_two_nothings_are_equal():
    assert of(COST, np.zeros(50), np.zeros(50)).low == 0
    assert "zero" in of(COST, np.ones(50), np.zeros(50)).why


def test_money_known_for_too_few_rows_is_untold():
    old = np.ones(100)
    assert "one side only" in of(COST, np.r_[np.full(5, np.nan), np.ones(95)], old).why
    assert of(COST, np.r_[np.full(1, np.nan), np.ones(99)], old).n == 99


def test_a_percentile_is_compared_as_one():
    rng = np.random.default_rng(10)
    old = rng.lognormal(5, 0.3, 600)
    slow = old.copy()
    slow[:60] *= 4
    p95 = Metric(name="latency_p95", margin=0.2, relative=True, higher_is_better=False)

    def measure(values):
        return float(np.quantile(values, 0.95))

    assert of(p95, slow, old, measure=measure).high < -0.2
    assert of(p95, old, old, measure=measure).gain == 0


def test_rows_of_one_question_count_as_one_draw():
    rng = np.random.default_rng(11)
    stems = np.repeat(np.arange(60), 10)
    new, old = (np.repeat((rng.random(60) < share).astype(float), 10) for share in (0.5, 0.5))
    alone, together = of(QUALITY, new, old), of(QUALITY, new, old, stems)
    assert together.stems == 60
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_equal_rows_give_equal_figures():
    rng = np.random.default_rng(12)
    new, old = rng.random(200), rng.random(200)
    assert of(QUALITY, new, old) == of(QUALITY, new, old)


def test_slices_are_looked_at_where_they_hold_enough_questions():
    values = coins(100, 0.5, 13)
    rows = Rows([Column(QUALITY, values, values)], np.arange(100), {"language": ["ko"] * 60 + ["en"] * 35 + ["fr"] * 5})
    found, small = within_slices(rows, "old", 20)
    assert [(each.where, each.n) for each in found] == [("language=en", 35), ("language=ko", 60)]
    assert small == 1
