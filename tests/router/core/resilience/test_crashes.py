"""Who kills the process: what the note says, what crashes say together, and who waits how long."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.resilience import Crash, Inside, Waits, Ward
from router.core.resilience.crashes import SURE, chances, held
from router.core.resilience.inside import size_of

NAMES = ("acme", "globex", "initech", "umbrella", "hooli")
WAITS = Waits()


def note(most=8, memory=None):
    return Inside(bytearray(size_of(most)) if memory is None else memory)


def ticks(of, count):
    for _ in range(count):
        of.tick()


# --- the note


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=60))
def test_the_note_holds_exactly_who_came_and_did_not_leave(steps):
    memory = bytearray(size_of(8))
    here = note(memory=memory)
    here.begin(7, 1.0)
    inside = []
    for name, comes in steps:
        if comes:
            inside.append((name, here.enter(name)))
        elif inside:
            here.leave(inside.pop()[1])
    counts = {name: sum(who == name for who, _ in inside) for name in {who for who, _ in inside}}
    assert note(memory=memory).inside() == here.inside() == counts  # whoever opens the bytes later reads the same


@given(st.integers(1, 3), st.lists(st.integers(0, 30), max_size=120))
def test_a_note_that_is_too_small_loses_requests_and_never_a_name(most, comers):
    here = note(most)
    inside = {}
    for comer in comers:
        if comer in inside:
            here.leave(inside.pop(comer))
            here.tick()
        elif (slot := here.enter(f"t{comer}")) >= 0:
            inside[comer] = slot
    assert here.inside() == {f"t{comer}": 1 for comer in inside}
    assert len(inside) <= most


def test_a_clean_end_is_no_crash_and_a_death_names_who_was_inside_who_was_away_and_who_was_at_work():
    memory = bytearray(size_of(8))
    here = note(memory=memory)
    here.begin(7, 1.0)
    here.leave(here.enter("globex"))
    here.waits(here.enter("acme"))
    here.enter("initech")
    left = note(memory=memory)
    crash = left.ended("c0", 9.0, "fault")
    assert (crash.cell, crash.at, crash.born, crash.trace) == ("c0", 9.0, 1.0, "fault")
    assert (set(crash.inside), crash.away, crash.at_work) == ({"acme", "initech"}, ("globex",), "initech")
    left.clear()
    assert note(memory=memory).ended("c0", 9.0) is None


def test_nobody_is_at_work_once_its_request_waits_for_a_model():
    here = note()
    here.begin(7, 1.0)
    here.waits(here.enter("acme"))
    assert here.ended("c0", 9.0).at_work == ""


def test_how_much_of_the_time_a_tenant_is_inside_is_learned_and_outlives_the_process():
    memory = bytearray(size_of(8))
    here = note(memory=memory)
    here.begin(7, 1.0)
    here.enter("acme")
    for turn in range(240):
        if turn % 10 == 0:
            slot = here.enter("globex")
            here.tick()
            here.leave(slot)
        else:
            here.tick()
    later = note(memory=memory)
    assert later.share("acme") > 0.95
    assert later.share("globex") == pytest.approx(0.1, abs=0.03)
    ticks(later, 240 * 20)
    assert later.share("globex") == 0.01


def test_of_a_tenant_of_whom_nothing_is_known_nothing_is_concluded():
    here = note()
    here.begin(7, 1.0)
    here.waits(here.enter("acme"))
    crash = here.ended("c0", 1.0)
    assert crash.inside["acme"] == 0.5
    assert chances([crash] * 10)["acme"] < 0.5


# --- the verdict


def crash(at, inside=(), away=(), **more):
    return Crash(cell="c0", at=float(at), inside=dict.fromkeys(inside, 0.02) | dict(more.pop("shares", {})),
                 away=tuple(away), **more)  # fmt: skip


def test_one_crash_without_a_trace_makes_nobody_wait():
    assert held([crash(0, ["acme"], at_work="acme", stretch=0.001)], WAITS) == {}


def test_whoever_is_inside_at_two_crashes_where_the_others_vary_is_held():
    seen = [crash(0, ["acme", "globex"], ["initech"]), crash(9, ["acme", "initech"], ["globex"])]
    found = held(seen, WAITS)
    assert set(found) == {"acme"}
    assert found["acme"].until == 9 + WAITS.hold
    assert found["acme"].chance >= SURE


def test_a_traced_crash_with_one_at_work_makes_it_wait_a_moment():
    usual = dict.fromkeys(NAMES, 0.8)
    for trace in ("fault", "memory"):
        found = held([crash(0, shares=usual, at_work="acme", stretch=0.005, trace=trace)], WAITS)
        assert set(found) == {"acme"}
        assert found["acme"].until == WAITS.first


def test_each_further_crash_doubles_the_wait_up_to_the_longest():
    at, lengths, seen = 0.0, [], []
    for _ in range(9):
        seen.append(crash(at, ["acme"], ["globex"]))
        found = held(seen, WAITS)
        if "acme" in found:
            lengths.append(found["acme"].until - at)
            at = found["acme"].until
        at += 1
    assert lengths[:6] == [60, 120, 240, 480, 960, 1800]
    assert lengths[-1] == WAITS.longest


def test_crashes_further_apart_than_the_window_are_not_seen_together():
    assert held([crash(0, ["acme"]), crash(WAITS.window + 1, ["acme"])], WAITS) == {}


def test_what_was_lifted_is_not_held_against_a_tenant_and_what_comes_after_is():
    seen = [crash(0, ["acme"]), crash(9, ["acme"])]
    assert held(seen, WAITS, {"acme": 9.0}) == {}
    assert set(held([*seen, crash(12, ["acme"]), crash(15, ["acme"])], WAITS, {"acme": 9.0})) == {"acme"}


shares = st.floats(0.01, 1.0)
crashes = st.lists(
    st.builds(
        Crash,
        cell=st.sampled_from(["c0", "c1"]),
        at=st.floats(0, 100),
        inside=st.dictionaries(st.sampled_from(NAMES), shares, max_size=5),
        trace=st.sampled_from(["", "fault", "memory"]),
    ).map(lambda each: msgspec.structs.replace(each, away=tuple(n for n in NAMES if n not in each.inside))),
    max_size=8,
)


@settings(max_examples=30)
@given(crashes)
def test_chances_are_chances_and_leave_room_for_nobody(seen):
    found = chances(seen)
    assert sum(found.values()) < 1
    assert all(0 <= chance < 1 for chance in found.values())


@settings(max_examples=30)
@given(crashes)
def test_nobody_waits_for_a_crash_that_it_was_not_inside_at(seen):
    found = held(seen, WAITS)
    for name, verdict in found.items():
        assert any(name in each.inside and each.at == verdict.since for each in seen)
        assert any(each.trace for each in seen if name in each.inside) or verdict.crashes >= 2


@settings(max_examples=30)
@given(crashes, st.floats(0.5, 1.0), st.sampled_from(NAMES))
def test_who_is_inside_half_of_the_time_is_never_suspected_for_it(seen, share, name):
    busy = [msgspec.structs.replace(each, inside={**each.inside, name: share}) for each in seen]
    assert name not in held(busy, WAITS)


@settings(max_examples=30)
@given(crashes)
def test_of_two_who_cannot_be_told_apart_neither_waits(seen):
    twins = [
        msgspec.structs.replace(each, inside={**each.inside, "twin": each.inside["acme"]})
        if "acme" in each.inside else msgspec.structs.replace(each, away=(*each.away, "twin"))
        for each in seen
    ]  # fmt: skip
    found = held(twins, WAITS)
    assert "acme" not in found
    assert "twin" not in found


@settings(max_examples=30)
@given(crashes, st.randoms(use_true_random=False))
def test_the_order_of_reading_changes_no_verdict(seen, dice):
    mixed = [msgspec.structs.replace(each, born=float(number)) for number, each in enumerate(seen)]
    first = held(mixed, WAITS)
    dice.shuffle(mixed)
    assert held(mixed, WAITS) == first


@pytest.mark.parametrize(
    ("tenants", "shares"), [(3, (0.01, 0.05)), (30, (0.01, 0.2)), (30, (0.05, 1.0)), (200, (0.01, 0.02))]
)
def test_crashes_that_have_nothing_to_do_with_tenants_hold_one_in_fewer_than_one_of_nineteen_series(tenants, shares):
    dice, wrong, series = Random(tenants), 0, 150
    for _ in range(series):
        share = {f"t{i}": dice.uniform(*shares) for i in range(tenants)}
        seen = []
        for at in range(4):
            inside = {name: part for name, part in share.items() if dice.random() < part}
            # each is at work for a tenth of the time that it is inside
            work = next((name for name in inside if dice.random() < 0.1), "")
            away = tuple(name for name in share if name not in inside)
            stretch = share[work] / 10 if work else 1.0
            seen.append(Crash(cell="c0", at=at, inside=inside, away=away, at_work=work, stretch=stretch))
        wrong += bool(held(seen, WAITS))
    assert wrong / series < 1 / 19


# --- the ward


def test_a_suspect_waits_comes_in_one_at_a_time_and_is_free_once_a_trial_has_ended_well():
    ward = Ward(WAITS)
    ward.learn([crash(0, ["acme"]), crash(1, ["acme"])], {})
    assert ward.wait("globex", 2.0) == 0
    assert ward.wait("acme", 2.0) == 59
    assert ward.wait("acme", 61.5) == 0
    assert ward.try_out("acme")
    assert ward.wait("acme", 61.6) == 1
    ward.lived("acme")
    assert ward.wait("acme", 61.7) == 0
    assert not ward.try_out("acme")
    assert ward.refused == 2


def test_a_trial_says_nothing_about_a_crash_that_came_after_it_began():
    ward, seen = Ward(WAITS), [crash(0, ["acme"]), crash(1, ["acme"])]
    ward.learn(seen, {})
    assert ward.try_out("acme")
    ward.learn([*seen, crash(62, ["acme"])], {})
    ward.lived("acme")
    assert ward.wait("acme", 63.0) == 119


def test_a_verdict_that_is_lifted_is_forgotten_at_once():
    ward, seen = Ward(WAITS), [crash(0, ["acme"]), crash(1, ["acme"])]
    ward.learn(seen, {})
    ward.learn(seen, {"acme": 2.0})
    assert ward.wait("acme", 3.0) == 0
