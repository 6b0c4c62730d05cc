"""Paired comparisons: right on small cases by hand, few false alarms, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.compare import beta, clusters, means, proportions, worlds
from evals.compare.paired import NoPairs, compare
from tests.support.outcomes import multinomial

#: Of 200 comparisons that are each wrong with 5 % chance, more than this are wrong once in a thousand times.
MOST_OF_200 = 20


def test_the_incomplete_beta_function_is_the_one_of_the_tables():
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(1)
    a, b = 10 ** rng.uniform(-0.5, 4, 400), 10 ** rng.uniform(-0.5, 4, 400)
    x = rng.beta(a, b)
    assert np.abs(beta.cdf(x, a, b) - special.betainc(a, b, x)).max() < 1e-10
    assert beta.cdf(0.0, 2, 3) == 0
    assert beta.cdf(1.0, 2, 3) == 1


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (5, 0), (9, 1), (3, 3), (40, 22)])
def test_the_exact_p_is_the_binomial_one(better, worse):
    stats = pytest.importorskip("scipy.stats")
    wanted = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert proportions.exact_p(better, worse) == pytest.approx(wanted, abs=1e-12)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_the_interval_excludes_zero_exactly_where_the_test_rejects(better, worse, same):
    n = better + worse + same
    if not n:
        return
    low, high = proportions.interval(better, worse, n)
    assert -1 <= low <= (better - worse) / n <= high <= 1
    p = proportions.exact_p(better, worse)
    if abs(p - 0.05) > 1e-4:
        assert (low > 0 or high < 0) == (p < 0.05)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_sides_exchanged_turn_the_interval_about(better, worse, same):
    n = better + worse + same + 1
    low, high = proportions.interval(better, worse, n)
    assert proportions.interval(worse, better, n) == (-high, -low)


@pytest.mark.parametrize(("differ", "d"), [(0.1, 0.0), (0.9, 0.5)])
def test_the_exact_interval_covers_in_every_case_there_is(differ, d):
    """No sampling: the chances of all outcomes of 14 pairs whose interval misses the truth are summed."""
    n, better, worse = 14, (differ + d) / 2, (differ - d) / 2
    missed = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            chance = multinomial((b, c, n - b - c), (better, worse, 1 - differ))
            if chance > 1e-6:
                low, high = proportions.interval(b, c, n)
                missed += chance * (not low - 1e-4 <= d <= high + 1e-4)
    assert missed <= 0.05


@pytest.mark.parametrize("world", worlds.EQUAL)
def test_two_equal_sides_raise_few_false_alarms(world):
    alarms = 0
    for seed in range(200):
        found = compare(*worlds.EQUAL[world](np.random.default_rng([7, seed])), seed=seed, draws=499)
        alarms += found.shown
        assert not found.shown or found.p <= 0.05
    assert alarms <= MOST_OF_200


@pytest.mark.parametrize("n", [12, 40])
def test_the_bootstrap_covers_a_skewed_mean_of_few_rows(n):
    """Losses are rare and large, gains common and small: the shape for which percentiles cover badly."""
    missed = 0
    for seed in range(200):
        sides, truth = worlds.rare_losses(np.random.default_rng([n, seed]), n)
        found = compare(*sides, seed=seed, draws=499)
        missed += not found.low <= truth <= found.high
    # a dozen rows do not hold the loss in three cases of ten: there the worst case is assumed
    assert missed <= MOST_OF_200


def test_rows_that_share_a_question_count_as_one():
    rng = np.random.default_rng(3)
    one = worlds.right_and_wrong(rng, 100)[:2]
    alone = compare(*one)
    tenfold = compare(*(np.repeat(side, 10) for side in one), np.repeat(np.arange(100), 10))
    assert tenfold.value == pytest.approx(alone.value)
    assert tenfold.stems == alone.stems == 100
    assert tenfold.p == pytest.approx(alone.p, abs=0.02)
    assert tenfold.high - tenfold.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_the_sign_test_of_single_rows_is_mcnemars():
    kinds = clusters.gather(np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 30), np.arange(41))
    assert clusters.sign_p(kinds, np.random.default_rng(0), 99) == pytest.approx(proportions.exact_p(9, 2))
    many = clusters.gather(np.array([1.0] * 40 + [-1.0] * 22), np.arange(62))
    drawn = clusters.sign_p(many, np.random.default_rng(0), 99_999)
    assert drawn == pytest.approx(proportions.exact_p(40, 22), abs=0.003)


def test_draws_and_limits_meet_where_clusters_are_many(monkeypatch):
    rng = np.random.default_rng(5)
    incumbent = rng.beta(5, 2, 1500)
    candidate = np.clip(incumbent + rng.gamma(1.0, 0.1, 1500) - 0.098, 0, 1)
    limit = compare(candidate, incumbent)
    monkeypatch.setattr(clusters, "_MANY", 10_000)
    drawn = compare(candidate, incumbent)
    width = drawn.high - drawn.low
    assert limit.low == pytest.approx(drawn.low, abs=0.03 * width)
    assert limit.high == pytest.approx(drawn.high, abs=0.03 * width)
    assert limit.p == pytest.approx(drawn.p, abs=0.01)


def test_equal_columns_show_no_difference_and_say_how_little_that_is():
    same = np.full(50, 0.5)
    found = compare(same, same)
    assert (found.value, found.p, found.method) == (0.0, 1.0, "sparse")
    assert found.low < -0.05
    assert found.high > 0.05


def test_costs_that_are_all_alike_have_no_spread():
    found = means.ratio(np.full(1500, 88_123.4), np.ones(1500))
    assert (found.low, found.high) == pytest.approx((88_123.4, 88_123.4))


def test_unknown_scores_drop_the_pair_and_are_counted():
    found = compare([1, 0, float("nan"), 1], [1, 1, 1, float("nan")])
    assert (found.n, found.missing, found.value) == (2, 2, -0.5)


def test_the_same_seed_gives_the_same_interval():
    sides = worlds.continuous(np.random.default_rng(2), 50)
    assert compare(*sides, seed=4) == compare(*sides, seed=4)
    assert compare(*sides, seed=4) != compare(*sides, seed=5)


def test_a_higher_confidence_gives_a_wider_interval():
    sides = worlds.continuous(np.random.default_rng(2), 50)
    wide, narrow = compare(*sides, confidence=0.99), compare(*sides)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("candidate", "incumbent", "stems", "says"),
    [
        ([1, 0], [1], None, "one length"),
        ([1, 0], [1, 0], ["a"], "1 stems"),
        ([1, 2], [1, 0], None, r"0\.\.1"),
        ([float("nan")], [1], None, "none of 1 rows"),
        ([], [], None, "none of 0 rows"),
    ],
)
def test_what_cannot_be_paired_is_said(candidate, incumbent, stems, says):
    with pytest.raises(ValueError, match=says):
        compare(candidate, incumbent, stems)


def test_no_pairs_is_an_error_of_its_own():
    with pytest.raises(NoPairs):
        compare([float("nan")], [1.0])
