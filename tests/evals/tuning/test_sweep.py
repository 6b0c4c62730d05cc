"""The sweep over thresholds adds up what each setting would really come to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evals.tuning import sweep


@st.composite
def worlds(draw):
    """Stakes with ties, always and never; losses, gains and costs; one or two lower tiers."""
    n, lower = draw(st.integers(1, 40)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    stakes = np.round(rng.random((n, lower)), draw(st.integers(1, 4)))
    stakes[rng.random((n, lower)) < 0.1] = np.inf
    stakes[rng.random((n, lower)) < 0.1] = -np.inf
    value = rng.random((n, lower + 1))
    return stakes, value, rng.integers(0, 4, n).astype(float)


def added(stakes, value, weight, thresholds):
    tier = sweep.assigned(stakes, thresholds)
    return float((value[np.arange(len(value)), tier] * weight).sum())


@given(worlds())
def test_every_pair_of_breakpoints_comes_to_what_its_rows_add_up_to(world):
    stakes, value, weight = world
    grid = sweep.grid(stakes, most=1000)
    found = sweep.sums(grid, value, value, value, weight)
    for i, low in enumerate(grid.low):
        for j, high in enumerate(grid.high):
            thresholds = (low, high)[: stakes.shape[1]]
            assert np.isclose(found.losses[i, j], added(stakes, value, weight, thresholds))


@given(worlds(), st.integers(2, 6))
def test_fewer_breakpoints_are_some_of_them_and_as_exact(world, most):
    stakes, value, weight = world
    grid = sweep.grid(stakes, most)
    found = sweep.sums(grid, value, value, value, weight)
    assert len(grid.low) <= most + 1
    corner = len(grid.low) - 1, len(grid.high) - 1
    thresholds = (grid.low[-1], grid.high[-1])[: stakes.shape[1]]
    assert np.isclose(found.cost[corner], added(stakes, value, weight, thresholds))


@given(worlds(), st.sampled_from([0.0, 0.5, 1.0, 2.0, float("inf")]))
def test_a_ray_comes_to_what_its_thresholds_come_to_and_never_moves_a_row_up(world, ratio):
    stakes, value, weight = world
    if stakes.shape[1] == 1:
        ratio = 1.0
    ray = sweep.ray(stakes, ratio, steps=20)
    along = sweep.along(ray, value, weight)
    before = np.full(len(stakes), stakes.shape[1])
    for step in range(len(ray.low)):
        low, high = float(ray.low[step]), float(ray.high[step])
        pair = (-0.5 if ratio == 0 else low, -0.5 if np.isinf(ratio) else high)[: stakes.shape[1]]
        tier = sweep.assigned(stakes, pair)
        assert np.isclose(along[step], added(stakes, value, weight, pair))
        assert (tier <= before).all()
        before = tier


def test_the_thresholds_of_a_ray_have_five_digits():
    ray = sweep.ray(np.random.default_rng(0).random((50, 2)), 0.85, 30)
    for thresholds in (ray.low, ray.high):
        assert (np.round(thresholds, 5) == thresholds).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
def test_no_point_beats_one_of_the_front_and_each_other_is_beaten(points):
    risk, cost = (np.array(column) for column in zip(*points, strict=True))
    front = sweep.front(risk, cost)
    assert (np.diff(risk[front]) > 0).all()
    assert (np.diff(cost[front]) < 0).all()
    for k in range(len(risk)):
        beaten = any(risk[f] <= risk[k] and cost[f] <= cost[k] for f in front.tolist())
        assert beaten


def test_the_knee_is_where_a_front_bends():
    risk, cost = np.array([0.0, 0.1, 0.2, 1.0]), np.array([1.0, 0.4, 0.35, 0.3])
    assert sweep.knee(risk, cost) == 1
    assert sweep.knee(risk[:2], cost[:2]) == 1
