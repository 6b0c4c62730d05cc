"""Curves: settings are chosen on other folds, costs are really spent, the oracle is the bound."""

import numpy as np
import pytest

from evals import targets as learn
from evals.importers.outcomes import Outcome
from evals.routing import curves
from evals.routing.parts import BYTES_PER_TOKEN
from router.score import load

FAMILY = learn.Family(
    "llama-3.1",
    {"small": "s", "medium": "m", "large": "l"},
    {"small": (0.1, 0.1), "medium": (0.5, 0.5), "large": (2.0, 2.0)},
)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    made = []
    for k in range(60):
        scores = {name: float(rng.random() < share) for name, share in (("s", 0.4), ("m", 0.6), ("l", 0.8))}
        made.append(
            Outcome(
                id=f"r{k}", prompt=f"Add {k} and {k * 7}, then " + "explain " * (k % 9), scores=scores,
                output_tokens={"s": 50, "m": 60, "l": 70}, stem_hash=f"q{k // 2}", source="test", language="en",
            )
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def found(rows):
    return curves.quality_cost(curves.bench(rows, FAMILY), load(), FAMILY, draws=10)


def test_rows_without_every_tiers_tokens_cannot_be_billed(rows):
    lame = Outcome(id="x", prompt="p", scores={"s": 1, "m": 1, "l": 1}, output_tokens={"s": 5, "m": None, "l": 5})
    on = curves.bench([*rows, lame], FAMILY)
    assert len(on.rows) == len(rows)
    asked = len(rows[0].prompt) / BYTES_PER_TOKEN
    assert on.cost[0].tolist() == pytest.approx([(asked + 50) * 0.1, (asked + 60) * 0.5, (asked + 70) * 2.0])


def test_every_router_has_a_point_for_every_budget(found):
    assert set(found["curves"]) == {"ours", "prompt length", "LiteLLM v1", "LiteLLM v2", "random", "oracle"}
    assert {len(points) for points in found["curves"].values()} == {len(curves.BUDGETS)}
    assert (found["n"], found["questions"]) == (60, 30)


def test_intervals_hold_their_value(found):
    for points in found["curves"].values():
        assert all(p["low"] <= p["quality"] <= p["high"] for p in points)


def test_the_oracle_is_never_below_the_tiers(found):
    best = max(point["quality"] for point in found["curves"]["oracle"])
    assert best >= max(tier["quality"] for tier in found["tiers"]) - 1e-9


def test_the_large_tier_is_the_unit(found):
    assert found["tiers"][-1] == {"tier": "large", "cost": 1.0, "quality": 1.0}


def test_bins_of_reliability_are_ordered_and_counted(rows):
    scorer = load()
    family = learn.Family("generic", {"small": "s", "large": "l"}, {})
    found = curves.reliability(scorer, rows, {"generic": family}, draws=10)
    said = [point["said"] for point in found["bins"]]
    assert said == sorted(said)
    assert found["n"] == 120
    assert 0 <= found["ece"] <= 1
