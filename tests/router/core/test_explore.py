"""Exploration: what may be explored, and that its propensities are true."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.load import load_policy
from router.core.decide import Caller, Fleet, decide
from router.core.explore import Lot, key_id, lot_of
from router.types import TIER_NAMES, Deployment, Features, Price, Score

FEATURES = Features(language="en", input_tokens=100, ask_chars=40, turns=1, tools=False, images=False)
PRICES = {t: Price(input=10**8 * 4**i, output=10**8 * 4**i) for i, t in enumerate(TIER_NAMES)}
ALL = tuple(Deployment(name=t, tier=t, model=t, upstream="u", private=t != "large") for t in TIER_NAMES)
EXPLORE = "explore: {epsilon: 0.2, band: 0.1}\n"
AIMS = (
    "quality: {keep: 0.9}\n",
    "quality: {keep: {small: 0.97, medium: 0.9}}\n",
    "quality: {lose: {small: 0.05, medium: 0.1}}\n",
    "quality: {floor: 0.6}\n",
    "cost_quality: 0.7\n",
    "budget: {usd_per_request: 0.002}\n",
)


def policy_of(folder, body):
    path = folder / "p.yaml"
    path.write_text("stillhouse: 1\nname: p\n" + body)
    return load_policy(path)


@pytest.fixture
def policy(tmp_path):
    return lambda body: policy_of(tmp_path, body)


@pytest.fixture(scope="module")
def exploring(tmp_path_factory):
    return [policy_of(tmp_path_factory.mktemp("p"), aim + EXPLORE) for aim in AIMS]


def score(*p, novelty=0.1):
    return Score(
        p_right=dict(zip(TIER_NAMES, p, strict=True)), output_tokens=dict.fromkeys(TIER_NAMES, 200.0),
        complexity=1 - p[0], novelty=novelty, artefact="a", family="generic",
    )  # fmt: skip


def run(policy, said, value=None, caller=Caller(), deployments=ALL, pin=None):
    lot = None if value is None else Lot(value, "k")
    return decide(policy, FEATURES, said, caller, Fleet(deployments, PRICES, pin), lot=lot)


def outcomes(policy, said, steps=2000, **more):
    """Tier -> (share of draws that take it, propensity it states)."""
    decisions = [run(policy, said, (i + 0.5) / steps, **more) for i in range(steps)]
    stated: dict[str, set[float]] = {}
    for decision in decisions:
        stated.setdefault(decision.wanted, set()).add(decision.propensity)
    assert all(len(values) == 1 for values in stated.values())
    count = Counter(decision.wanted for decision in decisions)
    return {tier: (count[tier] / steps, stated[tier].pop()) for tier in count}


CHANCE = st.floats(0.01, 0.99)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(range(len(AIMS))), CHANCE, CHANCE, CHANCE)
def test_propensities_are_the_shares_of_draws_and_add_up_to_one(exploring, aim, small, medium, large):
    found = outcomes(exploring[aim], score(small, medium, large), steps=400)
    assert sum(stated for _, stated in found.values()) == pytest.approx(1)
    for share, stated in found.values():
        assert share == pytest.approx(stated, abs=0.01)


@pytest.mark.parametrize(
    ("said", "tiers"),
    [
        (score(0.85, 0.9, 0.95), {"small", "large"}),  # of 0.855 small falls 0.005 short, and medium keeps it by 0.045
        (score(0.5, 0.6, 0.95), set()),  # large is the only one, and no other comes near
        (score(0.7, 0.9, 0.95), {"large"}),  # medium barely keeps it, small is far off
    ],
)
def test_only_what_is_near_the_threshold_is_explored(policy, said, tiers):
    found = outcomes(policy("quality: {keep: 0.9}\nexplore: {epsilon: 0.2, band: 0.06}\n"), said)
    usual = run(policy("quality: {keep: 0.9}\n"), said).wanted
    assert set(found) == {usual, *tiers}


def test_a_tier_is_near_by_its_own_share(policy):
    found = outcomes(policy("quality: {keep: {small: 0.96, medium: 0.9}}\n" + EXPLORE), score(0.84, 0.95, 0.95))
    assert set(found) == {"small", "medium", "large"}  # small falls 0.072 short of its own 0.912
    found = outcomes(policy("quality: {keep: {medium: 0.9}}\n" + EXPLORE), score(0.84, 0.95, 0.95))
    assert set(found) == {"medium", "large"}  # and 0.11 short of the best


def test_an_explored_decision_says_so(policy):
    decision = run(policy("quality: {keep: 0.9}\n" + EXPLORE), score(0.84, 0.95, 0.95), 0.0)
    assert decision.because.id == "explored"
    assert decision.because.layer == "p"
    assert decision.propensity < 0.5


def test_without_a_lot_or_a_setting_nothing_is_explored(policy):
    said = score(0.84, 0.95, 0.95)
    assert run(policy("quality: {keep: 0.9}\n"), said, 0.0).propensity == 1.0
    assert run(policy("quality: {keep: 0.9}\n" + EXPLORE), said).propensity == 1.0


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        ("", {"pin": "medium"}),
        ("", {"caller": Caller(tier="medium")}),
        ("rules: [{name: r, when: {}, pin: medium}]\n", {}),
        ("rules: [{name: r, when: {}, private: true}]\n", {}),
        ("rules: [{name: r, when: {}, forbid: [small, large]}]\n", {}),
    ],
)
def test_what_is_settled_is_never_explored(policy, rules, more):
    found = outcomes(policy("quality: {keep: 0.9}\n" + EXPLORE + rules), score(0.84, 0.86, 0.95), 200, **more)
    assert [stated for _, stated in found.values()] == [1.0]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(range(len(AIMS))),
    CHANCE,
    CHANCE,
    CHANCE,
    st.floats(0, 1, exclude_max=True),
    st.sets(st.sampled_from(TIER_NAMES)),
)
def test_a_tier_that_is_not_there_is_never_explored(exploring, aim, small, medium, large, value, there):
    deployments = tuple(d for d in ALL if d.tier in there)
    said = score(small, medium, large)
    explored = run(exploring[aim], said, value, deployments=deployments)
    usual = run(exploring[aim], said, deployments=deployments)
    assert explored.wanted == usual.wanted or explored.wanted in there


def test_a_prompt_on_unknown_ground_is_not_explored(policy):
    found = outcomes(policy("quality: {keep: 0.9}\n" + EXPLORE), score(0.84, 0.95, 0.95, novelty=0.999), 100)
    assert list(found.values()) == [(1.0, 1.0)]


def test_a_budget_is_kept_while_exploring(policy):
    body = "budget: {usd_per_request: 0.0001}\n" + EXPLORE
    for i in range(100):
        decision = run(policy(body), score(0.8, 0.81, 0.82), i / 100)
        assert decision.cost[decision.wanted] <= 100_000


def test_a_lot_is_replayed_by_whoever_holds_the_salt_and_by_nobody_else():
    salt, other = b"s" * 32, b"t" * 32
    assert lot_of(salt, "p", "r") == lot_of(salt, "p", "r")
    assert (
        len({lot_of(*key).value for key in ((salt, "p", "r"), (other, "p", "r"), (salt, "q", "r"), (salt, "p", "q"))})
        == 4
    )
    assert lot_of(salt, "p", "r").key == key_id(salt) != key_id(other)
    assert lot_of(salt, "a", "bc") != lot_of(salt, "ab", "c")


def test_lots_are_spread_evenly():
    values = sorted(lot_of(b"salt", "policy", str(i)).value for i in range(4000))
    assert 0 <= values[0] <= values[-1] < 1
    assert max(abs(value - (i + 0.5) / 4000) for i, value in enumerate(values)) < 1.63 / 4000**0.5  # Kolmogorov, 1 %
