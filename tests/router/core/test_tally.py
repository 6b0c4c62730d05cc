"""From outcomes to evidence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.rollout import WATCHES, Plan
from router.core.tally import ENOUGH, Scale, Tally, goodness_of, readings

PLAN = Plan(steps=(0.5, 0.75, 1.0), unit="request")
SCALE = Scale(mean=200.0, cap=1_000.0, slow=500.0)
BY = {watch.signal: watch for watch in WATCHES}


def tally(plan=PLAN, **given):
    return Tally(step=0, **given).at(plan, 0)


def fed(start, plan, signal, outcomes, tenant="t"):
    for canary, goodness in outcomes:
        start = start.outcome(plan, BY[signal], tenant, goodness, canary=canary)
    return start


@pytest.mark.parametrize(
    ("signal", "outcome", "cost", "ms", "scale", "goodness"),
    [
        ("errors", "ok", None, None, None, 1.0),
        ("errors", "upstream_error", None, None, None, 0.0),
        ("errors", "client_gone", None, None, None, 0.0),
        ("errors", "blocked_input", None, None, None, 1.0),
        ("blocked", "blocked_output", None, None, None, 0.0),
        ("blocked", "ok", None, None, None, 1.0),
        ("cost", "ok", 250, None, SCALE, 0.75),
        ("cost", "ok", 5_000, None, SCALE, 0.0),
        ("cost", "ok", None, None, SCALE, None),
        ("cost", "ok", 250, None, None, None),
        ("cost", "upstream_error", 250, None, SCALE, None),
        ("latency", "ok", None, 500.0, SCALE, 1.0),
        ("latency", "ok", None, 501.0, SCALE, 0.0),
        ("latency", "blocked_input", None, 1.0, SCALE, None),
    ],
)
def test_how_good_a_request_was(signal, outcome, cost, ms, scale, goodness):
    assert goodness_of(signal, outcome, cost, ms, scale) == goodness


def test_a_scale_needs_enough_answers_and_unknown_costs_leave_one_of_times():
    times = [float(i) for i in range(1, ENOUGH + 1)]
    assert Scale.of((), times[:-1]) is None
    assert Scale.of((), times) == Scale(mean=0.0, cap=1.0, slow=190.0)
    assert Scale.of((100,) * 300, times).cap == 100
    assert Scale.of((0,) * 300, times) == Scale(mean=0.0, cap=1.0, slow=190.0)


def test_a_step_begins_with_fresh_counts_and_keeps_the_evidence_of_harm():
    worse = fed(tally(), PLAN, "quality", [(False, 1.0), (True, 0.0)] * 10)
    before = readings(PLAN, [worse], 0)["quality"]
    assert (before.canary, before.incumbent) == (10, 10)
    assert before.harm > 1
    after = readings(PLAN, [worse.saw(canary=True).at(PLAN, 1)], 1)["quality"]
    assert (after.canary, after.harm) == (0, before.harm)
    assert after.safe == pytest.approx(0)
    assert worse.saw(canary=True).at(PLAN, 1).exposed == 1
    assert worse.saw(canary=True).at(PLAN, 1).requests == 0


def test_ledgers_add_their_evidence_up_and_one_on_an_earlier_step_counts_for_harm_alone():
    one = fed(tally(), PLAN, "errors", [(False, 1.0), (True, 0.0)] * 5)
    two = fed(tally(), PLAN, "errors", [(False, 1.0), (True, 0.0)] * 5)
    both = readings(PLAN, [one, two], 0)["errors"]
    assert both.canary == 10
    assert both.harm > readings(PLAN, [one], 0)["errors"].harm
    mixed = readings(PLAN, [one, two.at(PLAN, 1)], 1)["errors"]
    assert (mixed.canary, mixed.harm) == (0, both.harm)
    assert both.difference == -1.0


def test_what_was_never_counted_reads_as_nothing():
    assert readings(PLAN, [], 0)["cost"].canary == 0
    assert readings(PLAN, [tally()], 0)["quality"].difference is None


def test_cost_is_told_as_a_share_of_the_usual_cost():
    dearer = fed(tally(scale=SCALE), PLAN, "cost", [(False, 0.8), (True, 0.7)] * 40)
    read = readings(PLAN, [dearer], 0)["cost"]
    assert read.difference == pytest.approx(-0.5)


def test_without_a_scale_cost_and_latency_say_nothing():
    assert fed(tally(), PLAN, "latency", [(True, 0.0), (False, 1.0)]) == tally()


# --- tenants


TENANTS = Plan(steps=(0.5, 1.0), unit="tenant")
OWN = {"hard": {"quality": 0.4}, "easy": {"quality": 0.9}}


def test_a_tenant_is_compared_with_itself_so_that_unlike_tenants_raise_no_alarm():
    start = tally(TENANTS, own=OWN)
    for i in range(300):
        start = start.outcome(TENANTS, BY["quality"], "easy", float(i % 10 < 9), canary=False)
        start = start.outcome(TENANTS, BY["quality"], "hard", float(i % 10 < 4), canary=True)
    read = readings(TENANTS, [start], 0)["quality"]
    assert read.difference == pytest.approx(0, abs=0.01)
    assert read.harm < 1
    worse = start
    for _ in range(100):
        worse = worse.outcome(TENANTS, BY["quality"], "easy", 1.0, canary=False)
        worse = worse.outcome(TENANTS, BY["quality"], "hard", 0.0, canary=True)
    assert readings(TENANTS, [worse], 0)["quality"].harm > read.harm + 3


def test_a_tenant_too_new_to_be_compared_is_left_out_and_counted():
    seen = tally(TENANTS, own=OWN).outcome(TENANTS, BY["quality"], "new", 0.0, canary=True)
    assert seen.left_out == 1
    assert readings(TENANTS, [seen], 0)["quality"].canary == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.sampled_from(["hard", "easy", "new"])), max_size=40))
def test_any_outcomes_make_a_reading(outcomes):
    for plan in (PLAN, TENANTS):
        seen = tally(plan, own=OWN, scale=SCALE)
        for canary, goodness, tenant in outcomes:
            for watch in WATCHES:
                seen = seen.outcome(plan, watch, tenant, goodness, canary=canary)
        for read in readings(plan, [seen], 0).values():
            assert read.low <= read.high
            assert math.isfinite(read.harm)
