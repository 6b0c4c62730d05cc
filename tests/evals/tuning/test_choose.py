"""A policy over a table decides as the gateway does, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.tuning.choose import Unanswerable, decided, patterns_of, tiers_of
from evals.tuning.table import Labels, Table
from policies.load import load_policy
from router.core.decide import Caller, Fleet, decide
from router.core.explore import Lot
from router.types import TIER_NAMES, Deployment, Features, Price, Score
from tests.evals.tuning.worlds import policy_of

PRICES = {
    "small": Price(input=200_000, output=200_000),
    "medium": Price(input=700_000, output=700_000),
    "large": Price(input=2_400_000, output=2_400_000),
}
TEXTS = ("plain words", "def f(): pass", "이것은 무엇인가")
TENANTS, TAGS, LANGUAGES = ("acme", "globex"), ("", "batch", "batch, night", "nightly"), ("en", "ko")
FINDINGS = ((), ("pii.EMAIL",), ("attacks.HIGH", "attacks.INJECTION"))
CHANCES = st.one_of(st.sampled_from((0.0, 0.5, 0.76, 0.8, 0.95, 1.0)), st.floats(0, 1))
tier_sets = st.sets(st.sampled_from(TIER_NAMES), min_size=1).map(lambda s: [t for t in TIER_NAMES if t in s])


@st.composite
def rules(draw):
    made = []
    for number in range(draw(st.integers(0, 4))):
        conditions = {
            "tenant": st.just(["acme"]),
            "tag": st.sampled_from((["batch"], ["night", "day"])),
            "language": st.just(["ko"]),
            "tools": st.booleans(),
            "images": st.booleans(),
            "context_tokens_over": st.sampled_from((0, 100, 5_000)),
            "pattern": st.just("def "),
            "findings": st.sampled_from((["pii"], ["EMAIL"], ["attacks.HIGH"], ["INJECTION", "hate"])),
        }
        chosen = draw(st.sets(st.sampled_from(sorted(conditions)), max_size=2))
        effect = draw(st.sampled_from(("pin", "at_least", "forbid", "private")))
        value = draw(
            {
                "pin": st.sampled_from(TIER_NAMES),
                "at_least": st.sampled_from(TIER_NAMES),
                "forbid": tier_sets.filter(lambda chosen: len(chosen) < 3),
                "private": st.just(True),
            }[effect]
        )
        made.append({"name": f"r{number}", "when": {n: draw(conditions[n]) for n in sorted(chosen)}, effect: value})
    return made


@st.composite
def policies(draw):
    tiers = draw(tier_sets)
    body = {
        "tiers": tiers,
        "fallback_tier": draw(st.sampled_from(tiers)),
        "allow_degrade": draw(st.booleans()),
        "rules": draw(rules()),
    }
    aim = draw(st.sampled_from(("none", "keep", "lose", "floor", "by tier", "dial", "budget")))
    share = draw(st.one_of(st.sampled_from((0.0, 0.5, 0.95, 1.0)), st.floats(0, 1)))
    if aim in ("keep", "lose", "floor"):
        body["quality"] = {aim: share}
    elif aim == "by tier":
        body["quality"] = {draw(st.sampled_from(("keep", "lose"))): {draw(st.sampled_from(("small", "medium"))): share}}
    elif aim == "dial":
        body["cost_quality"] = share
    elif aim == "budget":
        body["budget"] = {"usd_per_request": draw(st.sampled_from((1e-9, 5e-7, 2e-6, 1.0)))}
    if draw(st.booleans()):
        body["explore"] = {"epsilon": draw(st.sampled_from((0.01, 0.2, 0.5))), "band": draw(st.floats(0.01, 0.5))}
    return policy_of(**body)


@st.composite
def requests(draw):
    features = Features(
        language=draw(st.sampled_from(LANGUAGES)),
        input_tokens=draw(st.sampled_from((0, 4, 100, 101, 6_000))),
        ask_chars=3,
        turns=1,
        tools=draw(st.booleans()),
        images=draw(st.booleans()),
        findings=draw(st.sampled_from(FINDINGS)),
        max_output=draw(st.sampled_from((0, 0, 50, 4_000))),
    )
    known = draw(st.one_of(st.just(list(TIER_NAMES)), tier_sets))
    score = Score(
        p_right={t: draw(CHANCES) for t in known},
        output_tokens={t: draw(st.floats(0, 3_000)) for t in draw(st.one_of(st.just(known), tier_sets))},
        complexity=0.5,
        novelty=draw(st.sampled_from((0.0, 0.95, 0.951, 1.0))),
        artefact="a",
        family="generic",
    )
    caller = Caller(
        tenant=draw(st.sampled_from(TENANTS)),
        tags=tuple(t.strip() for t in draw(st.sampled_from(TAGS)).split(",") if t.strip()),
        tier=draw(st.sampled_from((None, None, None, *TIER_NAMES))),
        text=draw(st.sampled_from(TEXTS)),
    )
    return features, draw(st.one_of(st.just(score), st.just(score), st.none())), caller


@st.composite
def fleets(draw):
    made = [
        Deployment(
            name=f"d{number}",
            tier=draw(st.sampled_from(TIER_NAMES)),
            model="m",
            upstream="u",
            private=draw(st.booleans()),
            tools=draw(st.booleans()),
            images=draw(st.booleans()),
            context_window=draw(st.sampled_from((None, None, 120, 8_000))),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    return Fleet(tuple(made), PRICES)


def table_of(asked) -> Table:
    """What is known of these requests, as a table."""
    from router.core.cost import predicted_costs

    n = len(asked)
    blank = np.full((n, 3), np.nan)
    chance = [[s.p_right.get(t, np.nan) if s else np.nan for t in TIER_NAMES] for _, s, _ in asked]
    costs = [predicted_costs(f.input_tokens, s, PRICES) for f, s, _ in asked]
    return Table(
        tiers=TIER_NAMES,
        quality=blank,
        cost=blank,
        chance=np.array(chance, dtype=float).reshape(n, 3),
        guess=np.array([[c.get(t, np.nan) for t in TIER_NAMES] for c in costs], dtype=float).reshape(n, 3),
        latency=blank,
        novelty=np.array([s.novelty if s else np.nan for _, s, _ in asked]),
        input_tokens=np.array([f.input_tokens for f, _, _ in asked], dtype=np.int64),
        stem=np.arange(n, dtype=np.int32),
        slices={
            "tenant": Labels.of([c.tenant for _, _, c in asked]),
            "tag": Labels.of([", ".join(c.tags) for _, _, c in asked]),
            "language": Labels.of([f.language for f, _, _ in asked]),
            "findings": Labels.of([",".join(f.findings) for f, _, _ in asked]),
        },
        at_ms=np.arange(n),
        taken=np.full(n, -1, dtype=np.int8),
        propensity=np.ones(n),
        source="test",
        fingerprint="",
        facts={
            "tools": np.array([f.tools for f, _, _ in asked], dtype=bool),
            "images": np.array([f.images for f, _, _ in asked], dtype=bool),
            "pattern:def ": np.array(["def " in c.text for _, _, c in asked], dtype=bool),
        },
        asked=np.array([TIER_NAMES.index(c.tier) if c.tier else -1 for _, _, c in asked], dtype=np.int8),
        output_limit=np.array([f.max_output for f, _, _ in asked], dtype=np.int64),
    )


def names(columns):
    return [None if c < 0 else TIER_NAMES[c] for c in columns]


@settings(max_examples=150, deadline=None)
@given(policies(), st.lists(requests(), min_size=1, max_size=12), fleets())
def test_every_row_goes_where_decide_sends_it(policy, asked, fleet):
    table = table_of(asked)
    one_by_one = [decide(policy, f, s, c, fleet) for f, s, c in asked]
    got = decided(policy, table, fleet=fleet)
    assert names(got.served) == [d.served for d in one_by_one]
    assert names(got.wanted) == [d.wanted for d in one_by_one]


@settings(max_examples=40, deadline=None)
@given(policies(), st.lists(requests(), min_size=1, max_size=12))
def test_without_a_fleet_every_tier_can_serve(policy, asked):
    all_there = Fleet(
        tuple(Deployment(name=t, tier=t, model="m", upstream="u", private=True) for t in TIER_NAMES), PRICES
    )
    one_by_one = [decide(policy, f, s, c, all_there).served for f, s, c in asked]
    assert names(tiers_of(policy, table_of(asked))) == one_by_one


@settings(max_examples=50, deadline=None)
@given(policies(), st.lists(requests(), min_size=1, max_size=6), fleets())
def test_shares_are_how_often_the_lots_lead_there(policy, asked, fleet):
    got = decided(policy, table_of(asked), fleet=fleet)
    lots = 200  # every share of a rule above is a whole number of lots, but for thirds
    for row, (f, s, c) in enumerate(asked):
        counts = dict.fromkeys((*TIER_NAMES, None), 0)
        for number in range(lots):
            lot = Lot((number + 0.5) / lots, "k")
            counts[decide(policy, f, s, c, fleet, lot=lot).served] += 1
        expected = [counts[t] / lots for t in TIER_NAMES]
        assert got.shares[row] == pytest.approx(expected, abs=1.01 / lots)


def test_a_table_of_two_tiers_knows_no_medium():
    asked = [
        (
            Features(language="en", input_tokens=9, ask_chars=1, turns=1, tools=False, images=False),
            Score(
                p_right={"small": p, "large": 0.9}, output_tokens={}, complexity=0, novelty=0, artefact="", family=""
            ),
            Caller(),
        )
        for p in (0.2, 0.89)
    ]
    whole = table_of(asked)
    two = Table(**{
        **{name: getattr(whole, name) for name in whole.__dataclass_fields__},
        "tiers": ("small", "large"),
        "asked": None,
        **{name: getattr(whole, name)[:, [0, 2]] for name in ("quality", "cost", "chance", "guess", "latency")},
    })  # fmt: skip
    assert tiers_of(policy_of(), two).tolist() == [1, 0]
    assert tiers_of(policy_of(rules=[{"name": "m", "when": {}, "pin": "medium"}]), two).tolist() == [1, 1]


def test_a_rule_that_asks_for_unknown_texts_is_refused_by_name():
    policy = policy_of(rules=[{"name": "code", "when": {"pattern": "class "}, "pin": "large"}])
    asked = [(Features(language="en", input_tokens=1, ask_chars=1, turns=1, tools=False, images=False), None, Caller())]
    assert patterns_of(policy) == ("class ",)
    with pytest.raises(Unanswerable, match=r"rule 'code' asks for pattern.*keeps no text"):
        tiers_of(policy, table_of(asked))


def test_shipped_presets_can_be_asked_of_a_table():
    asked = [(Features(language="ko", input_tokens=1, ask_chars=1, turns=1, tools=True, images=False), None, Caller())]
    for preset in ("balanced", "private", "korean", "guarded", "demo"):
        policy = load_policy(preset)
        assert tiers_of(policy, table_of(asked)).shape == (1,)
