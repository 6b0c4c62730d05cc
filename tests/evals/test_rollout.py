"""Roll-outs on simulated days: the arrays do what the router's own machine does, and a small run keeps the promises."""

import msgspec
import numpy as np
import pytest

from evals.rollout import baselines, report, sessions
from evals.rollout.days import CHUNK, play
from evals.rollout.world import World, closings, differences, meetings
from router.core.rollout import WATCHES, Plan, next_move
from router.core.stats.sequential import Blocks
from router.core.tally import Scale, Tally, readings

SMALL = World(day=40_000)


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_blocks_close_where_the_routers_own_do(share):
    rng = np.random.default_rng(1)
    arms = rng.random(4_000) < share
    blocks, sizes, seen, requests = Blocks.at(share), [], [], []
    for i, canary in enumerate(arms):
        before = blocks.count
        blocks, d = blocks.add(canary=bool(canary), goodness=1.0)
        if d is not None:
            sizes.append(before + (not canary))
            seen.append(int(arms[: i + 1].sum()))
            requests.append(i + 1)
    arrived = np.cumsum(~arms)[arms][None]
    met = closings(arrived, Blocks.at(share).least)
    n = len(sizes)
    assert n > 100
    assert met.size[0, :n].tolist() == sizes
    assert met.seen[0, :n].tolist() == seen
    assert met.requests[0, :n].tolist() == requests


@pytest.mark.parametrize("drop", [0.0, 0.15])
def test_a_day_ends_as_the_routers_own_machine_says(drop):
    """The same differences, given to the machine one by one; a pair of outcomes is a block at this share."""
    world, days = World(day=6_000, quality=0.7, drop=drop), 6
    wide = tuple(msgspec.structs.replace(watch, margin=0.12 if watch.margin else None) for watch in WATCHES)
    plan = Plan(steps=(0.25, 1.0), min_requests=1, watches=wide)
    played = play(world, plan, days, seed=3)
    rng = np.random.default_rng([3, 0])
    met = meetings(rng, days, int(np.ceil(1.1 * world.day * 0.25)) + 100, 0.25)
    d = differences(rng, world, met.size[:, :CHUNK])
    decided = 0
    for day in range(days):
        tally = Tally(step=0, scale=Scale(mean=world.mean_cost, cap=1.0, slow=1.0)).at(plan, 0)
        for i in range(CHUNK):
            for watch in plan.watches:
                ours = (float(d[watch.signal][day, i]) + 1) / 2
                tally = tally.outcome(plan, watch, "t", 1 - ours, canary=False)
                tally = tally.outcome(plan, watch, "t", ours, canary=True)
            move = next_move(plan, 0, readings(plan, [tally], 0), int(met.seen[day, i]))
            if move.verb != "hold":
                late = played.exposed[day] - met.seen[day, i]
                assert (played.back[day], late) == (move.verb == "roll_back", int(move.verb == "roll_back"))
                decided += 1
                break
        else:
            assert played.exposed[day] > met.seen[day, CHUNK - 1]
    assert decided >= 3
    assert played.back.any() == (drop > 0)


def test_equal_seeds_give_equal_days_and_others_do_not():
    plan = Plan()
    one, two = play(SMALL, plan, 8, seed=1), play(SMALL, plan, 8, seed=1)
    assert one.exposed.tolist() == two.exposed.tolist()
    assert one.exposed.tolist() != play(SMALL, plan, 8, seed=2).exposed.tolist()


def test_the_same_policy_is_rarely_sent_back_and_a_broken_one_always():
    same = play(SMALL, Plan(), 60, seed=4)
    assert same.back.sum() <= 3
    broken = play(SMALL._replace(drop=0.2), Plan(), 30, seed=4)
    assert broken.back.all()
    assert (broken.exposed < 500).all()
    assert set(broken.by.tolist()) == {0}


def test_a_drop_of_three_points_is_seen_before_two_percent_of_a_day():
    days = play(World(drop=0.03), Plan(), 60, seed=5)
    assert (days.back & (days.exposed <= 5_000)).mean() >= 0.85


def test_every_day_ends_back_or_live_or_on_a_step():
    days = play(SMALL, Plan(), 40, seed=6)
    assert not (days.back & (days.live_at >= 0)).any()
    assert ((days.live_at >= 0) == (days.step == 2)).all()
    assert (days.exposed <= SMALL.day).all()
    assert (days.live_at <= SMALL.day).all()


def test_peeking_at_an_ordinary_test_raises_the_alarms_that_ours_does_not():
    found = baselines.stops(World(), 0.05, 0.02, 0.03, 200, 1, 1_500)
    alarms = {name: int((at >= 0).sum()) for name, at in found.items()}
    assert alarms["ours"] <= 8
    assert alarms[f"z-test after every {baselines.EVERY}"] > 2 * alarms["ours"] + 5


def test_counting_every_outcome_of_a_session_raises_alarms_that_the_first_alone_does_not():
    found = {name: int(alarms.sum()) for name, alarms in sessions.false_alarms(0.8, 0.02, 1_000, 250, 1).items()}
    assert found["the first of each session"] <= 10
    assert found["every outcome"] > found["the first of each session"] + 5


def test_the_report_says_what_was_played(tmp_path):
    plan = Plan()
    one = report.of_days(SMALL, plan, play(SMALL, plan, 5, seed=1))
    ways = report.of_stops(baselines.stops(World(), 0.05, 0.02, 0.03, 5, 1, 300))
    about = {"command": "x", "date": "d", "commit": "c", "machine": "m"}
    body = {
        "about": about, "days": {"the same policy": one}, "judged": {"100%": one},
        "ways": {"no drop": ways, "3 points": ways}, "alpha": 0.005, "upto": 300,
        "sessions": {"every outcome": report.share(np.zeros(5, bool))},
    }  # fmt: skip
    report.write(tmp_path, body)
    text = (tmp_path / "rollout.md").read_text()
    assert "the same policy | 5 |" in text
    assert (tmp_path / "rollout.json").exists()
