"""What keeps one fault from becoming everyone's, for one cell: gates, breakers and retry budgets by name.

The state machines are pure (``router.core.resilience``); here they get the cell's clock, a name, and a word in the
log. A tenant belongs to one bulkhead, ``""`` where the settings name none, and every bulkhead has breakers and
budgets of its own, so what one group of tenants does is not known to another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING
from zlib import crc32

from router.core.resilience import Adaptive, Breaker, BreakerRules, Call, Gate, RetryBudget, Workers
from router.core.resilience.breaker import State
from router.errors import (
    UpstreamAbstained,
    UpstreamBusy,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamResting,
    UpstreamTimeout,
)
from router.serve.metrics import Labels, Readings

if TYPE_CHECKING:
    from router.core.resilience import Ending, Limit
    from router.serve.settings import Settings

log = logging.getLogger("stillhouse")
NONE: frozenset[str] = frozenset()
Place = tuple[str, str]
"""Bulkhead, deployment."""


class Guard:
    """What stands before one deployment, for one bulkhead.

    Attributes:
        room: how many calls at once it bears; None where the settings set no limit.
        inside: how many are under way; counted only where there is a limit.
    """

    __slots__ = ("breaker", "budget", "inside", "room")

    def __init__(self, breaker: Breaker, budget: RetryBudget, most: int | None) -> None:
        self.breaker, self.budget = breaker, budget
        self.room = None if most is None else Adaptive(most)
        self.inside = 0


class Shield:
    """One cell's. Times are the cell's monotonic seconds."""

    def __init__(self, settings: Settings, dice: Callable[[], float], *, keys_on: bool) -> None:
        server = settings.server
        self._rules = BreakerRules(**settings.breaker.model_dump())
        self._retries = settings.retries
        self._most = {tier.name or tier.model: tier.max_concurrent for tier in settings.tiers}
        self._dice = dice
        self._bulkhead = {tenant: name for name, bulk in settings.bulkheads.items() for tenant in bulk.tenants}
        places = server.max_concurrent - sum(bulk.max_concurrent for bulk in settings.bulkheads.values())
        share = server.tenant_share if keys_on else 1.0  # without keys all callers are one tenant
        self.gates: dict[str, Gate] = {"": Gate(places, server.queue, share)}
        self.workers = Workers(share)
        for name, bulk in settings.bulkheads.items():
            self.gates[name] = Gate(bulk.max_concurrent, bulk.queue)
        self.guards: dict[Place, Guard] = {}
        self._open: set[Place] = set()
        self.trips: dict[Labels, int] = {}  # deployment, cause
        self.shed: dict[Labels, int] = {}  # bulkhead, class

    def bulkhead(self, tenant: str) -> str:
        """Where a tenant belongs."""
        return self._bulkhead.get(tenant, "") if self._bulkhead else ""

    def guard(self, bulkhead: str, name: str) -> Guard:
        """Of one deployment."""
        found = self.guards.get((bulkhead, name))
        if found is None:
            retries = self._retries
            breaker = Breaker(self._rules, self._dice)
            budget = RetryBudget(retries.share, retries.burst, retries.per_second)
            found = self.guards[bulkhead, name] = Guard(breaker, budget, self._most.get(name))
        return found

    def resting(self, tenant: str, now: float) -> frozenset[str]:
        """The deployments that may not be asked for this tenant at this moment."""
        if not self._open:
            return NONE
        bulkhead, voter = self.bulkhead(tenant), voter_of(tenant)
        return frozenset(
            name
            for whose, name in self._open
            if whose == bulkhead and self.guards[whose, name].breaker.resting(now, voter)
        )

    def alone(self, tenant: str, names: frozenset[str], now: float) -> frozenset[str]:
        """Which of these resting deployments may be asked by one who has nobody else to ask."""
        bulkhead = self.bulkhead(tenant)
        return frozenset(name for name in names if self.guards[bulkhead, name].breaker.open_to_one(now))

    def begin(self, tenant: str, name: str, work: float, now: float, *, alone: bool = False) -> Call:
        """Ask a breaker. ``alone``: there is nobody else to ask.

        Raises:
            UpstreamResting: it is open.
            UpstreamBusy: the deployment has as many calls as it bears.
        """
        bulkhead = self.bulkhead(tenant)
        guard = self.guard(bulkhead, name)
        breaker = guard.breaker
        if guard.room is not None and guard.inside >= guard.room.limit:
            raise UpstreamBusy("The model has as many requests as it can serve at once.", retry_after="1")
        call = breaker.begin(now, voter_of(tenant), work, alone=alone)
        if call is None:
            self._noted(bulkhead, name, breaker)
            raise resting_error(breaker.retry_in(now))
        if guard.room is not None:
            guard.inside += 1
        return call

    def end(self, tenant: str, name: str, call: Call, ending: Ending, now: float, error: UpstreamError | None) -> None:
        """Tell a breaker how a call ended."""
        bulkhead = self.bulkhead(tenant)
        guard = self.guard(bulkhead, name)
        if guard.room is not None:
            overloaded = error is not None and error.overload and ending in ("failed", "limited")
            if ending in ("ok", "failed", "limited"):
                guard.room.observe(now, now - call.began, guard.inside, overloaded=overloaded)
            guard.inside -= 1
        guard.breaker.end(call, ending, now, _wanted_pause(error))
        self._noted(bulkhead, name, guard.breaker)

    def answered(self, tenant: str, name: str, call: Call, now: float) -> None:
        """Tell a breaker that an answer began."""
        bulkhead = self.bulkhead(tenant)
        breaker = self.guard(bulkhead, name).breaker
        breaker.answered(call, now)
        if self._open:
            self._noted(bulkhead, name, breaker)

    def look(self, now: float) -> None:
        """Look at every breaker for silence; the same work in storm and calm."""
        for (bulkhead, name), guard in self.guards.items():
            guard.breaker.look(now)
            self._noted(bulkhead, name, guard.breaker)

    def retry_in(self, tenant: str, now: float) -> float:
        """Seconds until the first of a tenant's resting deployments is looked at again."""
        bulkhead = self.bulkhead(tenant)
        waits = [self.guards[place].breaker.retry_in(now) for place in self._open if place[0] == bulkhead]
        return min(waits, default=0.0)

    def states(self, now: float) -> Iterator[tuple[Place, State]]:
        """Every breaker's, for /metrics."""
        return ((place, guard.breaker.state(now)) for place, guard in sorted(self.guards.items()))

    def _noted(self, bulkhead: str, name: str, breaker: Breaker) -> None:
        """Keep the set of open ones, and say each change once."""
        place = (bulkhead, name)
        if bool(breaker.cause) == (place in self._open):
            return
        whom = f"{name} (bulkhead {bulkhead})" if bulkhead else name
        if breaker.cause:
            self._open.add(place)
            self.trips[name, breaker.cause] = self.trips.get((name, breaker.cause), 0) + 1
            log.warning("%s rests: %s", whom, _WHY[breaker.cause])
        else:
            self._open.discard(place)
            log.warning("%s answers again", whom)


_WHY: Mapping[str, str] = {
    "failures": "calls failed one after another",
    "rate": "too large a share of calls failed",
    "limited": "its rate limit is reached",
    "silence": "no sign of life while calls wait",
}


def voter_of(tenant: str) -> int:
    """A number that stands for a tenant, the same in every process."""
    return crc32(tenant.encode())


def ending_of(error: UpstreamError | None, elapsed: float, limit: Limit) -> Ending:
    """What an error says about the server. ``elapsed`` and ``limit``: the request's, for its caller may have cut it."""
    if error is None:
        return "ok"
    if isinstance(error, UpstreamRejected | UpstreamAbstained):
        return "refused"
    if isinstance(error, UpstreamRateLimited):
        return "limited"
    if isinstance(error, UpstreamBusy) or (isinstance(error, UpstreamTimeout) and limit.cuts(elapsed)):
        return "gone"
    return "failed"


def resting_error(seconds: float) -> UpstreamResting:
    """For a caller who would have been sent to a resting deployment."""
    wait = max(1, ceil(seconds))
    words = f"The models that may serve this rest after failures; they are tried again in {wait} s."
    return UpstreamResting(words, retry_after=str(wait))


def _wanted_pause(error: UpstreamError | None) -> float:
    """Seconds of a Retry-After; 0 for none, a date or nonsense."""
    try:
        return max(0.0, float(error.retry_after or 0)) if error is not None else 0.0
    except ValueError:
        return 0.0


_PLACE = ("bulkhead", "deployment")
_LEVELS: Mapping[State, int] = {"closed": 0, "half_open": 1, "open": 2}


def readings_of(shield: Shield, now: float) -> tuple[Readings, ...]:
    """For /metrics. Every label is a name of the settings or one of a closed set."""
    gates, guards = shield.gates.items(), shield.guards.items()
    states: dict[Labels, float] = {place: float(_LEVELS[state]) for place, state in shield.states(now)}
    refused: dict[Labels, float] = {place: float(guard.budget.refused) for place, guard in guards}
    at = ("bulkhead",)
    return (
        Readings("stillhouse_capacity", "Requests that may be served at once.", "gauge", at,
                 {(name,): gate.places for name, gate in gates}),
        Readings("stillhouse_inside", "Requests that hold a place.", "gauge", at,
                 {(name,): gate.inside for name, gate in gates}),
        Readings("stillhouse_waiting", "Requests that wait for a place.", "gauge", at,
                 {(name,): gate.waiting for name, gate in gates}),
        Readings("stillhouse_shed_total", "Requests that were turned away.", "counter", (*at, "class"), shield.shed),
        Readings("stillhouse_heavy_seconds", "Work on large requests that is waiting or under way.", "gauge",
                 (), {(): shield.workers.backlog}),
        Readings("stillhouse_heavy_shed_total", "Large requests that were turned away.", "counter", (),
                 {(): float(shield.workers.refused)}),
        Readings("stillhouse_deployment_capacity", "Calls at once that a limited deployment bears.", "gauge", _PLACE,
                 {place: guard.room.limit for place, guard in guards if guard.room is not None}),
        Readings("stillhouse_breaker_state", "0 closed, 1 looking again, 2 open.", "gauge", _PLACE, states),
        Readings("stillhouse_breaker_trips_total", "Times a deployment was left alone, by cause.", "counter",
                 ("deployment", "cause"), shield.trips),
        Readings("stillhouse_retries_refused_total", "Further calls that the budget did not allow.", "counter",
                 _PLACE, refused),
    )  # fmt: skip
