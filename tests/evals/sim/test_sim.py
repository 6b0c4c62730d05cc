"""The simulator: the same seed gives the same world, and small worlds behave as large ones are said to."""

import msgspec
import pytest

from evals.sim.clock import Clock
from evals.sim.figures import blast, figures, goodput, mean_of
from evals.sim.run import run
from evals.sim.table import measure, page
from evals.sim.world import World

SMALL = World(tenants=24, rate=120.0, cells=4, places=64, queue=32, begins=5.0, ends=15.0, lasts=15.0, restart=3.0)


def small(**change):
    return run(msgspec.structs.replace(SMALL, **change))


def test_time_passes_in_order_and_what_is_called_off_does_not_happen():
    clock, seen = Clock(), []
    clock.at(2.0, lambda: seen.append((clock.now, "late")))
    clock.at(1.0, lambda: clock.after(0.5, lambda: seen.append((clock.now, "after"))))
    Clock.off(clock.at(1.2, lambda: seen.append("never")))
    clock.at(1.0, lambda: seen.append((clock.now, "early")))
    clock.run()
    assert seen == [(1.0, "early"), (1.5, "after"), (2.0, "late")]


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    first = small(fault="retry storm")
    assert first.seen == small(fault="retry storm").seen
    assert first.seen != small(fault="retry storm", seed=2).seen


def test_a_calm_world_answers_everything_without_further_calls():
    ran = small()
    assert all(one.ok and not one.errors for one in ran.seen)
    assert ran.further == 0
    assert len(ran.seen) == ran.first


def test_a_dead_cell_leaves_nobody_down_and_those_elsewhere_as_they_were():
    found = figures(small(fault="dead cell", restart=3600.0), small())
    assert found["before.down"] == found["after.hurt"] == 0
    assert found["others_p99"] <= 1.1


def test_a_black_hole_is_seen_within_two_seconds_and_outlives_no_deadline():
    found = figures(small(fault="black hole", cells=2), small(cells=2))
    assert found["detected"] <= 2
    assert found["beyond_deadline"] <= 1
    assert found["after.down"] == 0


def test_without_protections_a_black_hole_hurts_everybody():
    bare = small(fault="black hole", arm="bare")
    assert blast(bare, small(arm="bare"), 5.0, 15.0).hurt > 0.5


@pytest.mark.parametrize("kind", ["poison: errors", "poison: slow", "poison: huge"])
def test_a_bad_tenant_hurts_no_other(kind):
    found = figures(small(fault=kind), small())
    assert found["before.hurt"] <= 0.04
    assert found["after.hurt"] == 0


def test_a_tenant_that_kills_processes_takes_down_those_who_share_both_cells_and_replicas_all():
    kills = {"fault": "poison: kills"}
    cells = blast(small(**kills), small(), 7.0, 15.0)
    replicas = blast(small(**kills, arm="replicas"), small(arm="replicas"), 7.0, 15.0)
    assert cells.down < 0.5 < replicas.down


def test_at_five_times_the_load_goodput_stays_and_the_critical_go_first():
    world = {"fault": "overload", "places": 8, "queue": 8, "rate": 60.0, "ends": 11.0, "lasts": 11.0}
    capacity = 4 * 8 / (0.9 * SMALL.work)
    peak, _ = goodput(small(**world, load=1.2 * capacity / 60))
    good, critical = goodput(small(**world, load=5 * capacity / 60))
    assert good >= 0.9 * peak
    assert critical >= 0.999


def test_a_storm_of_retries_is_not_passed_on():
    ran = small(fault="retry storm")
    assert (ran.first + ran.further) / ran.first <= 1.1


def test_the_table_names_each_fault_and_each_goal():
    quick = World(tenants=6, rate=12.0, cells=4, places=8, begins=1.0, ends=12.0, lasts=12.0)
    full = World(tenants=6, rate=12.0, cells=2, places=4, begins=1.0, ends=6.0, lasts=6.0, fault="overload")
    text = page(measure([1, 2], quick, full, say=lambda _: None), "Now.")
    assert "| dead cell | 2 of 8 cells |" in text
    assert "| no try later than its deadline + 1 s |" in text


def test_an_interval_needs_two_seeds():
    assert mean_of([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.303 / 3**0.5))
    assert mean_of([1.0])[0] == 1.0
