"""From what callers saw to the blast radius: which share of the tenants was hurt, and how. Pure."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from evals.sim.callers import Seen, percentile
from evals.sim.run import DEAD_CELL, Ran
from evals.sim.world import BAD

CONTAINED = 10.0  # seconds after which a fault must be contained
DOWN, WELL, SLOW = 0.05, 0.99, 2.0  # shares of requests that succeed; times the calm p99
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}  # Student, 97.5 %


class Blast(msgspec.Struct, frozen=True):
    """Shares of the tenants, 0 to 1, the bad one apart, compared with the same run without the fault.

    Attributes:
        any: some try of theirs was answered with an error, or not at all.
        down: fewer than 5 % of their requests succeeded. failing: fewer than 99 %. slow: p99 beyond twice the calm one.
        hurt: failing or slow.
    """

    any: float
    down: float
    failing: float
    slow: float
    hurt: float


def blast(ran: Ran, calm: Ran, start: float, end: float) -> Blast:
    """How far a fault reached among requests that were under way between two instants, or should have been."""
    now, before = by_tenant(ran, start, end), by_tenant(calm, start, end)
    others = [tenant for tenant in before if not (ran.world.bad and tenant == BAD)]
    any_, down, failing, slow, hurt = 0, 0, 0, 0, 0
    for tenant in others:
        seen = now.get(tenant, [])
        good = sum(one.ok for one in seen) / len(seen) if seen else 1.0
        late = _p99(seen) > SLOW * _p99(before[tenant])
        any_ += any(one.errors for one in seen)
        down += good < DOWN
        failing += good < WELL
        slow += late
        hurt += good < WELL or late
    return Blast(*(count / len(others) for count in (any_, down, failing, slow, hurt)))


def by_tenant(ran: Ran, start: float, end: float) -> dict[int, list[Seen]]:
    """Requests that were under way at some time between two instants."""
    found: dict[int, list[Seen]] = defaultdict(list)
    for one in ran.seen:
        if one.began < end and one.ended >= start:
            found[one.tenant].append(one)
    return found


def _p99(seen: Sequence[Seen]) -> float:
    return percentile([one.ended - one.began for one in seen], 0.99) if seen else 0.0


def figures(ran: Ran, calm: Ran) -> dict[str, float | None]:
    """All figures of one run with a fault."""
    world = ran.world
    edge = world.begins + CONTAINED
    before, after = blast(ran, calm, world.begins, edge), blast(ran, calm, edge, world.ends)
    found: dict[str, float | None] = {
        **{f"before.{name}": value for name, value in msgspec.structs.asdict(before).items()},
        **{f"after.{name}": value for name, value in msgspec.structs.asdict(after).items()},
        "amplification": (ran.first + ran.further) / max(1, ran.first),
        "beyond_deadline": max(0.0, *(one.over for one in ran.seen)),
        "detected": ran.detected,
    }
    if ran.used:
        found["overshoot"] = max(0.0, max(ran.used) - 1)
        found["allowed"] = ran.used[BAD]
    if world.fault == "dead cell" and ran.homes:
        found["others_p99"] = _others(ran, world.begins, world.ends) / _others(calm, world.begins, world.ends)
    return found


def _others(ran: Ran, start: float, end: float) -> float:
    """p99 of the tenants who do not live in the dead cell."""
    seen = by_tenant(ran, start, end).items()
    return percentile([o.ended - o.began for t, all_ in seen if DEAD_CELL not in ran.homes[t] for o in all_], 0.99)


def goodput(ran: Ran) -> tuple[float, float]:
    """Answers a second while the fault lasts, its first two seconds apart; and the critical class's success."""
    start, end = ran.world.begins + 2, ran.world.ends
    good = sum(one.ok and start <= one.ended < end for one in ran.seen) / (end - start)
    critical = [one.ok for one in ran.seen if one.rank == "critical" and start <= one.began < end]
    return good, sum(critical) / len(critical)


def mean_of(values: Sequence[float]) -> tuple[float, float]:
    """Mean over seeds, and half the width of its 95 % interval (Student); not a number for a single seed."""
    if len(values) < 2:
        return values[0], math.nan
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), _T.get(len(values) - 1, 2.1) * spread
