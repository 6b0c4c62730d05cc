"""Limits in virtual time: one home of books, and what each process holds of them.

Books and purses are the product's own (``router.core.limits``). What ``router.serve.limits.limiting`` does around them
with asyncio, its rounds, its beat and its line, stands here as callbacks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from evals.sim.clock import Clock
from evals.sim.world import World
from router.core.limits import Ask, Book, Cap, Grant, Kind, Purse, slot_of, turn

TURN = 0.003  # seconds of a talk with the home
BEAT, POLL = 0.25, 0.1  # as ``limiting.BEAT_S`` and ``POLL_S``
WAIT, OTHERS = 5.0, 0.6  # ``limits.wait``, and ``limiting.OTHERS_S``
NOON = 1_789_992_000_000  # milliseconds; no run leaves the day
KINDS: dict[str, Kind] = {"storm: requests": "requests", "storm: places": "parallel", "storm: money": "day"}


class Need(NamedTuple):
    """What is needed of a meter: at least, and so that nothing need be cut."""

    cap: Cap
    floor: int
    want: int


class Held(NamedTuple):
    """What was taken, and where."""

    meters: Meters
    purse: Purse
    amount: int

    def give_back(self, actual: int) -> None:
        """It is over: so much of it was used. A process that died tells nobody any more."""
        if self.meters.alive:
            self.purse.settle(self.amount, actual)
            self.meters.look()


Then = Callable[[Held | None], None]


class Home:
    """The store, and beside it the truth of what was let through.

    Attributes:
        entered: when a tenant's requests were let in. inside, most: in progress now, and at once at most.
        spent: nano-dollars that its calls cost.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self.kind = KINDS.get(world.fault)
        self._clock, self._each = clock, world.limited
        self._limit = {"requests": world.requests, "parallel": world.parallel, "day": world.money}
        self._books: dict[tuple[str, Kind], Book] = defaultdict(Book)
        self.entered: dict[str, list[float]] = defaultdict(list)
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()

    def limits(self, tenant: str, *, money: bool) -> bool:
        """Whether it has a limit, of this sort."""
        return (self.kind == "day") == money and int(tenant[1:]) % self._each == 0

    def cap(self, tenant: str) -> Cap:
        """The limit of a tenant that has one."""
        assert self.kind is not None
        return Cap(f"tenant:{tenant}", self.kind, self._limit[self.kind])

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return NOON + int(self._clock.now * 1e3)

    def turn(self, asks: Sequence[Ask]) -> list[Grant]:
        """One transaction."""
        now = self.now()
        return [turn(self._books[ask.cap.subject, ask.cap.kind], ask, now) for ask in asks]

    # --- the truth

    def enter(self, tenant: str) -> None:
        """A request was let in."""
        self.entered[tenant].append(self._clock.now)
        self.inside[tenant] += 1
        self.most[tenant] = max(self.most[tenant], self.inside[tenant])

    def leave(self, tenant: str) -> None:
        """It has ended."""
        self.inside[tenant] -= 1

    def used(self, tenant: str) -> int:
        """What a tenant had of its limit at most: in a minute, at once, or in all."""
        if self.kind == "requests":
            return busiest(self.entered[tenant])
        return self.most[tenant] if self.kind == "parallel" else self.spent[tenant]


class Waiting:
    """Who stands in line."""

    __slots__ = ("need", "since", "then")

    def __init__(self, need: Need, since: float, then: Then) -> None:
        self.need, self.since, self.then = need, since, then


class Meters:
    """The limits of one life of a process."""

    def __init__(self, name: str, clock: Clock, home: Home) -> None:
        self.alive = True
        self._name, self._clock, self._home = name, clock, home
        self._purses: dict[str, Purse] = {}
        self._old: list[Purse] = []
        self._count = 0
        self._line: list[Waiting] = []
        self._talking = self._beating = self._again = self._reports = False

    def take(self, need: Need, then: Then) -> None:
        """Take it, standing in line where it may still come; ``then`` is told what was taken, None where nothing."""
        purse = self._purse(need.cap)
        if purse.free(self._home.now()) >= need.want:
            then(self._taken(purse, need.want))
            return
        self._ask(purse, need)
        self._line.append(Waiting(need, self._clock.now, then))
        self._talk()

    def die(self) -> None:
        """What it holds dies with it."""
        self.alive = False

    def look(self) -> None:
        """Something came back: who is in line may have it. And report it with the next beat."""
        if self._line and not self._again:
            self._again = True
            self._clock.after(0.0, self._serve)
        self._beat()

    # --- inside

    def _purse(self, cap: Cap) -> Purse:
        slot, found = slot_of(cap.kind, self._home.now()), self._purses.get(cap.subject)
        if found is None or found.slot != slot:
            if found is not None:
                self._old.append(found)
            self._count += 1
            found = self._purses[cap.subject] = Purse(f"{self._name}.{self._count}", cap, slot)
        return found

    def _taken(self, purse: Purse, amount: int) -> Held:
        purse.take(amount)
        self._beat()
        return Held(self, purse, amount)

    @staticmethod
    def _ask(purse: Purse, need: Need) -> None:
        purse.asked_floor = min(purse.asked_floor or need.floor, need.floor)
        purse.asked_want += need.want

    def _talk(self) -> None:
        if self._talking or not self.alive:
            return
        self._talking = True
        if self._reports:
            self._reports = False
            purses = [p for p in (*self._old, *self._purses.values()) if p.busy]
        else:  # the product tells of all; here the others wait for the beat, for the sake of speed
            purses = list(dict.fromkeys(self._purse(one.need.cap) for one in self._line))
        asks = [purse.ask() for purse in purses]
        self._clock.after(TURN, partial(self._answered, purses, asks, self._home.now()))

    def _answered(self, purses: list[Purse], asks: list[Ask], asked: int) -> None:
        grants = self._home.turn(asks)  # the home has it, whether the process still lives or not
        if not self.alive:
            return
        for purse, ask, grant in zip(purses, asks, grants, strict=True):
            purse.take_in(ask, grant, asked)
        self._old = [purse for purse in self._old if purse.busy or purse.flying]
        self._talking = False
        self._serve()

    def _serve(self) -> None:
        """Give those in line what there is, in order; refuse those for whom nothing will come in time."""
        self._again = False
        if not self.alive:
            return
        line, self._line = self._line, []
        asking = False
        for one in line:
            purse, need = self._purse(one.need.cap), one.need
            free = purse.free(self._home.now())
            if free >= need.floor:
                one.then(self._taken(purse, min(need.want, max(need.floor, free // 2))))
            elif purse.heard and self._clock.now - one.since >= self._patience(purse, need):
                one.then(None)
            else:
                self._line.append(one)
                self._ask(purse, need)
                asking |= purse.left >= need.floor or not purse.heard
        if self._line:
            if asking:
                self._talk()
            else:
                self._clock.after(POLL, self._talk)

    @staticmethod
    def _patience(purse: Purse, need: Need) -> float:
        if purse.cap.kind == "day":
            return WAIT if purse.hope() >= need.floor else 0.0
        return OTHERS if purse.hope() - purse.reserved >= need.floor else 0.0

    def _beat(self) -> None:
        if not self._beating and self.alive:
            self._beating = True
            self._clock.after(BEAT, self._beats)

    def _beats(self) -> None:
        self._beating = False
        if self.alive and any(p.busy or p.flying for p in (*self._old, *self._purses.values())):
            self._reports = True
            self._talk()
            self._beat()


def busiest(times: list[float], window: float = 60.0) -> int:
    """The most that lie in any ``window`` seconds; ``times`` in order."""
    start = most = 0
    for end, at in enumerate(times):
        while at - times[start] >= window:
            start += 1
        most = max(most, end - start + 1)
    return most
