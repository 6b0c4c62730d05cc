"""The test of two arms: no bet gains under its null, false alarms stay below alpha however one stops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.stats.sequential import (
    BETS,
    NO_WEALTH,
    SHARES,
    Band,
    Blocks,
    against_harm,
    against_unsafe,
    evidence,
)

ALPHA = 0.05
shares = st.floats(0, 1)


def test_the_first_wealth_is_one():
    assert sum(SHARES) == pytest.approx(1)
    assert float(evidence(np.zeros(len(BETS)))) == pytest.approx(0)


@given(shares, shares, shares, st.floats(0, 0.5))
def test_no_bet_on_harm_gains_while_the_canary_is_worse_by_at_most_what_is_allowed(low, high, weight, allowed):
    """Any two values and weights whose mean difference is at least -allowed."""
    values = np.array([2 * low - 1, 2 * high - 1])
    mean = weight * values[0] + (1 - weight) * values[1]
    values = np.clip(values - min(0.0, mean + allowed), -1, 1)
    if weight * values[0] + (1 - weight) * values[1] < -allowed - 1e-12:
        return
    factors = np.exp(against_harm(values, allowed))
    assert (weight * factors[0] + (1 - weight) * factors[1] <= 1 + 1e-9).all()


@given(st.floats(-1, 1), st.floats(-1, 1), shares, st.floats(0.001, 0.5))
def test_no_bet_on_safety_gains_while_the_canary_is_worse_by_the_margin(first, second, weight, margin):
    values = np.array([first, second])
    if weight * first + (1 - weight) * second > -margin:
        return
    factors = np.exp(against_unsafe(values, margin))
    assert (weight * factors[0] + (1 - weight) * factors[1] <= 1 + 1e-9).all()


@given(st.lists(st.floats(-1, 1), max_size=30), st.floats(0, 0.9))
def test_wealth_is_never_lost_altogether(differences, allowed):
    assert np.isfinite(against_harm(np.array(differences), allowed)).all()


def ever(ours, theirs, runs, outcomes, m, seed):
    """How many of the runs ever reach the limit, looked at after each outcome."""
    rng = np.random.default_rng(seed)
    crossed = 0
    for _ in range(runs // 250):
        d = ours(rng, (250, outcomes)) - theirs(rng, (250, outcomes, m)).mean(axis=2)
        crossed += int((evidence(np.cumsum(against_harm(d), axis=1)) >= -math.log(ALPHA)).any(axis=1).sum())
    return crossed / runs


def binary(p):
    return lambda rng, shape: (rng.random(shape) < p).astype(float)


SAME = {
    "half": binary(0.5),
    "good": binary(0.8),
    "rare": binary(0.99),
    "spread": lambda rng, shape: rng.beta(0.5, 0.5, shape),
    "falling": lambda rng, shape: (
        rng.random(shape) < np.linspace(0.95, 0.4, shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))
    ).astype(float),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("m", [1, 9])
def test_false_alarms_stay_below_alpha_under_optional_stopping(name, m):
    """Stopping at the best moment is what a gateway does: it looks after every outcome."""
    runs = 1_000
    rate = ever(SAME[name], SAME[name], runs, 400, m, seed=1)
    assert rate <= ALPHA + 2 * math.sqrt(ALPHA / runs)


def test_a_better_canary_raises_fewer_alarms_than_an_equal_one():
    assert ever(binary(0.85), binary(0.8), 500, 400, 9, seed=2) <= ever(binary(0.8), binary(0.8), 500, 400, 9, seed=2)


def test_a_drop_is_seen():
    assert ever(binary(0.6), binary(0.8), 250, 400, 9, seed=3) > 0.99


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_streams_of_several_ledgers_add_up_to_one(first, second):
    apart = sum(against_harm(np.array(part)).sum(axis=0) for part in (first, second))
    assert np.allclose(apart, against_harm(np.array([*first, *second])).sum(axis=0))


# --- blocks


@given(st.lists(st.tuples(st.booleans(), shares), max_size=80), st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.95]))
def test_which_outcomes_meet_does_not_depend_on_what_they_say(arrivals, share):
    def closing(values):
        blocks, at = Blocks.at(share), []
        for i, ((canary, _), value) in enumerate(zip(arrivals, values, strict=True)):
            blocks, d = blocks.add(canary=canary, goodness=value)
            at += [i] if d is not None else []
        return at

    assert closing([value for _, value in arrivals]) == closing([0.5] * len(arrivals))


@given(st.lists(st.tuples(st.booleans(), shares), max_size=80), st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.95]))
def test_a_difference_lies_in_its_range_and_alike_outcomes_differ_by_nothing(arrivals, share):
    blocks, same = Blocks.at(share), Blocks.at(share)
    for canary, value in arrivals:
        blocks, d = blocks.add(canary=canary, goodness=value)
        assert d is None or -1 <= d <= 1
        same, d = same.add(canary=canary, goodness=0.7)
        assert d is None or d == pytest.approx(0)


@pytest.mark.parametrize(
    ("share", "scarce", "least"), [(0.05, True, 9), (0.25, True, 1), (0.5, True, 1), (0.9, False, 4)]
)
def test_a_block_holds_half_of_what_the_share_brings(share, scarce, least):
    assert (Blocks.at(share).canary_scarce, Blocks.at(share).least) == (scarce, least)


def test_the_sign_is_the_canarys_whichever_arm_is_scarce():
    for share in (0.05, 0.9):
        blocks, seen = Blocks.at(share), []
        for i in range(60):
            blocks, d = blocks.add(canary=i % 2 == 0, goodness=float(i % 2 == 0))
            seen += [d] if d is not None else []
        assert set(seen) == {1.0}


def test_blocks_that_wait_stay_few_when_arms_come_as_their_shares_say():
    rng = np.random.default_rng(4)
    for share in (0.05, 0.25, 0.75, 0.95):
        blocks = Blocks.at(share)
        for canary in rng.random(5_000) < share:
            blocks, _ = blocks.add(canary=bool(canary), goodness=1.0)
        assert len(blocks.waiting) < 50


# --- the interval


def test_the_running_interval_holds_the_truth_at_all_times_together():
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(60):
        band = Band()
        out = False
        for d in (rng.random(300) < 0.7).astype(float) - (rng.random(300) < 0.8):
            band = band.add(float(d), ALPHA)
            low, high = band.interval(ALPHA)
            out |= not low <= -0.1 <= high
        missed += out
    assert missed <= 6


def test_an_interval_of_nothing_says_nothing_and_two_streams_make_a_shorter_one():
    assert Band().interval(ALPHA) == (-1, 1)
    one = Band()
    for i in range(400):
        one = one.add(0.1 * (-1) ** i, ALPHA)
    low, high = one.interval(ALPHA)
    both_low, both_high = one.plus(one).interval(ALPHA)
    assert both_high - both_low < high - low < 0.6


def test_no_wealth_is_the_logarithm_of_one_for_each_bet():
    assert len(NO_WEALTH) == len(BETS) == len(SHARES)
