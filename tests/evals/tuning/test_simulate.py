"""A simulation says what would have come of a policy, and how sure that is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.tuning import world
from evals.tuning.climbs import climbed, from_climbs
from evals.tuning.side import Side, TooFew, side
from evals.tuning.simulate import as_mapping, simulate
from evals.tuning.table import Labels, Table
from tests.evals.tuning.worlds import policy_of, recorded_table

ROOT = Path(__file__).resolve().parents[3]
KEEP = policy_of(name="keeps", quality={"keep": 0.9})
LARGE = policy_of(name="always", rules=[{"name": "all", "when": {}, "pin": "large"}])
SMALL = policy_of(name="small-only", rules=[{"name": "all", "when": {}, "pin": "small"}])


def test_what_is_recorded_is_looked_up():
    table = recorded_table(400, seed=1)
    found = simulate(side(KEEP, table))
    chosen = side(KEEP, table).made.served.astype(int)
    at = np.arange(400)
    assert found.quality.value == pytest.approx(table.quality[at, chosen].mean(), rel=1e-5)
    assert found.money.cost.value == pytest.approx(table.cost[at, chosen].mean() * 1e-9, rel=1e-5)
    saved = 1 - table.cost[at, chosen].sum() / table.cost[:, -1].sum()
    assert found.money.saving_large.value == pytest.approx(saved, rel=1e-5)
    assert found.change.value == pytest.approx((table.quality[at, chosen] - table.quality[:, -1]).mean(), abs=1e-6)
    assert sum(mix.value for mix in found.tiers.values()) == pytest.approx(1, abs=1e-5)


def test_always_large_against_itself_is_certainly_no_change():
    found = simulate(side(LARGE, recorded_table(300, seed=2)))
    assert (found.change.value, found.change.low, found.change.high) == (0.0, 0.0, 0.0)
    assert found.money.saving_large.value == 0.0
    assert found.moved.value == 0.0


def test_a_policy_is_compared_with_the_one_in_force():
    table = recorded_table(400, seed=3)
    found = simulate(side(SMALL, table), side(LARGE, table))
    assert found.reference == "always"
    assert found.change.value < 0
    assert found.money.saving_current.value == pytest.approx(found.money.saving_large.value)
    assert found.moved.value == 1.0


def test_the_worst_slice_is_the_one_that_loses_most_and_thin_ones_are_said():
    table = recorded_table(2_000, seed=4)
    tenants = np.where(np.arange(2_000) < 400, 1, 0).astype(np.int32)
    tenants[-3:] = 2
    quality = table.quality.copy()
    quality[:400, 0] = 0.0
    table = replace(
        table, quality=quality, slices={**table.slices, "tenant": Labels(("fine", "hurt", "tiny"), tenants)}
    )
    by_tenant = {part.dimension: part for part in simulate(side(SMALL, table), by="tenant").slices}["tenant"]
    assert by_tenant.worst.name == "hurt"
    assert by_tenant.worst.change.high < 0
    assert [each.name for each in by_tenant.each] == ["hurt", "fine"]
    assert (by_tenant.thin, by_tenant.thin_share) == (1, pytest.approx(3 / 2_000))


def test_more_slices_make_wider_intervals():
    table = recorded_table(2_000, seed=5)

    def width(slices):
        rng = np.random.default_rng(0)
        codes = np.concatenate([np.zeros(500), 1 + rng.integers(0, slices, 1_500)]).astype(np.int32)
        names = tuple(f"t{n}" for n in range(slices + 1))
        found = simulate(side(SMALL, replace(table, slices={"tenant": Labels(names, codes)})), by="tenant")
        change = next(each.change for each in found.slices[0].each if each.name == "t0")
        return change.high - change.low

    assert width(20) > 1.2 * width(1)


def test_rows_of_unknown_cost_leave_quality_alone():
    table = recorded_table(400, seed=6)
    cost = table.cost.copy()
    cost[:100, 2] = np.nan
    found = simulate(side(LARGE, replace(table, cost=cost)))
    assert (found.quality.n, found.money.cost.n) == (400, 300)
    nothing = simulate(side(LARGE, replace(table, cost=np.full_like(cost, np.nan))))
    assert nothing.money.cost.value is None
    assert "the cost of only 0 rows is known" in nothing.money.cost.why


def test_unknown_outcomes_are_no_rows():
    table = recorded_table(300, seed=6)
    with pytest.raises(TooFew, match=r"0 rows know the quality"):
        simulate(side(SMALL, replace(table, quality=np.full_like(table.quality, np.nan))))


def test_few_rows_are_refused():
    with pytest.raises(TooFew, match=r"12 rows can be used, and at least 30 are needed; 7 were left out: too old"):
        side(LARGE, replace(recorded_table(12, seed=7), left_out={"too old": 7}))


def test_rows_of_one_question_have_no_interval():
    table = recorded_table(300, seed=7)
    found = simulate(side(SMALL, replace(table, stem=np.zeros(300, dtype=np.int32))))
    assert found.change.value is None
    assert found.change.why == "all rows are of one question or session"
    json.dumps(as_mapping(found), allow_nan=False)


def test_requests_that_no_tier_may_serve_are_counted_and_said():
    from router.core.decide import Fleet
    from router.types import Deployment

    table = recorded_table(300, seed=8)
    only = Fleet((Deployment(name="s", tier="small", model="m", upstream="u"),), {})
    found = simulate(side(LARGE, table, fleet=only))
    assert found.tiers["none"].value == 1.0
    assert found.quality.value == 0.0
    assert any("no tier may serve" in note for note in found.notes)


def test_sides_of_different_rows_are_refused():
    with pytest.raises(ValueError, match="different rows"):
        simulate(side(LARGE, recorded_table(300, seed=1)), side(LARGE, recorded_table(200, seed=1)))


# --- logs


def logged_side(rows, explored, seed, threshold=0.6):
    """The made log under a threshold policy, as a side."""
    table, score = world.log(rows, 0.45, explored, seed)
    made = side(KEEP, table).made
    shares = world.large_above(score, threshold)
    return Side(KEEP, table, made._replace(served=np.argmax(shares, axis=1).astype(np.int8), shares=shares))


def test_a_log_gives_quality_cost_and_latency_of_a_policy_it_did_not_follow():
    found = simulate(logged_side(40_000, 0.1, 1))
    assert found.evidence.method == "doubly robust"
    assert found.quality.low <= world.truth(0.6) <= found.quality.high
    assert found.change.low <= world.truth(0.6) - world.truth(0.45) + 0.005
    assert found.money.saving_current.value > 0.1
    assert found.latency["p50"].low <= found.latency["p50"].value <= found.latency["p50"].high
    assert found.evidence.ess > 200


def test_what_exploring_drew_is_no_changed_decision():
    same = simulate(logged_side(20_000, 0.2, 5, threshold=0.45))
    assert same.moved.value == 0.0
    moved = simulate(logged_side(20_000, 0.2, 5))
    assert moved.moved.value == pytest.approx(0.167, abs=0.01)
    assert moved.moved.low < moved.evidence.changed < moved.moved.high


def test_what_a_log_cannot_show_is_refused_and_decisions_are_still_told():
    found = simulate(logged_side(4_000, 0.0, 2))
    assert found.refused
    assert found.quality.value is None
    assert "let the policy in force explore" in found.quality.why
    assert found.tiers["small"].value > 0.4
    assert found.slices == ()


def test_a_log_without_judgements_still_tells_money():
    seen = logged_side(4_000, 0.1, 3)
    blind = replace(seen, table=replace(seen.table, quality=np.full_like(seen.table.quality, np.nan)))
    found = simulate(blind)
    assert found.evidence.refused == "no row's outcome is known"
    assert found.money.saving_current.value > 0
    assert found.current.value is None


def test_the_share_without_support_is_reported():
    seen = logged_side(20_000, 0.1, 4)
    certain = seen.table.propensity.copy()
    half = np.arange(20_000) % 2 == 0
    certain[half] = 1.0
    found = simulate(replace(seen, table=replace(seen.table, propensity=certain)))
    assert 0.05 < found.evidence.unsupported < 0.15
    assert any("the figures are the scorer's word" in note for note in found.notes)


# --- cascades


def test_a_cascade_is_climbed_again_where_answers_are_recorded():
    from evals.cascade.outcomes import read_rows
    from router.registry.references import reference_prices
    from router.score.calibration import load_calibration

    rows, prices = read_rows(), reference_prices("generic")
    policy = policy_of(stream="checked", cascade={"start": "small", "checks": ["refusal", "finish"]})
    came = climbed(policy, rows, prices, load_calibration())
    table = from_climbs(rows, prices)
    first_kept = came.escalations == 0
    asked_small = np.array([not row.answers["small"].signals.refusal for row in rows])
    assert 0 < first_kept.sum() < len(rows)
    assert np.all(came.cost >= table.cost.min(axis=1))
    assert np.all(came.cost[came.escalations == 2] > table.cost[came.escalations == 2].max(axis=1))
    assert np.all(came.escalations[~asked_small] > 0)
    found = simulate(replace(side(policy, table), climbed=came))
    assert found.escalations.value == pytest.approx(came.escalations.mean(), rel=1e-5)
    assert found.quality.value == pytest.approx(came.quality.mean(), rel=1e-5)


def test_a_cascade_that_cannot_be_simulated_is_said_to_be_unknown():
    policy = policy_of(stream="checked", cascade={"start": "small", "checks": ["refusal"]})
    found = simulate(side(policy, recorded_table(300, seed=9)))
    assert found.escalations.value is None
    assert any("cascade was not simulated" in note for note in found.notes)


# --- same input, same bytes

TWICE = """
import json
from tests.evals.tuning.test_simulate import KEEP, LARGE
from tests.evals.tuning.worlds import recorded_table
from evals.tuning import world
from evals.tuning.side import side
from evals.tuning.simulate import as_mapping, simulate
recorded = recorded_table(3_000, seed=1)
log, _ = world.log(20_000, 0.45, 0.1, 1)
print(json.dumps([as_mapping(simulate(side(KEEP, recorded), side(LARGE, recorded), by="tenant")),
                  as_mapping(simulate(side(KEEP, log), by="tenant"))]))
"""


def test_the_same_input_gives_the_same_bytes_in_any_process():
    def run(seed):
        done = subprocess.run(
            [sys.executable, "-c", TWICE], cwd=ROOT, capture_output=True, check=True,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": ""},
        )  # fmt: skip
        return done.stdout

    first, second = run("1"), run("4242")
    assert first == second
    assert len(json.loads(first)) == 2


def test_every_figure_survives_json():
    whole = as_mapping(simulate(side(KEEP, recorded_table(300, seed=1))))
    assert json.loads(json.dumps(whole, allow_nan=False)) == json.loads(json.dumps(whole))
    assert isinstance(recorded_table(3, seed=1), Table)
