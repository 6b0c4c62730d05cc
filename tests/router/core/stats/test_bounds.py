"""Bounds on a mean loss: known figures, and that they err no more often than they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from router.core.stats.bounds import (
    binomial_cdf,
    most_failures,
    net_certified,
    net_limit,
    rows_needed,
    sum_chances,
    upper_mean,
    upper_net,
    upper_rate,
)

RATES = st.floats(0.001, 0.999)


@given(st.integers(1, 3000), st.data(), RATES)
def test_binomial_tails_are_those_of_scipy(n, data, rate):
    most = data.draw(st.integers(-1, n))
    assert binomial_cdf(most, n, rate) == pytest.approx(scipy_stats.binom.cdf(most, n, rate), rel=1e-8, abs=1e-12)


@given(st.integers(1, 2000), st.data(), st.floats(0.5, 0.999))
def test_the_upper_rate_is_clopper_and_pearsons(n, data, confidence):
    failures = data.draw(st.integers(0, n - 1))
    exact = scipy_stats.beta.ppf(confidence, failures + 1, n - failures)
    assert upper_rate(failures, n, confidence) == pytest.approx(exact, abs=1e-8)
    assert upper_rate(n, n, confidence) == 1.0


@pytest.mark.parametrize(
    ("failures", "rate", "rows"),
    [
        (0, 0.02, 149),
        (3, 0.02, 386),
        (10, 0.02, 845),
        (0, 0.01, 299),
        (3, 0.01, 773),
        (10, 0.01, 1693),
        (0, 0.05, 59),
        (3, 0.05, 153),
        (10, 0.05, 336),
    ],
)
def test_rows_that_certify_a_rate_at_95_percent(failures, rate, rows):
    assert rows_needed(failures, rate, 0.95) == rows
    assert most_failures(rows, rate, 0.95) == failures
    assert most_failures(rows - 1, rate, 0.95) == failures - 1
    assert upper_rate(failures, rows, 0.95) <= rate < upper_rate(failures, rows - 1, 0.95)


@pytest.mark.parametrize("n", [30, 75])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_a_net_loss_is_certified_wrongly_no_more_often_than_said(n, rate):
    """Every outcome of n rows enumerated, at the very limit, for small and large shares of rows that differ."""
    limits = [net_limit(differ, n, rate, 0.95) for differ in range(n + 1)]
    for q in (rate, 0.15, 0.3, 0.6, 1.0):
        up, down = (q + rate) / 2, max((q - rate) / 2, 0.0)
        wrong = sum(
            _trinomial(n, losses, gains, up, down)
            for losses in range(n + 1)
            for gains in range(n + 1 - losses)
            if losses - gains <= limits[losses + gains]
        )
        assert wrong <= 0.05


def _trinomial(n, losses, gains, up, down):
    same = n - losses - gains
    total = math.lgamma(n + 1) - math.lgamma(losses + 1) - math.lgamma(gains + 1) - math.lgamma(same + 1)
    for count, chance in ((losses, up), (gains, down), (same, 1 - up - down)):
        if count and chance <= 1e-15:
            return 0.0
        total += count * math.log(chance) if count else 0.0
    return math.exp(total)


def test_limits_of_a_net_loss_fall_as_more_rows_differ():
    limits = [net_limit(differ, 400, 0.05, 0.95) for differ in range(0, 120, 4)]
    assert limits == sorted(limits, reverse=True)


def test_a_net_bound_without_gains_is_near_the_exact_one_and_gains_pull_it_down():
    assert upper_net(5, 0, 1000, 0.95) == pytest.approx(upper_rate(5, 1000, 0.95), abs=2e-3)
    assert upper_net(30, 20, 1000, 0.95) < upper_net(30, 0, 1000, 0.95)
    assert upper_net(0, 60, 400, 0.95) == 0.0
    assert net_certified(30, 20, 1000, upper_net(30, 20, 1000, 0.95) + 1e-5, 0.95)


def test_the_sum_of_steps_has_its_distribution():
    chances = sum_chances(3, 0.5, 0.25)
    assert chances.sum() == pytest.approx(1)
    assert chances[[0, 6]] == pytest.approx([0.25**3, 0.5**3])
    assert (chances * np.arange(-3, 4)).sum() == pytest.approx(3 * 0.25)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([(0.3, 8.0), (0.02, 30.0), (0.5, 1.0)]), st.integers(0, 5))
def test_a_bet_bound_errs_no_more_often_than_said(shape, seed):
    """Beta losses: 60 samples each, one in twenty may mislead; six would be far out."""
    mean, sharp = shape
    rng = np.random.default_rng(seed)
    missed = sum(upper_mean(rng.beta(mean * sharp, (1 - mean) * sharp, 200), 0.95) < mean for _ in range(60))
    assert missed <= 8


def test_a_bet_bound_narrows_with_rows_and_with_small_spread():
    rng = np.random.default_rng(1)
    few, many = rng.random(100) * 0.1, rng.random(2000) * 0.1
    assert 0.05 < upper_mean(many, 0.95) < upper_mean(few, 0.95) < 0.2
    assert upper_mean([], 0.95) == upper_mean([1.0] * 50, 0.95) == 1.0


@pytest.mark.parametrize("call", [
    lambda: upper_rate(3, 2, 0.95), lambda: upper_rate(0, 10, 1.0), lambda: upper_mean([0.5, 1.5], 0.95),
    lambda: net_limit(5, 4, 0.02, 0.95),
])  # fmt: skip
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ValueError):
        call()
