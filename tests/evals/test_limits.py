"""Two cells on one store, one of them killed at random points: nothing is overspent and the sums are right."""

import pytest

from evals.limits import report, storm


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_cells_that_are_killed_overspend_nothing_and_the_sums_are_right(kind, request, tmp_path):
    store = request.getfixturevalue("postgres_dsn") if kind == "postgres" else str(tmp_path / "limits.db")
    run = storm(store, tmp_path, cells=2, kills=2, limit=2_000_000, seed=7, every=1.0)
    assert run.overshoot == 0
    assert run.booked <= run.billed <= run.booked + run.forfeited
    assert run.exact
    assert run.calls > 100
    assert f"| {kind} |" in report([run])
