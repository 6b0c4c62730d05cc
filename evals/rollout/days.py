"""Many days of one roll-out at once: the router's own bets and limits, over arrays.

A block is the smallest thing that is looked at: evidence is asked after each one, which is the most that a gateway
could do, so false roll-backs are counted at their worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from evals.rollout.world import Floats, Ints, World, differences, meetings
from router.core.rollout import Plan, Signal, Watch
from router.core.stats.sequential import BETS, against_harm, against_unsafe, evidence

LAG_S = 2.0
"""Seconds from an outcome to the last request that the canary serves after it: ledger, look, log, every gateway."""

CHUNK = 500
BATCH = 250  # days played at once: what fits in memory


@dataclass(slots=True)
class Days:
    """What became of each day. Arrays of days.

    Attributes:
        back: the canary was rolled back; by: index of the signal that said so, -1 without.
        exposed: requests that saw the canary until then, or until it was live, or all of the day's.
        live_at: requests of the day when it went live; -1 where it did not. step: the last step.
    """

    back: NDArray[np.bool_]
    by: Ints
    exposed: Ints
    live_at: Ints
    step: Ints


def play(world: World, plan: Plan, days: int, seed: int) -> Days:
    """Play that many days; equal arguments give equal days."""
    parts = [
        _batch(np.random.default_rng([seed, start]), world, plan, min(BATCH, days - start))
        for start in range(0, days, BATCH)
    ]
    names = ("back", "by", "exposed", "live_at", "step")
    return Days(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _batch(rng: np.random.Generator, world: World, plan: Plan, days: int) -> Days:
    none = np.full(days, -1)
    out = Days(np.zeros(days, bool), none.copy(), np.zeros(days, np.int64), none.copy(), np.zeros(days, np.int64))
    harm = np.zeros((days, len(plan.watches), len(BETS)))
    used = np.zeros(days, np.int64)
    on = np.arange(days)
    for at, share in enumerate(plan.steps[:-1]):
        found = _step(rng, world, plan, share, harm[on], used[on])
        harm[on] = found.harm
        used[on] += found.requests
        out.exposed[on] += found.seen
        out.step[on] = at
        out.back[on], out.by[on] = found.by >= 0, found.by
        on = on[found.up]
    out.live_at[on] = used[on]
    out.step[on] = len(plan.steps) - 1
    return out


@dataclass(slots=True)
class _Found:
    """The end of a step, by day: who said back (-1: nobody), who goes up, what was used, and the evidence so far."""

    by: Ints
    up: NDArray[np.bool_]
    seen: Ints
    requests: Ints
    harm: Floats


def _step(rng: np.random.Generator, world: World, plan: Plan, share: float, harm: Floats, used: Ints) -> _Found:
    days = len(used)
    out = _Found(np.full(days, -1), np.zeros(days, bool), np.zeros(days, np.int64), np.zeros(days, np.int64), harm)
    if not days:
        return out
    left = world.day - used
    met = meetings(rng, days, ceil(1.1 * world.day * world.judged * share) + 100, share)
    seen, requests = ((part / world.judged).astype(np.int64) for part in (met.seen, met.requests))
    safe, on = np.zeros_like(harm), np.arange(days)
    for start in range(0, seen.shape[1], CHUNK):
        if not len(on):
            break
        cut = (on, slice(start, start + CHUNK))
        in_day = requests[cut] <= left[on][:, None]
        rich, safer = _wealth(plan, differences(rng, world, met.size[cut]), harm[on], safe[on])
        worse = evidence(rich) >= _limits(plan)
        ready = _ready(plan, evidence(safer)) & (seen[cut] >= plan.min_requests) & (met.seen[cut] >= plan.min_requests)
        event = (worse.any(2) | ready) & in_day
        first = np.where(event.any(1), event.argmax(1), CHUNK - 1).clip(max=event.shape[1] - 1)
        row = np.arange(len(on))
        harm[on], safe[on] = rich[row, first], safer[row, first]
        ended = event[row, first]
        out.by[on] = np.where(ended & worse[row, first].any(1), worse[row, first].argmax(1), -1)
        out.up[on] = ended & (out.by[on] < 0)
        last = np.where(ended, first, np.maximum(in_day.sum(1) - 1, 0))  # of this day, where nothing happened
        late = np.where(out.by[on] >= 0, ceil(LAG_S * world.day / 86_400 * share), 0)
        out.seen[on] = seen[on, start + last] + late
        out.requests[on] = requests[on, start + last]
        on = on[~ended & in_day[:, -1]]
    return out


def _wealth(plan: Plan, d: Mapping[Signal, Floats], harm: Floats, safe: Floats) -> tuple[Floats, Floats]:
    """Log-wealths after each block: (days, blocks, signals, bets), against harm and against being unsafe."""
    grown = np.stack([against_harm(d[w.signal], w.allowed * _unit(w)) for w in plan.watches], axis=2)
    proved = np.stack(
        [against_unsafe(d[w.signal], w.margin) if w.margin else 0 * grown[:, :, 0] for w in plan.watches], 2
    )
    return harm[:, None] + np.cumsum(grown, axis=1), safe[:, None] + np.cumsum(proved, axis=1)


def _limits(plan: Plan) -> Floats:
    return np.array([-log(watch.alpha) for watch in plan.watches])


def _ready(plan: Plan, safe: Floats) -> NDArray[np.bool_]:
    """Whether every signal that has a margin is shown to keep it."""
    asked = np.array([watch.margin is not None for watch in plan.watches])
    found: NDArray[np.bool_] = ((safe >= -log(plan.step_alpha)) | ~asked).all(axis=2)
    return found


def _unit(watch: Watch) -> float:
    """What is allowed of cost is a share of the mean, on a scale whose end is the dearest answer."""
    return World().mean_cost if watch.signal == "cost" else 1.0
