"""Simulated sessions: the same every time, and every strategy does what its name says."""

import json

import numpy as np
import pytest

from evals.sessions import __main__ as sessions
from evals.sessions import report as sessions_report
from evals.sessions.model import Task, needed, session, synthetic_pool, talk_of
from router.registry.prices import PriceBook
from router.types import TIER_NAMES

POOL = synthetic_pool(np.random.default_rng(1), 50)
BOOK = PriceBook.load()
PRICES = {tier: BOOK.price(model) for tier, model in sessions.MODELS.items()}


def drawn(seed=3, count=4):
    rng = np.random.default_rng(seed)
    return [session(rng, POOL) for _ in range(count)]


def by_name(name):
    return sessions.strategies(sessions._policy("quality: {keep: 0.95}"), sessions._fleet(PRICES))[name]


def test_the_prices_say_what_cached_input_costs():
    assert all(price.cached_input for price in PRICES.values())


def test_the_same_seed_draws_the_same_sessions():
    assert drawn() == drawn()
    assert drawn() != drawn(4)


def test_a_session_only_grows_and_its_clock_only_goes_on():
    for calls in drawn(count=10):
        for before, after in zip(calls, calls[1:], strict=False):
            assert after.input_tokens > before.input_tokens
            assert after.messages > before.messages
            assert after.at >= before.at
            assert after.inside or after.follow_ups in {0, before.follow_ups + 1}


@pytest.mark.parametrize(("name", "tier"), [("always large", 2), ("always small", 0)])
def test_a_constant_never_switches_and_costs_what_its_tier_costs(name, tier):
    calls = drawn()[0]
    played = sessions.play(calls, by_name(name), PRICES)
    assert played["switches"] == 0
    assert played["right"] == pytest.approx(sum(call.task.right[tier] for call in calls))
    price = PRICES[TIER_NAMES[tier]]
    most = sum(c.input_tokens * price.input + c.output_tokens * price.output for c in calls) / 1e6
    assert 0 < played["nano"] <= most + len(calls)


def test_an_oracle_is_never_on_a_wrong_tier_and_the_first_ask_sticks():
    for calls in drawn():
        oracle = sessions.play(calls, by_name("oracle per turn"), PRICES)
        assert (oracle["too_low"], oracle["too_high"]) == (0, 0)
        assert sessions.play(calls, by_name("sticky (first ask decides)"), PRICES)["switches"] == 0


def test_the_needed_tier_is_the_cheapest_that_does_as_well_as_any():
    score = POOL[0].score
    assert needed(Task((0.9, 0.91, 0.9), score)) == 0
    assert needed(Task((0.1, 0.9, 0.5), score)) == 1


def test_what_the_router_reads_is_what_was_drawn():
    call = next(c for calls in drawn(count=20) for c in calls if c.follow_ups == 1)
    talk, score = talk_of(call, 2)
    assert (talk.follow_ups, talk.failures) == (1, 2 if call.inside else 0)
    assert score(talk.open_ask) is call.task.score
    assert score(talk.ask) is call.own.score


def test_the_figures_are_written_with_their_intervals(tmp_path):
    results = {"synthetic, keep 0.95": sessions.measure(POOL, "quality: {keep: 0.95}", PRICES, 2, 2)}
    about = {"command": "c", "date": "d", "commit": "x", "machine": "m", "seeds": 2, "sessions_per_seed": 2,
             "prices": {"small": "s"}, "tasks": {"synthetic": 50}, "artefact": "a" * 64}  # fmt: skip
    row = {"aim": "keep", "share": 0.9, "who": "ours", "cost": sessions.interval([0.5, 0.7]),
           "switches": sessions.interval([1, 2]), "ours_less_this": sessions.interval([0, 0])}  # fmt: skip
    sessions_report.write(tmp_path, about, results, {"synthetic": [row]})
    stored = json.loads((tmp_path / "sessions.json").read_text())
    ours = stored["results"]["synthetic, keep 0.95"]["ours"]
    assert set(ours) == {*sessions_report.FIGURES, "ours_less_this"}
    assert ours["quality"]["low"] <= ours["quality"]["value"] <= ours["quality"]["high"]
    words = (tmp_path / "sessions.md").read_text()
    assert "| keep | 90% | ours | 0.600 (0.404 to 0.796)" in words
    assert "| always large |" in words
