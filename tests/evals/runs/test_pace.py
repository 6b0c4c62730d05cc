"""Traffic that gives way: the laws of the pace, and the gate that keeps it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from evals.runs.asking import AskError
from evals.runs.pace import MAX_PAUSE, MOST_TRIES, Gate, Pace, pause_before

EVENTS = st.lists(st.tuples(st.sampled_from(["answered", "limited"]), st.floats(0, 5), st.floats(0, 3)), max_size=60)


@given(st.integers(1, 64), EVENTS)
def test_the_pace_stays_between_one_and_the_most(most, events):
    pace, now = Pace(most), 0.0
    for what, passed, pause in events:
        now += passed
        before = pace.allowed
        if what == "answered":
            pace.answered()
            assert pace.allowed >= before
        else:
            pace.limited(now, now, pause)
            assert pace.allowed <= max(1, before)
            assert (pace.wait(now, 0) or 0) >= pause - 1e-9
        assert 1 <= pace.allowed <= most


@given(st.integers(2, 64))
def test_calls_that_were_on_their_way_halve_nothing_more(most):
    pace = Pace(most)
    pace.limited(10.0, 9.0, 0.0)
    once = pace.allowed
    pace.limited(10.5, 9.5, 0.0)
    assert pace.allowed == once == max(1, most / 2)


@given(st.integers(1, 64))
def test_it_comes_back_to_the_most(most):
    pace = Pace(most)
    for at in range(10):
        pace.limited(float(at), float(at), 0.0)
    for _ in range(most * most + 1):
        pace.answered()
    assert pace.allowed == most


@given(st.integers(0, 20), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e5))
def test_tries_and_pauses_are_bounded(tries, draw, retry_after):
    error = AskError("busy", retryable=True, limited=True, retry_after=retry_after)
    pause = pause_before(max(1, tries), error, draw)
    assert pause is None or 0 <= pause <= MAX_PAUSE
    if tries >= MOST_TRIES or (retry_after or 0) > MAX_PAUSE:
        assert pause is None
    elif retry_after is not None:
        assert pause == retry_after
    assert pause_before(1, AskError("no"), draw) is None


async def test_the_gate_lets_in_no_more_than_the_pace_allows():
    gate, inside, most = Gate(Pace(3)), 0, 0

    async def call():
        nonlocal inside, most
        async with gate.call():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert (most, inside, gate.running) == (3, 0, 0)


async def test_the_gate_waits_for_the_end_of_a_pause():
    now = 0.0
    gate = Gate(Pace(2), clock=lambda: now)
    gate.pace.limited(0.0, 0.0, 30.0)
    waiting = asyncio.create_task(gate.call().__aenter__())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    now = 31.0
    gate._moved.set()
    assert await waiting == 31.0
