"""Watches that declare a promise void: soon after a change, hardly ever without one."""

import numpy as np
import pytest

from router.core.stats.void import Likeness, Losses


def spoken(watch, values):
    return next((place for place, value in enumerate(values) if watch.update(value)), None)


def test_losses_within_the_promise_raise_no_alarm():
    rng = np.random.default_rng(3)
    alarms = [spoken(Losses(0.02), (rng.random(1500) < 0.02).astype(float).tolist()) is not None for _ in range(60)]
    assert sum(alarms) <= 8  # 1,500 of the 20,000 requests that lie between two false alarms: 4.5 are expected at most


@pytest.mark.parametrize("rate", [0.06, 0.1])
def test_losses_three_times_the_promise_are_seen_within_500_requests(rate):
    rng = np.random.default_rng(4)
    late = 0
    for _ in range(40):
        watch = Losses(0.02)
        assert spoken(watch, (rng.random(300) < 0.01).astype(float).tolist()) is None
        at = spoken(watch, (rng.random(500) < rate).astype(float).tolist())
        late += at is None
    assert late <= 3


def test_a_net_loss_that_gains_make_up_for_is_no_alarm_and_one_that_they_do_not_is():
    rng = np.random.default_rng(5)
    fair = rng.choice([1.0, -1.0, 0.0], p=[0.06, 0.04, 0.9], size=(40, 1000))
    worse = rng.choice([1.0, -1.0, 0.0], p=[0.16, 0.02, 0.82], size=(40, 500))
    assert sum(spoken(Losses(0.02, net=True), row) is not None for row in fair.tolist()) <= 5
    assert sum(spoken(Losses(0.02, net=True), row) is not None for row in worse.tolist()) >= 36


@pytest.mark.parametrize(("net", "loss"), [(False, -0.1), (False, 1.1), (True, -1.1)])
def test_a_loss_outside_its_range_is_refused(net, loss):
    with pytest.raises(ValueError, match="a loss lies in"):
        Losses(0.02, net=net).update(loss)


def likeness(rng):
    return Likeness.of(rng.normal(size=(800, 2)).tolist())


def first(watch, rows, rng):
    lots = rng.random(rows.shape)
    return next((i for i, row in enumerate(rows.tolist()) if watch.update(row, lots[i].tolist())), None)


def test_requests_like_the_rows_raise_no_alarm():
    rng = np.random.default_rng(6)
    assert sum(first(likeness(rng), rng.normal(size=(600, 2)), rng) is not None for _ in range(25)) <= 3


def test_a_shift_of_one_number_is_seen_soon():
    rng = np.random.default_rng(7)
    found = [first(likeness(rng), rng.normal([0.8, 0.0], size=(500, 2)), rng) for _ in range(15)]
    assert all(at is not None for at in found)
    assert np.median(found) < 150


def test_equal_numbers_are_parted_by_lot_so_that_a_constant_raises_no_alarm():
    rng = np.random.default_rng(8)
    watch = Likeness.of([[0.5]] * 300)
    assert first(watch, np.full((500, 1), 0.5), rng) is None


def test_a_watch_that_has_been_told_everything_again_says_the_same():
    rng = np.random.default_rng(9)
    rows, lots = rng.normal(size=(300, 2)) + 0.3, rng.random((300, 2))
    known = rng.normal(size=(400, 2)).tolist()
    levels = []
    for _ in range(2):
        watch = Likeness.of(known)
        for row, lot in zip(rows.tolist(), lots.tolist(), strict=True):
            watch.update(row, lot)
        levels.append(watch.level)
    assert levels[0] == levels[1] > 0
