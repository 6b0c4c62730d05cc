"""Many waits, one timer: each rings once, in its time, unless it was dropped."""

import asyncio
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from router.alarms import Alarms


class Clock:
    """A loop of which only the time and one timer are asked."""

    def __init__(self):
        self.now, self.due, self.made = 0.0, inf, 0

    def time(self):
        return self.now

    def call_at(self, due, wake):
        self.due, self.wake = due, wake
        self.made += 1
        return self

    def cancel(self):
        self.due = inf

    def pass_to(self, now):
        while self.due <= now:
            self.now, self.due = self.due, inf
            self.wake()
        self.now = now


class Wait:
    def __init__(self, clock, due, then=None):
        self.clock, self.due, self.then, self.rang = clock, due, then, []

    def ring(self):
        self.rang.append(self.clock.now)
        if self.then is not None:
            self.then()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 60)), max_size=30))
def test_each_rings_once_when_it_is_due_unless_it_was_dropped_before(waits):
    clock = Clock()
    alarms = Alarms(clock)
    made = [(begin, Wait(clock, float(begin + length)), drop) for begin, length, drop in waits]
    for now in range(120):
        clock.pass_to(float(now))
        for begin, wait, drop in made:
            if begin == now:
                alarms.set(wait)
            if drop == now and drop >= begin:
                alarms.drop(wait)
    for begin, wait, drop in made:
        dropped = begin <= drop < wait.due or (drop == wait.due == begin)
        assert wait.rang == ([] if dropped else [wait.due])
    assert len(alarms) == 0


def test_waits_that_are_not_over_cost_no_timer_of_their_own():
    clock = Clock()
    alarms = Alarms(clock)
    for begin in range(1_000):
        clock.pass_to(begin / 1e3)
        wait = Wait(clock, clock.now + 120.0)
        alarms.set(wait)
        alarms.drop(wait)
    assert clock.made == 1
    clock.pass_to(500.0)
    assert clock.due == inf, "nothing is left to wake up for"


def test_one_that_rings_may_set_and_drop_others():
    clock = Clock()
    alarms = Alarms(clock)
    never, later = Wait(clock, 1.0), Wait(clock, 2.0)

    def then():
        alarms.drop(never)
        alarms.set(later)

    alarms.set(Wait(clock, 1.0, then))
    alarms.set(never)
    clock.pass_to(3.0)
    assert (never.rang, later.rang) == ([], [2.0])


def test_what_is_due_later_than_it_was_rings_later():
    clock = Clock()
    alarms = Alarms(clock)
    wait = Wait(clock, 1.0)
    alarms.set(wait)
    wait.due = 5.0
    clock.pass_to(4.0)
    assert wait.rang == []
    clock.pass_to(5.0)
    assert wait.rang == [5.0]


async def test_on_a_real_loop():
    loop = asyncio.get_running_loop()
    alarms = Alarms(loop)
    rang = asyncio.Event()

    class Once:
        due = loop.time() + 0.02

        def ring(self):
            rang.set()

    alarms.set(Once())
    await asyncio.wait_for(rang.wait(), 5)
    assert len(alarms) == 0
