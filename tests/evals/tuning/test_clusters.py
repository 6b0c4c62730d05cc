"""Intervals hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from evals.tuning import clusters


def test_students_quantiles_are_those_of_the_tables():
    known = {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 10: 2.228, 30: 2.042, 1000: 1.962}
    assert clusters.student(np.array(list(known))) == pytest.approx(list(known.values()), rel=0.004)
    assert np.isinf(clusters.student(0))
    assert clusters.student(20, 0.99) == pytest.approx(2.845, rel=0.001)


def test_rows_that_repeat_a_question_say_no_more_than_the_question():
    rng = np.random.default_rng(1)
    once = rng.normal(size=300)
    stem = np.arange(300, dtype=np.int32)
    many = clusters.mean(np.repeat(once, 5), np.repeat(stem, 5))
    alone = clusters.mean(once, stem)
    assert (many.low, many.high) == pytest.approx((alone.low, alone.high))
    assert (many.n, many.stems) == (1500, 300)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    rng = np.random.default_rng(2)
    held = {"mean": 0, "share": 0, "ratio": 0, "median": 0}
    runs = 400
    for _ in range(runs):
        size = rng.integers(1, 6, size=60)
        stem = np.repeat(np.arange(60, dtype=np.int32), size)
        shift = rng.normal(size=60)[stem]
        values = shift + rng.normal(size=len(stem))
        right = (values > 0).astype(float)
        cost = np.exp(0.3 * values)
        held["mean"] += covers(clusters.mean(values, stem), 0.0)
        held["share"] += covers(clusters.share(right, stem), 0.5)
        held["median"] += covers(clusters.quantile(values, np.ones(len(stem)), stem, 0.5), 0.0)
        held["ratio"] += covers(clusters.ratio(cost * right, cost, stem), RATIO)
    assert all(0.91 <= count / runs <= 0.985 for count in held.values()), held


#: E[exp(.3 v); v > 0] / E[exp(.3 v)] for v of variance 2: the share of a normal shifted by 0.6 that is positive.
RATIO = 0.6643


def covers(figure, truth):
    return figure.low <= truth <= figure.high


def test_few_rows_that_agree_are_not_certain():
    stem = np.arange(20, dtype=np.int32)
    every = clusters.share(np.ones(20), stem)
    assert every.high == 1.0
    assert 0.80 < every.low < 0.87
    no_change = clusters.paired(np.ones(20), np.ones(20), stem, same=False)
    assert no_change.low < -0.05 < 0.05 < no_change.high
    same = clusters.paired(np.ones(20), np.ones(20), stem, same=True)
    assert (same.low, same.high) == (0.0, 0.0)


def test_groups_are_means_of_their_own_rows():
    rng = np.random.default_rng(3)
    stem, group = rng.integers(0, 40, 500).astype(np.int32), rng.integers(0, 4, 500).astype(np.int32)
    values = rng.normal(size=500)
    spread = clusters.Groups.of(stem, group, 5).spread(values)
    for g in range(4):
        alone = clusters.Groups.of(stem[group == g]).spread(values[group == g])
        assert spread.mean[g] == pytest.approx(alone.mean[0])
        assert spread.error[g] == pytest.approx(alone.error[0])
        assert spread.clusters[g] == alone.clusters[0]
    assert spread.n[4] == 0


def test_quantiles_weigh_their_rows():
    values, stem = np.arange(1.0, 101.0), np.arange(100, dtype=np.int32)
    assert clusters.quantile(values, np.ones(100), stem, 0.5).value == 50.0
    heavy = np.where(values > 90, 100.0, 1.0)
    assert clusters.quantile(values, heavy, stem, 0.5).value > 90
    assert clusters.effective(np.array([1.0, 1.0, 0.0])) == 2.0
