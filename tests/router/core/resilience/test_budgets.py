"""Retry budgets, learned limits and deadlines."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.resilience import Adaptive, Limit, RetryBudget, seconds_of


@given(st.integers(1, 3000), st.integers(1, 3), st.floats(0, 60))
def test_when_everything_fails_tries_stay_within_a_tenth_more_and_a_few_a_second(requests, wanted, seconds):
    budget, calls = RetryBudget(), 0
    for i in range(requests):
        budget.earn(1000 + seconds * i / requests)
        calls += 1 + sum(budget.spend() for _ in range(wanted))
    assert calls <= 1.1 * requests + 10 + 5 * seconds + 1e-6


def test_where_few_ask_everyone_may_try_again():
    budget = RetryBudget()
    for i in range(100):
        budget.earn(i)
        assert budget.spend()
        assert budget.spend()


def test_a_failover_that_works_is_never_refused():
    budget = RetryBudget(burst=3)
    for _ in range(1000):
        assert budget.spend()
        budget.give_back()


@given(st.lists(st.sampled_from(["earn", "spend", "give_back"])))
def test_tokens_stay_between_none_and_the_burst(steps):
    budget = RetryBudget(burst=4)
    for step in steps:
        getattr(budget, step)(*([1.0] if step == "earn" else []))
        assert 0 <= budget.tokens <= 4


def test_the_limit_is_learned_from_a_server_that_bears_forty():
    dice, limit, now, seen = random.Random(1), Adaptive(400), 0.0, []
    for _ in range(20_000):
        in_flight = limit.limit
        took = 0.5 * dice.uniform(0.9, 1.1)
        now += took / in_flight
        limit.observe(now, took, in_flight, overloaded=in_flight > 40 and dice.random() < 0.3)
        seen.append(limit.limit)
    assert all(30 <= value <= 46 for value in seen[5000:])


def test_an_idle_server_keeps_its_limit_and_a_dead_one_the_least():
    limit = Adaptive(50, low=2)
    for i in range(1000):
        limit.observe(i, 0.5, 3, overloaded=False)
    assert limit.limit == 50
    for i in range(1000):
        limit.observe(1000 + i, 0.5, 3, overloaded=True)
    assert limit.limit == 2


@given(st.floats(0, 1e4), st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_no_call_may_outlast_anybodys_word(elapsed, caller, first, total, first_byte):
    whole, head = Limit(total=caller, first=first).left(elapsed, total, first_byte, stream=True)
    assert whole <= max(0.001, min(caller, total) - elapsed)
    assert head <= whole
    assert head <= first_byte
    assert min(whole, head) > 0


def test_whose_word_cut_a_call_is_known():
    assert Limit(total=2.0).cuts(2.0)
    assert not Limit(total=2.0).cuts(1.5)
    assert not Limit().cuts(1e9)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2.5", 2.5), ("0", None), ("-1", None), ("nan", None), ("inf", None), ("x", None)]
)
def test_seconds_are_positive_and_finite(text, seconds):
    assert seconds_of(text) == seconds
    assert seconds is None or math.isfinite(seconds)
