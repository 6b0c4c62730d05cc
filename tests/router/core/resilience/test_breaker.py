"""A breaker opens for a server's faults, from one caller for nobody else, and closes by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.resilience import Breaker, BreakerRules, Silence, work_of
from router.core.resilience.breaker import QUIET

FAIL, OK = "failed", "ok"


def ask(breaker, now, ending, voter=0, took=0.1, **more):
    """One call, if it is let through; whether it was."""
    call = breaker.begin(now, voter)
    if call is not None:
        breaker.end(call, ending, now + took, **more)
    return call is not None


def opened(now=0.0, rules=BreakerRules(), voters=(0, 1)):
    breaker = Breaker(rules)
    for i in range(rules.failures):
        assert ask(breaker, now, FAIL, voters[i % len(voters)], took=0)
    assert breaker.state(now) == "open"
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not():
    breaker = Breaker()
    for i in range(15):
        ask(breaker, i * 60, OK if i % 5 == 4 else FAIL)
    assert breaker.state(0) == "closed"
    for _ in range(5):
        ask(breaker, 1000, FAIL)
    assert breaker.cause == "failures"


def test_a_lone_deployment_with_a_lone_caller_opens_too():
    assert opened(voters=(7,)).retry_in(0.0) > 0


def test_while_open_nothing_is_let_through_then_one_look_at_a_time():
    breaker = opened()
    until = breaker.retry_in(0.0)
    assert breaker.begin(until - 0.01) is None
    look = breaker.begin(until)
    assert look is not None
    assert breaker.begin(until, 1) is None
    breaker.end(look, OK, until + 0.1)
    assert breaker.state(until + 0.1) == "closed"
    assert all(breaker.begin(until + 0.1, v) for v in range(20))


def test_one_who_is_alone_may_look_at_any_time_one_call_at_a_time():
    breaker = opened()
    first = breaker.begin(0.1, 3, alone=True)
    assert first.alone
    assert breaker.begin(0.1, 4, alone=True) is None
    breaker.end(first, FAIL, 0.2)
    assert breaker.begin(0.2, 3, alone=True) is None  # a moment of quiet
    rest = breaker.retry_in(0.2)
    again = breaker.begin(0.2 + QUIET, 3, alone=True)
    assert breaker.retry_in(0.2) == rest  # it rests no longer for that
    breaker.answered(again, 0.3)
    assert breaker.state(0.3) == "closed"


def test_nobody_looks_alone_at_a_black_hole():
    breaker = opened()
    breaker.cause = "silence"
    assert breaker.begin(0.1, 3, alone=True) is None


def test_the_pause_doubles_with_each_failed_look_up_to_the_longest_and_is_forgotten():
    rules = BreakerRules(pause=1.0, longest=5.0)
    breaker, now, pauses = opened(rules=rules), 0.0, []
    for i in range(5):
        pauses.append(breaker.retry_in(now))
        now += pauses[-1] + 0.001
        assert ask(breaker, now, FAIL, voter=i, took=0)
    assert pauses == pytest.approx([1, 2, 4, 5, 5])
    now += breaker.retry_in(now)
    assert ask(breaker, now, OK, voter=9, took=0)
    for voter in (0, 1, 0, 1, 0):
        ask(breaker, now, FAIL, voter, took=0)
    assert breaker.retry_in(now) == pytest.approx(1)


def test_an_answers_first_byte_closes_it_before_the_answer_has_ended():
    breaker = opened()
    now = breaker.retry_in(0.0)
    look = breaker.begin(now)
    breaker.answered(look, now + 0.2)
    assert breaker.state(now + 0.2) == "closed"
    breaker.end(look, FAIL, now + 9)
    assert breaker.state(now + 9) == "closed"


def test_whoever_left_during_a_look_does_not_block_the_next_one():
    breaker = opened()
    now = breaker.retry_in(0.0)
    breaker.end(breaker.begin(now), "gone", now)
    assert breaker.begin(now) is not None


def test_a_look_whose_end_is_never_told_does_not_block_for_ever():
    breaker = opened()
    now = breaker.retry_in(0.0)
    assert breaker.begin(now) is not None
    assert breaker.begin(now + 60) is not None


@given(st.lists(st.sampled_from(["refused", "gone"]), max_size=200), st.integers(0, 3))
def test_a_callers_own_fault_never_counts(endings, voters):
    breaker = Breaker()
    assert all(ask(breaker, i * 0.01, ending, i % (voters + 1)) for i, ending in enumerate(endings))
    assert breaker.state(10.0) == "closed"


@given(
    st.lists(st.tuples(st.sampled_from([FAIL, "limited", "refused", "gone"]), st.integers(1, 12)), max_size=25),
    st.floats(0.01, 3.0),
)
def test_a_poisonous_caller_opens_it_for_nobody_while_another_is_served(waves, step):
    """However many bad calls one caller makes between a good caller's, the good one is always let through."""
    breaker, now = Breaker(), 0.0
    assert ask(breaker, now, OK, voter=3)
    for ending, count in waves:
        for _ in range(count):
            ask(breaker, now, ending, voter=5, retry_after=30.0)
        now += step
        assert ask(breaker, now, OK, voter=3)


def test_the_failing_share_is_the_callers_mean_so_one_with_most_of_the_load_has_one_vote():
    fair, unfair = Breaker(BreakerRules(failures=1000)), Breaker(BreakerRules(failures=1000))
    for i in range(200):
        now = i * 0.01
        ask(fair, now, FAIL if i % 10 else OK, voter=5 if i % 10 else 3)
        ask(unfair, now, FAIL if i % 10 else OK, voter=i % 4)
    assert fair.state(2.0) == "closed"
    assert unfair.cause == "rate"


def test_whoever_failed_the_look_does_not_get_the_next_one():
    breaker = opened(voters=(5,))
    now = breaker.retry_in(0.0)
    assert ask(breaker, now, FAIL, voter=5, took=0)
    now += breaker.retry_in(now)
    assert breaker.begin(now, 5) is None
    assert ask(breaker, now, OK, voter=3)


def test_a_rate_limit_opens_it_for_the_time_the_server_asked_for():
    breaker = Breaker()
    for voter in (0, 1, 0):
        assert ask(breaker, 0.0, "limited", voter, took=0, retry_after=7.0)
    assert breaker.cause == "limited"
    assert breaker.retry_in(0.0) == 7.0
    assert ask(breaker, 7.0, OK, voter=2)
    assert breaker.state(7.1) == "closed"


def test_what_was_asked_before_it_opened_neither_closes_nor_blames_it():
    breaker = Breaker()
    early = [breaker.begin(0.0, v) for v in range(10)]
    for call in early[:5]:
        breaker.end(call, FAIL, 1.0)
    assert breaker.state(1.0) == "open"
    breaker.end(early[5], OK, 1.1)
    assert breaker.state(1.1) == "open"
    assert ask(breaker, 4.0, OK)
    for call in early[6:]:
        breaker.end(call, FAIL, 4.5)
    assert breaker.state(4.5) == "closed"


@given(st.lists(st.tuples(st.sampled_from([OK, FAIL, "limited", "refused", "gone", "hang"]), st.integers(0, 4),
                          st.floats(0, 2)), max_size=120))  # fmt: skip
def test_it_always_looks_again_and_a_server_that_is_well_is_always_taken_back(story):
    breaker, now = Breaker(), 0.0
    for ending, voter, step in story:
        now += step
        call = breaker.begin(now, voter)
        if call is not None and ending != "hang":
            breaker.end(call, ending, now, retry_after=1.0)
    now += 61  # the longest pause, and the time that a lost look or a blamed caller blocks the next
    assert ask(breaker, now, OK, voter=9)
    assert breaker.state(now + 0.1) == "closed"


# --- silence


def learned(floor=1.5, took=0.3, calls=200, spread=5):
    silence = Silence(floor)
    for i in range(calls):
        silence.heard(i * 0.05, took * (1 + (i % spread) / spread), 1.0)
    return silence, (calls - 1) * 0.05


def test_a_black_hole_under_traffic_is_found_within_two_seconds():
    breaker, now = Breaker(), 0.0
    for i in range(300):
        now = i * 0.05
        ask(breaker, now, OK, voter=i % 4, took=0.3)
    hole = now + 0.05
    while breaker.state(now) == "closed":
        now += 0.05
        breaker.begin(now, int(now * 20) % 4)
        assert now - hole < 2.0
    assert breaker.cause == "silence"


def test_long_answers_are_found_silent_as_fast_when_many_wait():
    """Answers take from 2 to 30 seconds, so no single call is late; that none of many ends is the sign."""
    silence = Silence()
    for i in range(600):
        silence.heard(i * 0.2, 2 + 28 * ((i * 7) % 100) / 100, 1.0)
    now = 120.0
    waiting = [(now - 0.05 * i, 1.0) for i in range(320)]
    assert silence.silent(now + 1.9, waiting)
    assert not silence.silent(now + 2.1, waiting[::80])


def test_a_burst_after_a_pause_is_no_silence():
    silence, now = learned()
    waiting = [(now + 100.0, 1.0)] * 64
    assert not any(silence.silent(now + 100 + t / 10, waiting) for t in range(15))


@given(st.integers(0, 49), st.floats(2, 1000))
def test_nothing_is_said_before_enough_is_known(answers, waited):
    silence = Silence()
    for i in range(answers):
        silence.heard(i * 0.01, 0.1, 1.0)
    assert not silence.silent(waited, [(0.5, 1.0)] * 100)


@given(st.floats(2, 10_000), st.integers(1, 2))
def test_one_or_two_stragglers_are_never_enough(waited, many):
    silence, now = learned()
    assert not silence.silent(now + waited, [(now, 1.0)] * many)


def test_a_sign_of_life_clears_everybody():
    silence, now = learned()
    waiting = [(now, 1.0)] * 10
    assert silence.evidence(now + 2, waiting) > 10
    silence.alive(now + 2)
    assert silence.evidence(now + 2.1, waiting) == 0


def test_an_answer_of_a_server_that_was_given_up_takes_it_back_and_makes_us_more_patient():
    breaker, now = Breaker(), 0.0
    for i in range(300):
        now = i * 0.05
        ask(breaker, now, OK, took=0.2)
    slow = [breaker.begin(now + 1, work=1.0) for _ in range(10)]
    breaker.look(now + 4)
    assert breaker.cause == "silence"
    breaker.answered(slow[0], now + 5)
    assert breaker.state(now + 5) == "closed"
    again = [breaker.begin(now + 6) for _ in range(10)]
    breaker.look(now + 9)
    assert breaker.state(now + 9) == "closed"
    breaker.look(now + 12)
    assert breaker.cause == "silence"
    assert all(again)


def test_a_black_hole_that_was_never_seen_to_answer_is_found_by_callers_who_waited_in_vain():
    breaker = Breaker()
    for i in range(5):
        breaker.end(breaker.begin(i, i), "gone", i + 4.9)
    assert breaker.state(10.0) == "closed"
    for i in range(5):
        breaker.end(breaker.begin(10 + i, i), "gone", 20.0 + i)
    assert breaker.cause == "failures"
    heard = Breaker()
    for i in range(20):
        hopeless = heard.begin(10 * i, i)
        ask(heard, 10 * i + 1, OK, voter=i + 1)
        heard.end(hopeless, "gone", 10 * i + 9)
    assert heard.state(200.0) == "closed"


def test_a_look_that_finds_silence_is_given_up_and_its_caller_freed():
    breaker, now = Breaker(), 0.0
    for i in range(300):
        now = i * 0.05
        ask(breaker, now, OK, took=0.2)
    hung = [breaker.begin(now + 1) for _ in range(10)]
    breaker.look(now + 4)
    assert breaker.cause == "silence"
    look = breaker.begin(now + 7)
    freed = []
    look.wake = lambda: freed.append(look)
    breaker.look(now + 9.9)
    assert not freed
    breaker.look(now + 10.1)
    assert freed == [look]
    assert breaker.state(now + 10.1) == "open"
    assert breaker.retry_in(now + 10.1) > 3  # doubled
    assert all(hung)


def test_a_long_prompt_and_a_long_whole_answer_may_take_longer():
    assert work_of(0, 300, stream=True) == 1
    assert work_of(32_000, 0, stream=True) == 9
    assert work_of(0, 400, stream=False) == 5
    silence, now = learned()
    assert silence.evidence(now + 2.6, [(now, 9.0)] * 50) == 0
    assert silence.evidence(now + 3, [(now, 1.0)] * 50) > 100


def test_silence_can_be_left_out():
    breaker = Breaker(BreakerRules(silence=0))
    for i in range(100):
        ask(breaker, i * 0.1, OK)
    for _ in range(100):
        breaker.begin(20.0)
    breaker.look(500.0)
    assert breaker.state(500.0) == "closed"
