"""The state machine of a roll-out, and who is in."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.rollout import WATCHES, Plan, Reading, Watch, cell_by_cell, next_move, place_of

PLAN = Plan(min_requests=100)
GOOD = Reading(canary=200, incumbent=4_000, safe=10.0)
ALL_GOOD = {watch.signal: GOOD for watch in WATCHES}


def with_(signal, **changes):
    return {**ALL_GOOD, signal: msgspec.structs.replace(GOOD, **changes)}


@pytest.mark.parametrize(
    ("readings", "requests", "verb", "reason"),
    [
        pytest.param(ALL_GOOD, 200, "step_up", "canary-as-good", id="all have spoken well"),
        pytest.param(with_("quality", harm=5.4), 200, "roll_back", "canary-worse", id="quality at its limit"),
        pytest.param(with_("quality", harm=5.2), 200, "step_up", "canary-as-good", id="quality just below its limit"),
        pytest.param(with_("errors", harm=9.0), 1, "roll_back", "canary-worse", id="harm counts before anything else"),
        pytest.param(ALL_GOOD, 99, "hold", "canary-too-few", id="too few requests"),
        pytest.param(with_("quality", canary=0), 200, "hold", "canary-unseen", id="no quality signal of the canary"),
        pytest.param(with_("quality", incumbent=0), 200, "hold", "canary-unseen", id="none of the incumbent"),
        pytest.param({}, 200, "hold", "canary-unseen", id="no signal at all"),
        pytest.param(with_("cost", canary=99), 200, "hold", "canary-too-few", id="too few outcomes of one signal"),
        pytest.param(with_("quality", safe=2.9), 200, "hold", "canary-unproven", id="not shown to be safe"),
        pytest.param(with_("cost", safe=0.0), 200, "step_up", "canary-as-good", id="cost has no margin"),
    ],
)
def test_the_next_move(readings, requests, verb, reason):
    move = next_move(PLAN, 0, readings, requests)
    assert (move.verb, move.reason.id) == (verb, reason)
    assert move.share == {"hold": 0.05, "step_up": 0.25, "roll_back": 0.0}[verb]


def test_the_last_step_is_live_and_nothing_moves_any_more():
    assert next_move(PLAN, 1, ALL_GOOD, 200).share == 1
    assert next_move(PLAN, 2, with_("errors", harm=50.0), 200).verb == "hold"


def test_without_any_watch_nobody_steps_up_silently():
    assert next_move(Plan(watches=(), min_requests=1), 0, {}, 500).reason.id == "canary-unwatched"


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.integers(0, 500), st.floats(-5, 20), st.floats(-5, 20)),
        min_size=5,
        max_size=5,
    ),
    st.integers(0, 500),
)
def test_no_step_is_taken_unless_every_watched_signal_has_spoken(numbers, requests):
    readings = {
        watch.signal: Reading(canary=c, incumbent=i, harm=h, safe=s)
        for watch, (c, i, h, s) in zip(WATCHES, numbers, strict=True)
    }
    move = next_move(PLAN, 0, readings, requests)
    harmed = any(readings[w.signal].harm >= -math.log(w.alpha) for w in WATCHES)
    assert (move.verb == "roll_back") == harmed
    if move.verb == "step_up":
        assert all(r.canary >= PLAN.min_requests and r.incumbent for r in readings.values())
        assert all(readings[w.signal].safe >= -math.log(PLAN.step_alpha) for w in WATCHES if w.margin)
        assert requests >= PLAN.min_requests


def test_false_roll_backs_of_all_signals_together_stay_below_one_percent():
    assert sum(watch.alpha for watch in WATCHES) <= 0.01 + 1e-12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": (0.05, 0.5)}, "100 %"),
        ({"steps": (0.25, 0.05, 1.0)}, "grow"),
        ({"steps": (0.25, 0.25, 1.0)}, "grow"),
        ({"steps": ()}, "100 %"),
        ({"watches": (Watch(signal="cost", alpha=0.1), Watch(signal="cost", alpha=0.2))}, "twice"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(changes, words):
    assert words in " ".join(Plan(**changes).problems())


def test_the_usual_plan_has_no_problems_and_survives_the_log():
    assert Plan().problems() == []
    assert msgspec.convert(msgspec.to_builtins(Plan()), Plan) == Plan()


# --- who is in


@given(st.binary(min_size=16, max_size=32), st.text(max_size=20), st.binary(max_size=40))
def test_a_place_is_stable_and_in_range(key, rollout, unit):
    place = place_of(key, rollout, unit)
    assert 0 <= place < 1
    assert place == place_of(key, rollout, unit)


def test_who_is_in_at_five_percent_is_in_at_twentyfive_and_shares_are_kept():
    places = [place_of(b"k" * 32, "p-1", str(i).encode()) for i in range(20_000)]
    inside = {share: {i for i, place in enumerate(places) if place < share} for share in (0.05, 0.25, 1.0)}
    assert inside[0.05] < inside[0.25] < inside[1.0]
    assert len(inside[0.05]) == pytest.approx(1_000, abs=130)
    assert len(inside[0.25]) == pytest.approx(5_000, abs=260)


def test_another_key_or_roll_out_places_units_anew():
    units = [str(i).encode() for i in range(200)]
    first = [place_of(b"a" * 32, "p-1", unit) < 0.5 for unit in units]
    assert first != [place_of(b"b" * 32, "p-1", unit) < 0.5 for unit in units]
    assert first != [place_of(b"a" * 32, "p-2", unit) < 0.5 for unit in units]


def test_a_canary_cell_goes_through_the_steps_alone_and_then_all_repeat_the_last():
    steps, cells = cell_by_cell((0.05, 0.25, 1.0), ("c0",))
    plan = Plan(steps=steps, cells=cells)
    assert plan.problems() == []
    assert plan.steps == (0.05, 0.25, 0.25, 1.0)
    taking = [[cell for cell in ("c0", "c1") if plan.within(step, cell)] for step in range(4)]
    assert taking == [["c0"], ["c0"], ["c0", "c1"], ["c0", "c1"]]


def test_without_a_canary_cell_the_steps_stay_as_they_are():
    assert cell_by_cell((0.05, 1.0), ()) == ((0.05, 1.0), ())
    assert all(Plan().within(step, "any") for step in range(3))


@pytest.mark.parametrize(
    ("steps", "cells"),
    [
        ((0.05, 0.05, 1.0), ()),
        ((0.05, 0.05, 1.0), (("a",), ("a",))),
        ((0.05, 0.25, 1.0), (("a",), ("b",))),
        ((0.25, 0.05, 1.0), (("a",), ("a", "b"))),
        ((0.05, 1.0), (("a",), ("a",))),
    ],
)
def test_steps_that_take_in_nothing_more_are_refused(steps, cells):
    assert Plan(steps=steps, cells=cells).problems()
