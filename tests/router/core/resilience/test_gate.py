"""The gate's laws hold for every order of comings and goings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.resilience import RANKS, Gate

STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "go", "wait"]), st.integers(0, 4), st.sampled_from(RANKS), st.floats(0, 0.3)),
    max_size=120,
)


@given(STEPS, st.integers(1, 6), st.integers(0, 6), st.sampled_from([0.5, 1.0]))
def test_bounds_hold_and_nobody_waits_beside_a_free_place(steps, places, queue, share):
    gate, now, there = Gate(places, queue, share), 0.0, []
    for what, number, rank, step in steps:
        now += step
        if what == "come":
            there.append(gate.enter(now, f"t{number}", rank))
        elif there:
            gate.leave(there[number % len(there)], now)
        there = [entry for entry in there if entry.state != "away"]
        inside = [entry for entry in there if entry.state == "inside"]
        waiting = [entry for entry in there if entry.state == "waiting"]
        assert (len(inside), len(waiting)) == (gate.inside, gate.waiting)
        assert len(inside) <= places
        assert len(waiting) <= queue
        most = -(-places * share // 1)
        assert max(sum(entry.tenant == f"t{t}" for entry in waiting) for t in range(5)) <= -(-queue * share // 1)
        held = [sum(entry.tenant == f"t{t}" for entry in inside) for t in range(5)]
        assert max(held) <= most
        assert len(inside) == places or all(held[int(entry.tenant[1])] == most for entry in waiting)
    for entry in there:
        gate.leave(entry, now)
    assert (gate.inside, gate.waiting, gate._held, gate._queued) == (0, 0, {}, {})


def full(places=2, queue=3, tenants="ab", rank="default"):
    gate = Gate(places, queue)
    return gate, [gate.enter(0.0, tenants[i % len(tenants)], rank) for i in range(places + queue)]


def test_a_full_queue_turns_away_at_once():
    gate, _ = full()
    assert gate.enter(0.0, "c").state == "away"


@pytest.mark.parametrize("tenants", ["a", "abc"])
def test_a_higher_class_takes_the_room_of_a_lower_one_and_is_served_first(tenants):
    gate, there = full(rank="batch", tenants=tenants)
    woken = []
    for entry in there:
        entry.wake = lambda entry=entry: woken.append(entry)
    critical = gate.enter(0.0, tenants[-1], "critical")
    assert critical.state == "waiting"
    assert [entry.state for entry in woken] == ["away"]
    gate.leave(there[0], 0.01)
    assert critical.state == "inside"


def test_in_order_while_on_time_and_newest_first_once_late():
    for late, first in ((0.05, 0), (5.0, 2)):
        gate, there = full(1, 3, "a")
        gate.leave(there[0], late)
        assert there[1 + first].state == "inside"


def test_the_tenant_with_the_fewest_inside_is_next():
    gate = Gate(3, 9)
    inside = [gate.enter(0.0, "greedy") for _ in range(3)]
    greedy = [gate.enter(0.0, "greedy") for _ in range(3)]
    modest = gate.enter(0.05, "modest")
    gate.leave(inside[0], 0.06)
    assert modest.state == "inside"
    assert all(entry.state == "waiting" for entry in greedy)


def test_one_tenant_leaves_room_for_the_others():
    gate = Gate(4, 4, share=0.5)
    states = [gate.enter(0.0, "greedy").state for _ in range(8)]
    assert states == ["inside"] * 2 + ["waiting"] * 2 + ["away"] * 4
    assert [gate.enter(0.0, "modest").state for _ in range(3)] == ["inside", "inside", "waiting"]


def test_more_places_let_more_in():
    gate, there = full()
    gate.resize(4, 0.0)
    assert [entry.state for entry in there] == ["inside"] * 4 + ["waiting"]
