"""Who calls: arrivals, what each request wants, and how a client library asks again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np

from evals.sim.clock import Clock
from evals.sim.process import Ask
from evals.sim.world import BAD, MIX, SLOWNESS, World
from router.core.resilience import Rank

Send = Callable[[Ask, Callable[[int], None]], None]
_WORTH_IT = frozenset({0, 429, 500, 502, 503, 504})  # what the usual client libraries ask again after
_STORM = (5, 0.02)  # tries and first pause of clients that make everything worse
_LARGE, _HUGE = 200_000, 1_000_000  # bytes of a body that is work for a worker: an ordinary one, and the poison's
_LONG = 600.0  # seconds that a request takes which never ends in time


class Seen(NamedTuple):
    """One request as its caller saw it.

    Attributes:
        tenant: a number. rank: its class. began, ended: of all its tries. ok: it was answered in the end.
        errors: tries that were not. over: seconds by which a try outlived its deadline, at most.
    """

    tenant: int
    rank: Rank
    began: float
    ended: float
    ok: bool
    errors: int
    over: float


class Wish(NamedTuple):
    """A request that will be made: when, by whom, and what was drawn for it."""

    at: float
    tenant: int
    rank: Rank
    tier: int
    slow: float
    poison: bool
    large: bool


def wishes(world: World) -> list[Wish]:
    """All requests of a run in order. Those that come anyway are the same whatever goes wrong: draws are paired."""
    found = list(_poisson(world, np.random.default_rng([world.seed, 1]), world.rate, 0.0, world.lasts))
    more = np.random.default_rng([world.seed, 2])
    if world.fault == "overload" and world.load > 1:
        found += _poisson(world, more, world.rate * (world.load - 1), world.begins, world.ends)
    if world.fault.startswith("poison"):
        rate = world.poison * world.rate / world.tenants
        found += _poisson(world, more, rate, world.begins, world.ends, only=BAD)
    return sorted(found)


def _poisson(
    world: World, dice: np.random.Generator, rate: float, start: float, end: float, *, only: int | None = None
) -> Iterator[Wish]:
    count = int(dice.poisson(rate * (end - start)))
    at = dice.uniform(start, end, count)
    tenants = dice.integers(0, world.tenants, count)
    tiers = np.searchsorted(MIX, dice.uniform(size=count))
    slow = np.exp(world.sigma * dice.standard_normal(count) - world.sigma**2 / 2)
    ranks = dice.uniform(size=count)
    large = dice.uniform(size=count) < world.heavy
    for i in range(count):
        rank: Rank = (
            "critical" if ranks[i] < world.critical else "batch" if ranks[i] < 2 * world.critical else "default"
        )
        tenant = int(tenants[i]) if only is None else only
        yield Wish(float(at[i]), tenant, rank, int(tiers[i]), float(slow[i]), only is not None, bool(large[i]))


class Callers:
    """All tenants. ``seen`` fills as their requests end."""

    def __init__(self, world: World, clock: Clock, dice: Random, send: Send) -> None:
        self.seen: list[Seen] = []
        self._world, self._clock, self._dice, self._send = world, clock, dice, send
        self._coming = iter(wishes(world))
        self._next = next(self._coming, None)
        if self._next is not None:
            clock.at(self._next.at, self._arrive)

    def _arrive(self) -> None:
        wish = self._next
        assert wish is not None
        self._next = next(self._coming, None)
        if self._next is not None:
            self._clock.at(self._next.at, self._arrive)
        self._try(wish, 0, 0.0)

    def _try(self, wish: Wish, errors: int, over: float) -> None:
        began = self._clock.now
        self._send(self._ask(wish, began), partial(self._answered, wish, began, errors, over))

    def _ask(self, wish: Wish, now: float) -> Ask:
        world = self._world
        kind = world.fault if wish.poison else "none"
        slow = _LONG if kind == "poison: slow" else world.work * wish.slow
        return Ask(
            f"t{wish.tenant}", wish.rank, wish.tier, [slow * part for part in SLOWNESS],
            _HUGE if kind == "poison: huge" else _LARGE if wish.large else 0, now + world.deadline,
            breaks=kind == "poison: errors", kills=kind == "poison: kills",
        )  # fmt: skip

    def _answered(self, wish: Wish, began: float, errors: int, over: float, status: int) -> None:
        now, world = self._clock.now, self._world
        over = max(over, now - began - world.deadline)
        tries, pause = (world.tries, world.patience) if not self._storming() else _STORM
        if status == 200 or status not in _WORTH_IT or errors >= tries or wish.poison:
            ok = status == 200
            self.seen.append(Seen(wish.tenant, wish.rank, wish.at, now, ok, errors + (not ok), over))
            return
        pause *= 2**errors * (0.75 + 0.25 * self._dice.random())
        if status in (429, 503) and not self._storming():
            pause = max(pause, 1.0)  # Retry-After
        self._clock.after(pause, partial(self._try, wish, errors + 1, over))

    def _storming(self) -> bool:
        world = self._world
        return world.fault == "retry storm" and world.begins <= self._clock.now < world.ends


def percentile(values: list[float], share: float) -> float:
    """The value at or below which ``share`` of them lie; not a number for none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
