"""Staying on a tier: never below what the turn needs, never where rules forbid, and the same every time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.load import load_policy
from router.core.affinity import Memory, Stay, Warm, cached_tokens, recall, remember, staying_pays
from router.core.decide import Caller, Fleet, decide
from router.core.session import stay_of
from router.core.turns import Turn
from router.types import TIER_NAMES, Deployment, Features, Price, Reason, Score

RANK = {tier: i for i, tier in enumerate(TIER_NAMES)}
# Cached input at a tenth, as most providers have it.
PRICES = {
    t: Price(input=p * 10**9, output=4 * p * 10**9, cached_input=p * 10**8)
    for t, p in (("small", 1), ("medium", 2), ("large", 10))
}
ALL = tuple(Deployment(name=t, tier=t, model=t, upstream="u", private=t != "large") for t in TIER_NAMES)


def score(small, medium, large, tokens=300.0):
    p = {"small": small, "medium": medium, "large": large}
    return Score(
        p_right=p,
        output_tokens=dict.fromkeys(p, tokens),
        complexity=1 - small,
        novelty=0.1,
        artefact="a",
        family="generic",
    )


def features(tokens=1000, **more):
    return Features(
        **{
            "language": "en",
            "input_tokens": tokens,
            "ask_chars": 40,
            "turns": 5,
            "tools": False,
            "images": False,
            **more,
        }
    )


def memory(tier, tokens=900, at=0.0, messages=3):
    return Memory((Warm(tier, tier, "u", tokens, at),), messages)


def stay(held, now=10.0, hysteresis=0.05):
    return Stay(memory=held, now=now, hysteresis=hysteresis, cache_seconds=300.0)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")

    def make(body="quality: {keep: 0.9}"):
        path = folder / f"p{abs(hash(body))}.yaml"
        path.write_text("stillhouse: 1\nname: p\n" + body)
        return load_policy(path)

    return make


def run(policy, said, held=None, turn=None, facts=None, fleet=ALL, prices=PRICES, **more):
    turn = turn or Turn(score=said)
    return decide(policy, facts or features(), said, Caller(), Fleet(fleet, prices), turn, stay(held, **more))


EASY, CLOSE, HARD = score(0.9, 0.91, 0.92), score(0.83, 0.9, 0.9), score(0.3, 0.5, 0.9)


def test_without_a_memory_nothing_changes(policy):
    assert run(policy(), EASY).because.id == "quality-kept"


def test_a_session_rises_at_once_and_says_so_without_claiming_the_decision(policy):
    got = run(policy(), HARD, memory("small"))
    assert got.wanted == "large"
    assert [r.id for r in got.reasons] == ["session-rises", "quality-kept"]


def test_a_session_falls_where_the_lower_tier_will_clearly_do(policy):
    got = run(policy(), EASY, memory("large", tokens=100))
    assert (got.wanted, got.reasons[0].id) == ("small", "session-falls")


def test_a_session_stays_where_little_is_gained(policy):
    no_cache = {t: Price(input=p.input, output=p.output) for t, p in PRICES.items()}
    got = run(policy(), CLOSE, memory("medium", tokens=0), prices=no_cache)
    assert (got.wanted, got.because.id) == ("medium", "session-stays")
    assert run(policy(), CLOSE, memory("medium", tokens=0), prices=no_cache, hysteresis=0.0).wanted == "small"


def test_a_long_cached_prefix_makes_it_stay_and_a_cold_one_does_not(policy):
    facts = features(tokens=60_000)
    warm = run(policy(), EASY, memory("medium", tokens=59_000), facts=facts)
    assert (warm.wanted, warm.because.id) == ("medium", "session-stays")
    assert "cache" in warm.because.text
    assert run(policy(), EASY, memory("medium", tokens=59_000), facts=facts, now=301.0).wanted == "small"


def test_an_exchange_with_tools_ends_where_it_began(policy):
    got = run(policy(), EASY, memory("large", tokens=10), Turn(score=EASY, inside=True))
    assert (got.wanted, got.because.id) == ("large", "session-stays")
    assert run(policy(), HARD, memory("small"), Turn(score=HARD, inside=True)).wanted == "large"


def test_it_never_stays_where_the_chance_is_worse(policy):
    worse = score(0.9, 0.9, 0.7)
    assert run(policy(), worse, memory("large"), Turn(score=worse, inside=True)).wanted == "small"


def test_an_errand_goes_low_unless_the_policy_says_otherwise_or_the_cache_is_worth_more(policy):
    errand = Turn(score=HARD, low=True, why=Reason(id="errand", text="a title"))
    assert run(policy(), HARD, turn=errand).because.id == "errand"
    assert run(policy(), HARD, turn=errand).wanted == "small"
    assert run(policy("session: {errands: off}"), HARD, turn=errand).wanted == "large"
    kept = run(policy(), HARD, memory("medium", tokens=60_000), errand, features(tokens=60_000))
    assert kept.wanted == "medium"


def test_an_errand_obeys_the_rules(policy):
    errand = Turn(score=EASY, low=True, why=Reason(id="errand", text="a title"))
    body = "rules:\n  - {name: r, when: {}, at_least: medium}\n"
    assert run(policy(body), EASY, turn=errand).wanted == "medium"


def test_trouble_goes_up_by_tiers_and_not_past_the_best(policy):
    def stuck(up):
        return Turn(score=EASY, up=up, why=Reason(id="turn-stuck", text="in circles"))

    assert run(policy(), EASY, turn=stuck(1)).wanted == "medium"
    assert run(policy(), EASY, turn=stuck(2)).wanted == "large"
    assert run(policy("tiers: [small, medium]"), EASY, turn=stuck(2)).wanted == "medium"
    assert run(policy("tiers: [small]"), EASY, turn=stuck(1)).because.id == "only-tier"


def test_trouble_does_not_break_a_budget(policy):
    body = "budget: {usd_per_request: 0.0025}"
    stuck = Turn(score=EASY, up=2, why=Reason(id="turn-stuck", text="in circles"))
    assert run(policy(body), EASY, turn=stuck).wanted == "small"
    assert run(policy(body), EASY, memory("large")).wanted == "small"


def test_affinity_can_be_switched_off(policy):
    off = policy("session: {affinity: off}").body
    assert stay_of(off, memory("large"), 1.0, 9).memory is None
    assert stay_of(policy().body, memory("large"), 1.0, 9).memory is not None


def test_a_memory_ends_with_time_and_with_another_conversation():
    held = memory("large", at=100.0, messages=5)
    assert recall(held, 150.0, 60, 7) is held
    assert recall(held, 161.0, 60, 7) is None
    assert recall(held, 101.0, 60, 5) is None
    assert recall(None, 0.0, 60, 1) is None


def test_what_was_read_is_remembered_by_tier():
    held = remember(None, Warm("small", "s", "u", 100, 0.0), 1)
    held = remember(held, Warm("large", "l", "u", 200, 5.0), 3)
    held = remember(held, Warm("small", "s", "u", 300, 9.0), 5)
    assert [(w.tier, w.tokens) for w in held.warm] == [("small", 300), ("large", 200)]
    assert held.messages == 5
    assert cached_tokens(held, "large", 1000, 10.0, 300) == 200
    assert cached_tokens(held, "large", 150, 10.0, 300) == 150
    assert cached_tokens(held, "large", 1000, 306.0, 300) == 0
    assert cached_tokens(held, "medium", 1000, 10.0, 300) == 0


def test_unknown_prices_make_nobody_stay():
    here = stay(memory("large", tokens=50_000))
    assert not staying_pays(here, "large", "small", 50_000, EASY, {**PRICES, "small": Price()})
    assert not staying_pays(here, "large", "small", 50_000, EASY, {})
    assert not staying_pays(here, "large", "small", 50_000, None, PRICES)


CHANCE = st.floats(0, 1, allow_nan=False)
SCORES = st.builds(score, CHANCE, CHANCE, CHANCE, st.floats(1, 5000))
BODIES = (
    "quality: {keep: 0.9}", "quality: {floor: 0.8}", "cost_quality: 0.5", "budget: {usd_per_request: 0.01}",
    "rules:\n  - {name: r, when: {tools: true}, forbid: [large]}\n", "tiers: [small, medium]",
    "rules:\n  - {name: r, when: {tools: true}, private: true}\n", "rules:\n  - {name: r, when: {tools: true}, at_least: medium}\n",
    "session: {hysteresis: 0.5}",
)  # fmt: skip


@given(
    body=st.sampled_from(BODIES), said=SCORES, tier=st.sampled_from(TIER_NAMES), cached=st.integers(0, 100_000),
    tokens=st.integers(1, 100_000), tools=st.booleans(), inside=st.booleans(), up=st.integers(0, 2), now=st.floats(0, 1000),
    window=st.sampled_from([None, 50_000]),
)  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_a_session_never_lowers_never_breaks_a_rule_and_is_the_same_twice(
    policy, body, said, tier, cached, tokens, tools, inside, up, now, window
):
    p, facts = policy(body), features(tokens=tokens, tools=tools)
    fleet = Fleet(tuple(Deployment(name=d.name, tier=d.tier, model=d.model, upstream="u", private=d.private,
                                   context_window=window if d.tier == "small" else None) for d in ALL), PRICES)  # fmt: skip
    turn = Turn(score=said, up=up, inside=inside, why=Reason(id="turn-stuck", text="x") if up else None)

    def go(held):
        return decide(p, facts, said, Caller(), fleet, turn, stay(held, now=now))

    alone, held = go(None), go(memory(tier, tokens=cached))
    assert held == go(memory(tier, tokens=cached))
    assert RANK[held.wanted] >= RANK[alone.wanted]
    assert held.private == alone.private
    plain = decide(p, facts, said, Caller(), fleet)
    assert RANK[alone.wanted] >= RANK[plain.wanted]
    if "forbid" in body and tools:
        assert held.wanted != "large"
    assert held.wanted in p.body.tiers
    if held.served:
        assert fleet.serving(held.served, features=facts, private=held.private)
    if held.wanted != alone.wanted:
        assert held.served == held.wanted == tier
