"""One gateway process: a core, a gate, breakers and budgets, and the plan of each request.

The edge around the real state machines, in virtual time; what ``router/serve`` does with asyncio stands here as
callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from random import Random
from zlib import crc32

from evals.sim.clock import Clock, Event
from evals.sim.upstream import Server
from evals.sim.world import TIERS, World
from router.core.plan import Try, plan
from router.core.resilience import Breaker, Call, Entry, Gate, Piece, Rank, RetryBudget, Workers
from router.errors import UpstreamError, UpstreamResting, UpstreamSilent, UpstreamTimeout
from router.types import Deployment, TierName

Answered = Callable[[int], None]  # HTTP's status; 0: the connection broke

DEPLOYMENTS: tuple[tuple[TierName, Deployment], ...] = tuple(
    (tier, Deployment(name=tier, tier=tier, model=tier, upstream=tier))  # type: ignore[arg-type,misc]
    for tier in TIERS
)
RESTING = UpstreamResting("It is left alone after failures.")
SPENT = UpstreamResting("The budget of further calls is spent.")
SILENT = UpstreamSilent("The model's server fell silent.")
LATE = UpstreamTimeout("Time is up.")
_NEVER = 1_000_000
_PACE = 5e-8  # seconds of processor time to read and guard a byte of a large body
_TAKING = 1e-9  # and to receive one
_SLICE = 0.005  # seconds after which a thread that works lets the loop have its turn: the interpreter's interval


class Ask:
    """One request as a process sees it.

    Attributes:
        tenant: whose. voter: a number that stands for it. rank: its class.
        tier: the one it is decided for, 0 the smallest. seconds: what each tier's answer takes.
        large: bytes of a body that is work for a worker; 0 for all others. until: its deadline.
        breaks: it makes the model's server fail. kills: and the process.
    """

    __slots__ = ("breaks", "kills", "large", "rank", "seconds", "tenant", "tier", "until", "voter")

    def __init__(
        self, tenant: str, rank: Rank, tier: int, seconds: Sequence[float], large: int, until: float, *,
        breaks: bool = False, kills: bool = False,
    ) -> None:  # fmt: skip
        self.tenant, self.rank, self.tier, self.seconds, self.until = tenant, rank, tier, seconds, until
        self.large, self.breaks, self.kills = large, breaks, kills
        self.voter = crc32(tenant.encode())


class Guard:
    """What a process keeps of one deployment."""

    __slots__ = ("breaker", "budget", "first", "further")

    def __init__(self, dice: Callable[[], float], *, bare: bool) -> None:
        self.breaker = None if bare else Breaker(dice=dice)
        self.budget = None if bare else RetryBudget()
        self.first = self.further = 0


class Process:
    """A cell, or a replica.

    Attributes:
        name: its own. alive: whether connections are taken. bare: it has no protections.
        tripped: deployment -> when its breaker first opened.
        world, clock, servers, dice: what it lives in. gate: who is let in. workers: whose heavy work is next.
    """

    def __init__(self, name: str, world: World, clock: Clock, servers: dict[str, Server], dice: Random) -> None:
        self.name, self.alive = name, True
        self.tripped: dict[str, float] = {}
        self.world, self.clock, self.servers, self.dice = world, clock, servers, dice
        self.bare = world.arm == "bare"
        self._reset()

    def _reset(self) -> None:
        """A fresh process remembers nothing."""
        world = self.world
        self.gate = (
            Gate(_NEVER, 0) if self.bare else Gate(world.places, world.queue, world.share)
        )  # fmt: skip
        self.workers = Workers(world.share)
        self._cpu = self.clock.now  # when the core is free
        self.guards = {name: Guard(self.dice.random, bare=self.bare) for name in self.servers}
        self._open: set[Way] = set()
        self.resting: set[str] = set()  # names of deployments whose breaker is not closed

    def work(self, seconds: float, then: Callable[[], None]) -> None:
        """Have the core do something, after what it has begun already."""
        self._cpu = max(self._cpu, self.clock.now) + seconds
        self.clock.at(self._cpu, then)

    def beside(self, seconds: float, then: Callable[[], None]) -> None:
        """Have a thread do something: in slices, between which the loop has its turn."""
        rest = seconds - _SLICE
        self.work(min(seconds, _SLICE), then if rest <= 0 else partial(self.beside, rest, then))

    def receive(self, ask: Ask, answered: Answered) -> None:
        """A request arrives; ``answered`` is called once."""
        way = Way(self, ask, answered)
        self._open.add(way)
        self.work(self.world.door, way.enter)

    def forget(self, way: Way) -> None:
        """It is over."""
        self._open.discard(way)

    def die(self) -> None:
        """SIGKILL: what is under way breaks off; the keeper starts it again."""
        if not self.alive:
            return
        self.alive = False
        for way in list(self._open):
            way.torn()
        self.clock.after(self.world.restart, self._rise)

    def _rise(self) -> None:
        self._reset()
        self.alive = True

    def look(self) -> None:
        """By the clock: is a server silent? Then whoever waits for it goes elsewhere."""
        for name, guard in self.guards.items():
            if guard.breaker is not None:
                guard.breaker.look(self.clock.now)
                self.noted(name, guard.breaker)

    def noted(self, name: str, breaker: Breaker) -> None:
        """A breaker may have opened or closed."""
        if breaker.cause:
            self.resting.add(name)
            self.tripped.setdefault(name, self.clock.now)
        elif self.resting:
            self.resting.discard(name)


class Way:
    """One request's way through a process."""

    __slots__ = ("_answered", "_ask", "_call", "_entry", "_event", "_last", "_name", "_over", "_paid", "_piece",
                 "_process", "_server", "_since", "_steps", "_timer", "_tries", "_wait")  # fmt: skip

    def __init__(self, process: Process, ask: Ask, answered: Answered) -> None:
        self._process, self._ask, self._answered = process, ask, answered
        self._entry: Entry | None = None
        self._steps: Generator[Try, UpstreamError | None, None] | None = None
        self._timer: Event | None = None
        self._wait: Event | None = None
        self._event: Event | None = None
        self._call: Call | None = None
        self._server: Server | None = None
        self._piece: Piece | None = None
        self._since = 0.0
        self._name = ""
        self._last: UpstreamError | None = None
        self._paid = self._over = False
        self._tries = 0

    # --- the gate

    def enter(self) -> None:
        """Take a place, wait for one, or be turned away at once."""
        if self._over:
            return
        p, ask = self._process, self._ask
        if ask.kills:
            p.die()
            return
        now = p.clock.now
        if ask.large and not p.bare and p.workers.full(ask.tenant, ask.large):
            self._finish(429)  # by its head alone
            return
        self._entry = entry = p.gate.enter(now, ask.tenant, ask.rank)
        if entry.state == "waiting":
            entry.wake = self._woken
            self._wait = p.clock.at(min(now + p.world.queue_seconds, ask.until), self._turned_away)
        elif entry.state == "inside":
            self._inside()
        else:
            self._finish(503)

    def _woken(self) -> None:
        Clock.off(self._wait)
        assert self._entry is not None
        self._entry.wake = None
        if self._entry.state == "inside":
            self._inside()
        else:
            self._finish(503)

    def _turned_away(self) -> None:
        self._finish(503)

    # --- the plan

    def _inside(self) -> None:
        p = self._process
        self._timer = p.clock.at(max(self._ask.until, p.clock.now), self._late)
        p.work(p.world.serve + self._ask.large * _TAKING, self._large if self._ask.large else self._decide)

    def _large(self) -> None:
        """Its body is work for a worker, when it is its tenant's turn."""
        if self._over:
            return
        p, ask = self._process, self._ask
        if p.bare:
            p.work(ask.large * _PACE, self._decide)
            return
        self._piece = piece = p.workers.ask(ask.tenant, ask.large)
        if piece.state == "away":
            self._finish(429)
        elif piece.state == "working":
            self._in_turn()
        else:
            piece.wake = self._in_turn

    def _in_turn(self) -> None:
        p = self._process
        self._since = p.clock.now
        p.beside(self._ask.large * _PACE, partial(self._done, p.workers))

    def _done(self, workers: Workers) -> None:
        """A thread works on though its request is over; only a process that died took its threads along."""
        assert self._piece is not None
        workers.end(self._piece, self._process.clock.now - self._since)
        self._decide()

    def _decide(self) -> None:
        if self._over:
            return
        p, ask = self._process, self._ask
        now = p.clock.now
        there = DEPLOYMENTS[ask.tier :]
        if p.resting:
            there = tuple(each for each in there if not _resting(p.guards[each[0]], now, ask.voter))
        if not there:
            self._finish(503)
            return
        self._steps = plan(there, p.dice.random)
        self._try(next(self._steps))

    def _try(self, step: Try) -> None:
        if step.pause:
            self._event = self._process.clock.after(step.pause, partial(self._attempt, step))
        else:
            self._attempt(step)

    def _attempt(self, step: Try) -> None:
        if self._over:
            return
        p, ask, name = self._process, self._ask, step.deployment.name
        guard = p.guards[name]
        now = p.clock.now
        if not self._pay(guard, name):
            self._failed(SPENT)
            return
        if guard.breaker is not None:
            call = guard.breaker.begin(now, ask.voter)
            if guard.breaker.cause:
                p.noted(name, guard.breaker)
            if call is None:
                self._failed(RESTING)
                return
            self._call = call
            if ask.tier < len(TIERS) - 1:  # there is a fallback to go to
                call.wake = self._silent
        self._name, self._server = name, p.servers[name]
        seconds = ask.seconds[TIERS.index(step.tier)]
        self._event = self._server.ask(seconds, self._told, breaks=ask.breaks)

    def _pay(self, guard: Guard, name: str) -> bool:
        """The first call pays into the budget, each further one is paid out of it."""
        self._paid = False
        self._tries += 1
        if self._tries == 1:
            guard.first += 1
            if guard.budget is not None:
                guard.budget.earn(self._process.clock.now)
            return True
        overload = self._last is not None and self._last.overload
        if guard.budget is not None and (overload or not self._rescued(name)):
            if not guard.budget.spend():
                return False
            self._paid = True
        guard.further += 1
        return True

    def _rescued(self, name: str) -> bool:
        """Whether it comes from a deployment that has just been given up: a fail-over costs nothing."""
        left = self._process.guards.get(self._name)
        return self._name != name and left is not None and left.breaker is not None and bool(left.breaker.cause)

    def _silent(self) -> None:
        # Not at once: the breaker is in the middle of opening.
        self._process.clock.after(0.0, partial(self._told, SILENT))

    def _told(self, error: UpstreamError | None) -> None:
        """The upstream has answered, or has failed, or is given up."""
        if self._over:
            return
        self._end("ok" if error is None else "limited" if error.status == 429 else "failed", error)
        if error is None:
            guard = self._process.guards[self._name]
            if self._paid and guard.budget is not None and self._last is not None and not self._last.overload:
                guard.budget.give_back()
            self._finish(200)
        else:
            self._failed(error)

    def _end(self, ending: str, error: UpstreamError | None) -> None:
        """Tell the breaker, once."""
        if self._server is not None:
            self._server.left(self._event)
        call, self._call = self._call, None
        if call is None:
            return
        call.wake = None
        p = self._process
        breaker = p.guards[self._name].breaker
        if breaker is None:
            return
        wanted = float(error.retry_after or 0) if error is not None else 0.0
        breaker.end(call, ending, p.clock.now, wanted)  # type: ignore[arg-type]
        if breaker.cause or p.resting:
            p.noted(self._name, breaker)

    def _failed(self, error: UpstreamError) -> None:
        self._last = error
        assert self._steps is not None
        try:
            step = self._steps.send(error)
        except StopIteration:
            self._finish(error.status)
            return
        self._try(step)

    # --- the end

    def _late(self) -> None:
        """The deadline. What the upstream did is held against it, as a time-out is."""
        self._last = LATE
        self._end("failed", LATE)
        self._finish(504)

    def torn(self) -> None:
        """The process died under it."""
        self._end("gone", None)
        self._finish(0)

    def _finish(self, status: int) -> None:
        if self._over:
            return
        self._over = True
        p = self._process
        Clock.off(self._timer)
        Clock.off(self._wait)
        p.forget(self)
        if self._piece is not None and self._piece.state == "waiting":
            p.workers.end(self._piece, 0.0)
        if self._entry is not None:
            p.gate.leave(self._entry, p.clock.now)
        self._answered(status)


def _resting(guard: Guard, now: float, voter: int) -> bool:
    return guard.breaker is not None and guard.breaker.resting(now, voter)
