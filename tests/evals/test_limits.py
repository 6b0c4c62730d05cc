"""Cells and gateways on one store, one of them killed at random points: nothing is overspent and the sums are right."""

import asyncio

import pytest

from evals.limits.bare import report, storm
from evals.limits.gateways import Terms, page
from evals.limits.gateways import storm as storm_gateways


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_cells_that_are_killed_overspend_nothing_and_the_sums_are_right(kind, request, tmp_path):
    store = request.getfixturevalue("postgres_dsn") if kind == "postgres" else str(tmp_path / "limits.db")
    run = storm(store, tmp_path, cells=2, kills=2, limit=2_000_000, seed=7, every=1.0)
    assert run.overshoot == 0
    assert run.booked <= run.billed <= run.booked + run.forfeited
    assert run.exact
    assert run.calls > 100
    assert f"| {kind} |" in report([run])


def test_gateways_that_are_killed_overspend_nothing_and_the_ledger_is_what_was_billed(postgres_dsn, tmp_path):
    terms = Terms(rounds=1, calm=1, callers=40, within=60, seconds=1.0, money=2_000_000, requests=60)
    found = asyncio.run(storm_gateways(postgres_dsn, tmp_path, terms, places=False))
    assert len(found.claims) == 15
    broken = [claim for claim in found.claims if not claim.kept]
    assert not [claim for claim in broken if "used up" not in claim.what], broken  # a slow machine leaves some unused
    counted = found.evidence.counts()
    assert (counted["kills"], counted["refused by a limit"] > 0, counted["cut off by a kill"] > 0) == (1, True, True)
    assert counted["of them on record"] + counted["of them lost with a kill"] == counted["answers generated"]
    told = page(found, "")
    assert all(claim.what in told for claim in found.claims)
