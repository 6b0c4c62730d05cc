"""One run: a world is built, its fault happens, and what its callers saw comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random

import msgspec

from evals.sim.callers import Callers, Seen
from evals.sim.clock import Clock
from evals.sim.process import TRACES, Answered, Ask, Process
from evals.sim.upstream import Server
from evals.sim.world import TIERS, World
from router.core.cells import Cells
from router.core.resilience import Crash
from router.core.resilience.inside import TICK

LOOK = TICK  # seconds between two looks of a process at its breakers, and at who is inside
HEARD = 0.001  # seconds until other processes hear that one has died: the kernel tells them
DOWN_AFTER = UP_AFTER = 2  # health checks in a row
DEAD_CELL = "c0"
HURT = "medium"  # the deployment that fails where one does


class Ran(msgspec.Struct, frozen=True):
    """What came of a run.

    Attributes:
        world: which. seen: requests in the order in which they ended.
        first, further: calls of models for a request's sake, and those beyond the first.
        detected: seconds until the last process that had calls waiting had opened its breaker; None where none did.
        homes: tenant -> its cells, the first one first; empty where any process serves anybody.
        crashes: how many. waited: tenants whom some process held for the cause of one, and let wait.
    """

    world: World
    seen: list[Seen]
    first: int
    further: int
    detected: float | None
    homes: dict[int, tuple[str, ...]]
    crashes: int
    waited: frozenset[str]


class Steering:
    """The proxy: whom a tenant's request goes to. It knows what health checks say, not what is true."""

    def __init__(self, world: World, clock: Clock, processes: dict[str, Process]) -> None:
        self._world, self._clock, self._processes = world, clock, processes
        names = tuple(processes)
        self._cells = Cells(names=names, per_tenant=world.per_tenant)
        self._homes: dict[str, tuple[str, ...]] = {}
        self._turn = count()
        self._names = names
        self._believed = dict.fromkeys(names, True)
        self._run = dict.fromkeys(names, 0)

    def send(self, ask: Ask, answered: Answered) -> None:
        """To the first process that is believed to be up; if it takes no connection, to the next one, once."""
        for name in [name for name in self.route(ask.tenant) if self._believed[name]][:2]:
            process = self._processes[name]
            if process.alive:
                process.receive(ask, answered)
                return
        self._clock.after(0.001, lambda: answered(503))

    def route(self, tenant: str) -> tuple[str, ...]:
        """A tenant's cells, or all replicas in turn."""
        if self._world.arm != "cells":
            start = next(self._turn) % len(self._names)
            return self._names[start:] + self._names[:start]
        found = self._homes.get(tenant)
        if found is None:
            found = self._homes[tenant] = self._cells.of(tenant)
        return found

    def check(self) -> None:
        """A round of health checks."""
        for name, process in self._processes.items():
            if process.alive == self._believed[name]:
                self._run[name] = 0
                continue
            self._run[name] += 1
            if self._run[name] >= (UP_AFTER if process.alive else DOWN_AFTER):
                self._believed[name], self._run[name] = process.alive, 0


def run(world: World) -> Ran:
    """Simulate a world."""
    clock = Clock()
    dice = Random(world.seed)  # noqa: S311  (to be repeated)
    servers = {name: Server(clock) for name in TIERS}
    processes: dict[str, Process] = {}
    crashes: list[Crash] = []

    def tell(crash: Crash) -> None:
        crashes.append(crash)
        for process in processes.values():
            clock.after(HEARD, partial(process.learn, crashes))

    for name in (f"c{i}" for i in range(world.cells)):
        processes[name] = Process(name, world, clock, servers, dice, tell)
    steering = Steering(world, clock, processes)
    callers = Callers(world, clock, dice, steering.send)
    for process in processes.values():
        _every(clock, world, LOOK, process.look)
    _every(clock, world, world.detect, steering.check)
    _faults(clock, world, servers, processes)
    clock.run()
    tripped = [process.tripped[HURT] - world.begins for process in processes.values() if HURT in process.tripped]
    guards = [guard for process in processes.values() for guard in process.guards.values()]
    routes = {i: steering.route(f"t{i}") for i in range(world.tenants)} if world.arm == "cells" else {}
    return Ran(
        world, callers.seen, sum(guard.first for guard in guards), sum(guard.further for guard in guards),
        max(tripped) if tripped else None, routes, len(crashes),
        frozenset().union(*(process.refused for process in processes.values())),
    )  # fmt: skip


def _every(clock: Clock, world: World, seconds: float, what: Callable[[], object]) -> None:
    """Do something again and again while requests come, and a while longer."""

    def again() -> None:
        what()
        if clock.now < world.lasts + 2 * world.deadline:
            clock.after(seconds, again)

    clock.at(0.0, again)


def _faults(clock: Clock, world: World, servers: dict[str, Server], processes: dict[str, Process]) -> None:
    def mode(name: str) -> Callable[[], None]:
        return lambda: setattr(servers[HURT], "mode", name)

    modes = {"dead upstream": "dead", "black hole": "hole", "retry storm": "flaky"}
    if world.fault in modes:
        clock.at(world.begins, mode(modes[world.fault]))
        clock.at(world.ends, mode("ok"))
    if world.fault == "dead cell":
        clock.at(world.begins, processes[DEAD_CELL].die)
    if world.fault.startswith("chance"):
        dice = Random(f"chance {world.seed}")  # noqa: S311  (to be repeated)
        at = world.begins
        while at < world.ends:
            clock.at(at, partial(processes[dice.choice([*processes])].die, TRACES.get(world.fault, "")))
            at += 8 * dice.random()
