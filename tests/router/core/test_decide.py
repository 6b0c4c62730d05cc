"""The decision as a table: policy, facts and what is there, to a tier and its reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.load import load_policy
from router.core.cost import cost_of, predicted_costs
from router.core.decide import Caller, Fleet, decide
from router.types import TIER_NAMES, Deployment, Features, Price, Score, Usage

FEATURES = Features(language="en", input_tokens=100, ask_chars=40, turns=1, tools=False, images=False)
PRICES = {
    "small": Price(input=100_000_000, output=100_000_000),
    "medium": Price(input=500_000_000, output=500_000_000),
    "large": Price(input=2_000_000_000, output=2_000_000_000),
}
ALL = tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES)


def score(small=0.5, medium=0.7, large=0.9, novelty=0.1, **more):
    p = {"small": small, "medium": medium, "large": large}
    return Score(
        p_right={t: v for t, v in p.items() if v is not None}, output_tokens=dict.fromkeys(p, 200.0),
        complexity=1 - small, novelty=novelty, artefact="a", family="generic", **more,
    )  # fmt: skip


def facts(**changes):
    return Features(**{**{f: getattr(FEATURES, f) for f in FEATURES.__struct_fields__}, **changes})


@pytest.fixture
def policy(tmp_path):
    """A policy from the lines below its head."""

    def make(body="quality: {keep: 0.95}"):
        path = tmp_path / "p.yaml"
        path.write_text("stillhouse: 1\nname: p\n" + body)
        return load_policy(path)

    return make


def run(policy, features=FEATURES, said=score(), caller=Caller(), deployments=ALL, pin=None):
    return decide(policy, features, said, caller, Fleet(deployments, PRICES, pin))


@pytest.mark.parametrize(
    ("aim", "said", "tier", "reason"),
    [
        ("quality: {keep: 0.95}", score(0.86, 0.88, 0.9), "small", "quality-kept"),
        ("quality: {keep: 0.95}", score(0.5, 0.88, 0.9), "medium", "quality-kept"),
        ("quality: {keep: 0.95}", score(0.5, 0.7, 0.9), "large", "quality-kept"),
        ("quality: {keep: 0.5}", score(0.5, 0.7, 0.9), "small", "quality-kept"),
        ("quality: {keep: {small: 0.9, medium: 0.7}}", score(0.8, 0.7, 0.9), "medium", "quality-kept"),
        ("quality: {keep: {small: 0.8, medium: 0.7}}", score(0.8, 0.7, 0.9), "small", "quality-kept"),
        ("quality: {lose: 0.1}", score(0.88, 0.9, 0.95), "medium", "quality-kept"),  # 0.95 of 0.12 is 0.114
        ("quality: {lose: {small: 0.12, medium: 0.01}}", score(0.88, 0.9, 0.95), "small", "quality-kept"),
        ("quality: {lose: {small: 0.01}}", score(0.88, 0.949, 0.95), "large", "quality-kept"),
        ("quality: {lose: 0}", score(0.7, 0.9, 0.8), "large", "quality-kept"),
        ("quality: {lose: 0}", score(0.7, 1.0, 0.8), "medium", "quality-kept"),
        ("quality: {lose: 0.5}\ntiers: [small, medium]", score(0.1, 0.5, 0.8), "small", "quality-kept"),
        ("quality: {keep: {small: 0.9}}", score(0.8, 0.89, 0.9), "large", "quality-kept"),
        ("quality: {keep: {small: 0.9}}", score(0.8, 0.95, 0.9), "medium", "quality-kept"),
        ("quality: {floor: 0.7}", score(0.5, 0.7, 0.9), "medium", "quality-kept"),
        ("quality: {floor: 0.99}", score(0.5, 0.95, 0.9), "medium", "quality-out-of-reach"),
        ("cost_quality: 0.0", score(0.1, 0.7, 0.9), "small", "dial"),
        ("cost_quality: 1.0", score(0.5, 0.7, 0.9), "large", "dial"),
        ("cost_quality: 0.5", score(0.1, 0.7, 0.9), "medium", "dial"),
        ("budget: {usd_per_request: 0.000050}", score(), "small", "budget-kept"),
        ("budget: {usd_per_request: 0.000200}", score(), "medium", "budget-kept"),
        ("budget: {usd_per_request: 0.000001}", score(), "small", "budget-out-of-reach"),
        ("quality: {keep: 0.9}", None, "large", "no-score"),
        ("fallback_tier: medium", score(novelty=1.0), "medium", "unknown-ground"),
        ("quality: {keep: 0.95}", score(0.9, None, 0.91), "small", "quality-kept"),
        ("tiers: [medium]\nfallback_tier: medium", score(), "medium", "only-tier"),
    ],
)
def test_the_aim_chooses(policy, aim, said, tier, reason):
    decision = run(policy(aim), said=said)
    assert (decision.wanted, decision.served, decision.because.id) == (tier, tier, reason)


RULE = "rules:\n  - name: r\n    when: {%s}\n    %s\n"


@pytest.mark.parametrize(
    ("when", "then", "features", "caller", "tier"),
    [
        ("tenant: [acme]", "pin: large", FEATURES, Caller(tenant="acme"), "large"),
        ("tenant: [acme]", "pin: large", FEATURES, Caller(tenant="other"), "small"),
        ("tag: [vip]", "at_least: medium", FEATURES, Caller(tags=("x", "vip")), "medium"),
        ("language: [ko]", "at_least: medium", facts(language="ko"), Caller(), "medium"),
        ("tools: true", "forbid: [small]", facts(tools=True), Caller(), "medium"),
        ("images: true", "pin: large", facts(images=True), Caller(), "large"),
        ("context_tokens_over: 99", "at_least: large", FEATURES, Caller(), "large"),
        ("context_tokens_over: 100", "at_least: large", FEATURES, Caller(), "small"),
        ("pattern: '(?i)prove'", "pin: large", FEATURES, Caller(text="Prove it"), "large"),
        ("findings: [pii]", "pin: medium", facts(findings=("pii.EMAIL",)), Caller(), "medium"),
        ("findings: [pii.EMAIL]", "pin: medium", facts(findings=("pii.EMAIL",)), Caller(), "medium"),
        ("findings: [EMAIL]", "pin: medium", facts(findings=("pii.EMAIL",)), Caller(), "medium"),
        ("findings: [secrets]", "pin: medium", facts(findings=("pii.EMAIL",)), Caller(), "small"),
        ("tenant: [acme], tools: true", "pin: large", FEATURES, Caller(tenant="acme"), "small"),
    ],
)
def test_rules_match_when_all_their_conditions_hold(policy, when, then, features, caller, tier):
    decision = run(policy("quality: {keep: 0.1}\n" + RULE % (when, then)), features, caller=caller)
    assert decision.wanted == tier
    assert any(r.id == "rule.r" for r in decision.reasons) == (tier != "small")


def test_the_callers_tier_counts_inside_what_rules_leave(policy):
    plain = policy("quality: {keep: 0.95}\n" + RULE % ("tag: [x]", "at_least: medium"))
    assert run(plain, caller=Caller(tier="small")).wanted == "small"
    assert run(plain, caller=Caller(tier="small", tags=("x",))).wanted == "medium"


def test_the_operators_pin_wins_but_not_over_forbid(policy):
    p = policy("quality: {keep: 0.95}\n" + RULE % ("tag: [x]", "forbid: [small]"))
    assert run(p, pin="small").wanted == "small"
    assert run(p, pin="small", caller=Caller(tags=("x",), tier="large")).wanted == "medium"
    assert run(p, pin="small").because.id == "operator-pin"


def only(*tiers, **changes):
    return tuple(Deployment(name=t, tier=t, model=t, upstream="u", **changes) for t in tiers)


@pytest.mark.parametrize(
    ("there", "degrade", "served", "fallbacks"),
    [
        (ALL, False, "medium", ("large",)),
        (ALL, True, "medium", ("large", "small")),
        (only("small", "large"), False, "large", ()),
        (only("small"), False, None, ()),
        (only("small"), True, "small", ()),
        ((), True, None, ()),
    ],
)
def test_a_missing_tier_is_replaced_upwards_and_downwards_only_if_allowed(policy, there, degrade, served, fallbacks):
    p = policy(f"quality: {{keep: 0.95}}\nallow_degrade: {str(degrade).lower()}\n")
    decision = run(p, said=score(0.5, 0.88, 0.9), deployments=there)
    assert (decision.wanted, decision.served, decision.fallbacks) == ("medium", served, fallbacks)


def test_named_fallbacks_are_the_only_ones(policy):
    p = policy("quality: {keep: 0.1}\nfallbacks: {small: [large]}\n")
    assert run(p).fallbacks == ("large",)


@pytest.mark.parametrize(
    ("features", "limits"),
    [
        (facts(input_tokens=9000), {"context_window": 8192}),
        (facts(tools=True), {"tools": False}),
        (facts(images=True), {"images": False}),
    ],
    ids=["context", "tools", "images"],
)
def test_a_model_that_cannot_carry_the_request_counts_as_missing(policy, features, limits):
    there = only("small", **limits) + only("medium", "large")
    decision = run(policy("quality: {keep: 0.1}"), features, deployments=there)
    assert (decision.wanted, decision.served) == ("small", "medium")


def test_personal_data_stays_on_private_models():
    p = load_policy("private")
    there = only("small", private=True) + only("medium", "large")
    with_data = run(p, facts(findings=("pii.EMAIL",)), deployments=there, caller=Caller(tier="small"))
    assert with_data.private
    assert with_data.served == "small"
    assert set(with_data.fallbacks) <= {"small"}
    without = run(p, deployments=there, caller=Caller(tier="large"))
    assert not without.private
    assert without.served == "large"


def test_reasons_name_the_layer_that_decided(tmp_path):
    (tmp_path / "floor.yaml").write_text(
        "stillhouse: 1\nname: floor\nquality: {keep: 0.9}\n" + RULE % ("tools: true", "at_least: large")
    )
    (tmp_path / "mine.yaml").write_text("stillhouse: 1\nname: mine\nextends: ./floor.yaml\n")
    p = load_policy(tmp_path / "mine.yaml")
    assert run(p).because.layer == "floor"
    assert run(p, facts(tools=True)).reasons[0].layer == "floor"


chances = st.floats(0.01, 0.99)


@given(chances, chances, chances, st.sampled_from(["quality: {keep: 0.9}", "quality: {keep: {small: 0.97, medium: 0.9}}", "quality: {lose: {small: 0.03, medium: 0.1}}", "cost_quality: 0.5", "budget: {usd_per_request: 0.0001}"]),
       st.sets(st.sampled_from(TIER_NAMES)), st.booleans())  # fmt: skip
def test_a_decision_is_total_and_the_same_every_time(tmp_path_factory, s, m, big, aim, there, private):
    path = tmp_path_factory.mktemp("p") / "p.yaml"
    path.write_text(f"stillhouse: 1\nname: p\n{aim}\n")
    p = load_policy(path)
    said, deployments = score(s, m, big), only(*sorted(there), private=private)
    first = run(p, said=said, deployments=deployments)
    assert first == run(p, said=said, deployments=deployments)
    assert first.wanted in TIER_NAMES
    assert first.served is None or first.served in there
    assert first.served not in first.fallbacks
    assert first.reasons


@given(chances, chances, st.floats(0, 1), st.floats(0, 1))
def test_the_dial_turned_towards_quality_never_chooses_a_weaker_answer(tmp_path_factory, s, big, a, b):
    low, high = sorted((a, b))
    folder = tmp_path_factory.mktemp("p")
    said = score(s, None, big)
    chosen = []
    for i, dial in enumerate((low, high)):
        path = folder / f"{i}.yaml"
        path.write_text(f"stillhouse: 1\nname: p\ntiers: [small, large]\ncost_quality: {dial:.6f}\n")
        chosen.append(said.p_right[run(load_policy(path), said=said).wanted])
    assert chosen[0] <= chosen[1]


def test_money_is_exact_and_unknown_is_not_zero():
    price = Price(input=37_500_000, output=1, cached_input=0)
    assert cost_of(Usage(input_tokens=3, output_tokens=0), price) == 113  # 112.5 rounded up
    assert cost_of(Usage(input_tokens=3, output_tokens=0, cached_tokens=2), price) == 38
    assert cost_of(Usage(input_tokens=1, output_tokens=1), Price()) is None
    assert cost_of(Usage(input_tokens=1, output_tokens=1), Price(input=5)) is None
    assert predicted_costs(10, score(), {"small": Price()}) == {}
    assert predicted_costs(10, None, PRICES) == {}


def test_caller_and_fleet_are_frozen():
    with pytest.raises(AttributeError):
        Caller().tenant = "x"
    with pytest.raises(AttributeError):
        Fleet((), {}).pin = "small"


def test_the_reason_names_the_share_of_the_tier_that_was_taken(policy):
    decision = run(policy("quality: {keep: {small: 0.9, medium: 0.725}}"), said=score(0.1, 0.8, 0.9))
    assert decision.because.text == "medium is right with probability 0.80, which keeps 72.5% of the best tier's 0.90."
