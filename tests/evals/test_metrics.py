import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evals import metrics

WEAK = np.array([1.0, 0.0, 1.0, 0.0])
STRONG = np.array([1.0, 1.0, 1.0, 1.0])


def test_apgr_of_a_perfect_order_by_hand():
    # gains 0, 1, 0, 1; curve 0, .25, .5, .5, .5; trapezoid .375; gap .5
    assert metrics.apgr(WEAK, STRONG, np.array([0.0, 1.0, 0.0, 1.0])) == pytest.approx(0.75)


def test_apgr_of_the_worst_order_by_hand():
    assert metrics.apgr(WEAK, STRONG, np.array([1.0, 0.0, 1.0, 0.0])) == pytest.approx(0.25)


def test_apgr_without_a_gap_is_not_a_number():
    assert np.isnan(metrics.apgr(STRONG, STRONG, np.arange(4.0)))


def test_cpt_by_hand():
    order = np.array([0.0, 1.0, 0.0, 1.0])
    assert metrics.cpt(WEAK, STRONG, order, 0.5) == pytest.approx(0.25)
    assert metrics.cpt(WEAK, STRONG, order, 1.0) == pytest.approx(0.5)
    assert metrics.cpt(WEAK, STRONG, np.zeros(4), 0.5) == pytest.approx(0.5)


outcome = arrays(float, 12, elements=st.sampled_from([0.0, 0.5, 1.0]))
score = arrays(float, 12, elements=st.floats(-5, 5, width=16))


@given(outcome, outcome)
def test_equal_scores_are_a_coin(weak, strong):
    value = metrics.apgr(weak, strong, np.zeros(12))
    assert np.isnan(value) or value == pytest.approx(0.5)


@given(outcome, outcome, score)
def test_an_order_and_its_reverse_mirror_each_other(weak, strong, order):
    there, back = metrics.apgr(weak, strong, order), metrics.apgr(weak, strong, -order)
    assert np.isnan(there) or there + back == pytest.approx(1.0)


@given(outcome, outcome, score)
def test_nobody_beats_the_oracle(weak, strong, order):
    if strong.mean() > weak.mean():
        best = metrics.apgr(weak, strong, metrics.oracle_score(weak, strong))
        assert metrics.apgr(weak, strong, order) <= best + 1e-9


def test_ece_by_hand():
    chance = np.array([0.2, 0.2, 0.8, 0.8])
    assert metrics.ece(chance, np.array([0.0, 0.0, 1.0, 1.0]), bins=2) == pytest.approx(0.2)
    assert metrics.ece(chance, np.array([0.0, 0.4, 0.6, 1.0]), bins=2) == pytest.approx(0.0)


def test_a_perfect_forecaster_shows_a_small_but_positive_ece():
    chance = np.linspace(0.05, 0.95, 500)
    assert 0 < metrics.perfect_ece(chance, np.random.default_rng(0)) < 0.08


def test_auc_counts_ties_half():
    assert metrics.auc(np.array([True, False]), np.array([1.0, 1.0])) == pytest.approx(0.5)
    assert metrics.auc(np.array([True, False, False]), np.array([3.0, 1.0, 2.0])) == pytest.approx(1.0)
    assert np.isnan(metrics.auc(np.array([True, True]), np.array([1.0, 2.0])))


def test_entropy_of_an_even_mix_is_one_bit():
    assert metrics.pick_entropy(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx(1.0)
    assert metrics.pick_entropy(np.array([[1.0, 0.0], [1.0, 0.0]])) == pytest.approx(0.0)


def test_a_setting_is_never_chosen_on_the_rows_it_is_scored_on():
    # The cheap tier is right exactly in fold 1: fold 0 is set on fold 1 and must live with the loss.
    quality = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    cost = np.tile([1.0, 10.0], (4, 1))
    fold = np.array([0, 0, 1, 1])
    small = metrics.Setting("small", np.tile([1.0, 0.0], (4, 1)))
    result = metrics.held_out_saving([small], quality, cost, fold, 0.95)
    assert result.cost.tolist() == [1.0, 1.0, 10.0, 10.0]
    assert result.kept == pytest.approx(0.5)
    assert result.share == pytest.approx(1 - 22 / 40)


def test_the_ranked_apgr_is_the_apgr_of_the_chosen_rows():
    rng = np.random.default_rng(5)
    weak, strong, score = rng.random(60).round(), rng.random(60), rng.integers(0, 9, 60).astype(float)
    of = metrics.apgr_on(weak, strong, score)
    for _ in range(5):
        index = rng.integers(0, 60, 80)
        assert of(index) == pytest.approx(metrics.apgr(weak[index], strong[index], score[index]))
    assert np.isnan(metrics.apgr_on(weak, weak, score)(np.arange(60)))


def test_bootstrap_draws_whole_groups():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    seen = []

    def measure(index):
        seen.append(tuple(np.bincount(index, minlength=4)))
        return float(values[index].mean())

    interval = metrics.bootstrap(measure, ["a", "a", "b", "b"], np.random.default_rng(0), draws=50)
    assert interval.value == pytest.approx(0.5)
    assert interval.low <= 0.5 <= interval.high
    assert all(counts[0] == counts[1] and counts[2] == counts[3] for counts in seen)


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="lengths"):
        metrics.apgr(WEAK, STRONG, np.zeros(3))
