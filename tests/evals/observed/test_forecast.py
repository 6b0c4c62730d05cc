"""What following the policy would have changed: the sums, the intervals, and what stands in none of them."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.observed.forecast import LEAST_GROUPS, outlook
from router.ledger.observed import Observed


def row(group="g", **changes):
    given = {
        "group": group, "tenant": "acme", "policy": "balanced", "outcome": "ok", "served": "large", "wanted": "small",
        "cost_nano": 1000, "estimated": False, "predicted": {"small": 50, "medium": 200, "large": 500},
        "p_right": {"small": 0.8, "medium": 0.85, "large": 0.9}, "blocked": False, "masked": False, "cascaded": False,
        "missing": False, "feedback": None,
    }  # fmt: skip
    return Observed(**{**given, **changes})


def test_what_was_paid_is_scaled_by_the_ratio_of_the_forecasts():
    seen = outlook([row(), row(wanted="large"), row(served="small", wanted="large", cost_nano=100)])
    assert seen.total.paid_nano == 2100
    assert seen.total.saved_nano == 1000 * (1 - 50 / 500) + 0 + 100 * (1 - 500 / 50)
    assert seen.total.differ.value == pytest.approx(2 / 3)
    assert seen.total.quality.value == pytest.approx((-0.1 + 0 + 0.1) / 3)


def test_a_free_tier_is_compared_with_the_forecast_itself():
    seen = outlook([row(served="small", wanted="large", cost_nano=0, predicted={"small": 0, "large": 500})])
    assert (seen.total.paid_nano, seen.total.saved_nano, seen.total.saved) == (0, -500, None)


@pytest.mark.parametrize("changes", [{"cost_nano": None}, {"predicted": {"large": 500}}, {"predicted": {}}])
def test_unknown_money_is_counted_apart_and_never_zero(changes):
    seen = outlook([row(**changes), row()])
    assert (seen.unknown_money, seen.total.known, seen.total.saved_nano) == (1, 1, 900)
    assert seen.total.requests == 2


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"outcome": "upstream_error"}, "failed"),
        ({"wanted": None}, "unjudged"),
        ({"blocked": True}, "blocked"),
        ({"cascaded": True}, "cascaded"),
    ],
)
def test_what_cannot_be_forecast_stands_in_no_figure(changes, name):
    seen = outlook([row(**changes)])
    assert (seen.observed, getattr(seen, name), seen.total) == (1, 1, None)


def test_few_conversations_give_no_interval():
    few = outlook([row(f"g{i}") for i in range(LEAST_GROUPS - 1)] * 9)
    enough = outlook([row(f"g{i}") for i in range(LEAST_GROUPS)])
    assert few.total.quality.low is None
    assert few.worst is None
    assert enough.total.quality.low is not None


@given(st.lists(st.integers(0, 30), min_size=60, max_size=60), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_repeating_every_request_of_its_conversation_narrows_nothing(groups, times):
    rng = np.random.default_rng(sum(groups))
    rows = [
        row(f"g{g}", wanted=str(rng.choice(["small", "large"])), cost_nano=int(rng.integers(1, 9999))) for g in groups
    ]
    once, again = outlook(rows).total, outlook(rows * times).total
    for name in ("differ", "saved", "quality"):
        a, b = getattr(once, name), getattr(again, name)
        assert b.value == pytest.approx(a.value)
        assert (b.low is None) == (a.low is None)
        if a.low is not None:
            assert b.low == pytest.approx(a.low, abs=1e-9)


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        rows = []
        for g in range(120):
            hard = rng.random() < 0.4  # a conversation is hard or easy as a whole, and dear ones are rare
            dear = rng.lognormal(7, 0.6)
            rows += [
                row(f"g{g}", wanted="large" if hard else "small", cost_nano=round(dear))
                for _ in range(rng.integers(1, 5))
            ]
        saved = outlook(rows).total.saved
        held += saved.low <= 0.6 * 0.9 <= saved.high
    assert held / 200 >= 0.90


def test_tenants_policies_and_moves_are_told_apart():
    seen = outlook(
        [row(tenant="a"), row(tenant="b", wanted="large"), row(tenant="b", policy="korean", wanted="medium")]
    )
    assert [line.key for line in seen.tenants] == [("b",), ("a",)]
    assert [line.key for line in seen.policies] == [("balanced",), ("korean",)]
    assert {line.key: line.requests for line in seen.moves} == {
        ("large", "small"): 1, ("large", "large"): 1, ("large", "medium"): 1,
    }  # fmt: skip
    assert sum(line.saved_nano for line in seen.moves) == seen.total.saved_nano


def test_the_worst_tenant_is_the_one_that_loses_most_and_its_interval_allows_for_the_choice():
    rng = np.random.default_rng(1)

    def of(tenant, share):
        return [
            row(f"{tenant}{i}", tenant=tenant, wanted="small" if rng.random() < share else "large") for i in range(60)
        ]

    seen = outlook([*of("a", 0.2), *of("b", 0.9), *of("c", 0.5)])
    assert seen.worst.key == ("b",)
    alone = next(line for line in seen.tenants if line.key == ("b",))
    assert seen.worst.quality.low < alone.quality.low


def test_feedback_checks_the_chances_of_the_tiers_that_were_asked():
    seen = outlook([row(f"g{i}", feedback=0.7 + 0.1 * (i % 2)) for i in range(40)])
    assert seen.feedback.value == pytest.approx(0.75 - 0.9)
    assert seen.feedback.high < 0
    assert outlook([row()]).feedback is None


def test_the_same_rows_give_the_same_bytes():
    rows = [row(f"g{i % 7}", tenant=f"t{i % 3}", cost_nano=i) for i in range(100)]
    assert msgspec.json.encode(outlook(rows)) == msgspec.json.encode(outlook(iter(rows)))
    assert outlook([]).total is None
