"""The limits of one cell at work: purses in memory, filled from the store in rounds, and the line before an empty one.

A request whose purses hold enough waits for nobody. Where they do not, it joins the next round with the store: one
transaction for everybody who waits. Where the store has nothing either but something is still to come back (calls in
progress, leases of other cells), it stands in line for a while before it is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from router.core.bounds import Seen
from router.core.limits import MINUTE, MONEY, Ask, Cap, Kind, Purse, ends_ms, slot_of
from router.errors import BudgetExceeded, LimitReached, LimitsAway
from router.state.store import StoreAway, Turned

if TYPE_CHECKING:
    from router.state.store import Store

log = logging.getLogger("stillhouse")

BEAT_S: Final = 0.25  # reports, and what lies idle goes back
RENEW_S: Final = 2.0  # a lease that nothing happens to
AWAY_S: Final = 1.0  # after a failure the store is left alone so long
OTHERS_S: Final = 0.6  # how long leases of other cells are waited for: two of their beats
POLL_S: Final = 0.1
IDLE_S: Final = 60.0  # purses that nobody used are put away
SUBJECTS: Final = 10_000  # whose answers are remembered
BATCH: Final = 500  # meters a transaction


class Need(NamedTuple):
    """What a call needs of a meter: at least, and so that nothing need be cut."""

    cap: Cap
    floor: int
    want: int


class Held(NamedTuple):
    """What was taken."""

    purse: Purse
    amount: int


class Limiter:
    """All limits of a cell.

    Args:
        store: the one home of limits.
        when_away: what becomes of requests while it cannot be reached and nothing drawn before is left.
        wait: seconds that a request stands in line for money or tokens.
        clock: monotonic seconds. now_ms: the wall clock; the store's own replaces it when it has first answered.
        refused: told of each refusal.
    """

    def __init__(
        self, store: Store, *, when_away: Literal["serve", "refuse"], wait: float,
        clock: Callable[[], float], now_ms: Callable[[], int], refused: Callable[[Kind], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.store = store
        self.away: str | None = None
        self.seen: dict[str, Seen] = {}  # by subject: how long answers are
        self._refused = refused
        self._when_away, self._wait, self._clock = when_away, wait, clock
        self._offset = now_ms() - int(clock() * 1e3)
        self._name, self._count = os.urandom(8).hex(), 0
        self._purses: dict[tuple[str, Kind], Purse] = {}
        self._old: list[Purse] = []
        self._used: dict[Purse, float] = {}
        self._told: dict[Purse, float] = {}
        self._next: asyncio.Future[bool] | None = None
        self._running: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._retry_at = 0.0
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="limits")

    def now(self) -> int:
        """The store's time, as far as it is known."""
        return int(self._clock() * 1e3) + self._offset

    def _ticks(self) -> int:
        """The clock by which we believe in what we hold: the store's may be set."""
        return int(self._clock() * 1e3)

    def purse(self, cap: Cap) -> Purse:
        """The purse of a meter for this moment."""
        now, name = self.now(), (cap.subject, cap.kind)
        slot, found = slot_of(cap.kind, now), self._purses.get(name)
        if found is None or found.slot != slot:
            if found is not None:
                self._old.append(found)
            self._count += 1
            found = self._purses[name] = Purse(f"{self._name}.{self._count}", cap, slot)
        found.cap = cap  # its limit may have been changed
        self._used[found] = self._clock()
        return found

    def answers_of(self, subject: str) -> Seen:
        """How long the answers of a key or tenant were so far."""
        found = self.seen.get(subject)
        if found is None:
            if len(self.seen) >= SUBJECTS:
                del self.seen[next(iter(self.seen))]
            found = self.seen[subject] = Seen()
        return found

    # --- taking and giving back

    async def take(self, needed: Callable[[], Sequence[Need]], *, patient: bool = True) -> list[Held]:
        """Take what every need wants, or what there is of it but no less than its floor; all of them or nothing.

        ``needed`` is asked again while the request stands in line: answers that end meanwhile tell more of its own.

        Raises:
            LimitReached: a limit says no, at once or after a time in line.
            LimitsAway: nobody can say, and the settings say that nobody is served then.
        """
        if taken := self._all(needs := needed(), full=True):
            return taken
        self._beat()
        begun = self._clock()
        while True:
            needs = needed()
            answered = await self._draw(needs)
            if taken := self._all(needs, full=False):
                return taken
            if not answered:
                return self._without_store(needs)
            purse, need = self._lacking(needs)
            if purse.left >= need.floor:
                continue  # the round gave others a part, and more is there
            left = begun + self._patience(purse, need, patient=patient) - self._clock()
            if left <= 0:
                raise self._refusal(purse, need)
            await self._in_line(purse, min(left, POLL_S if purse.others or not purse.flying else left))
            if taken := self._all(needs := needed(), full=False):
                return taken

    def _all(self, needs: Sequence[Need], *, full: bool) -> list[Held] | None:
        now = self._ticks()
        purses = [self.purse(need.cap) for need in needs]
        amounts: list[int] = []
        for purse, need in zip(purses, needs, strict=True):
            free = purse.free(now)
            if free < (need.want if full else need.floor):
                return None
            # Where others stand in line, nobody takes more than a part of what there is.
            amounts.append(need.want if full else min(need.want, max(need.floor, free // (1 + purse.waiting))))
        # The money of one call is as much as the tightest of its budgets has for it.
        money = min((a for a, p in zip(amounts, purses, strict=True) if p.cap.kind in MONEY), default=0)
        held = [Held(p, money if p.cap.kind in MONEY else a) for p, a in zip(purses, amounts, strict=True)]
        for purse, amount in held:
            purse.take(amount)
        return held

    def give_back(self, held: Held, actual: int) -> None:
        """A call is over: so much of what was held was used."""
        purse, amount = held
        over = actual - amount
        if over > 0 and purse.cap.kind == "tokens":  # it counts from now on, not from when the call began
            purse.settle(amount, amount)
            self.purse(purse.cap).total += over
        else:
            purse.settle(amount, actual)
        self._changed.set()
        self._beat()

    def _lacking(self, needs: Sequence[Need]) -> tuple[Purse, Need]:
        now = self._ticks()
        pairs = [(self.purse(need.cap), need) for need in needs]
        return next(pair for pair in pairs if pair[0].free(now) < pair[1].floor)

    def _patience(self, purse: Purse, need: Need, *, patient: bool) -> float:
        """Seconds to stand in line: while something may come back, or is on its way to or from the store."""
        kind, hope = purse.cap.kind, purse.hope()
        if kind in MONEY or kind == "tokens":
            comes = hope >= need.floor or (kind == "tokens" and purse.flying > 0)
            return self._wait if comes and patient else 0.0
        free = hope - purse.reserved  # a request in progress is not waited for, another cell's beat is
        return min(OTHERS_S, self._wait) if free >= need.floor else 0.0

    async def _in_line(self, purse: Purse, seconds: float) -> None:
        purse.waiting += 1
        self._changed.clear()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        finally:
            purse.waiting -= 1

    def _without_store(self, needs: Sequence[Need]) -> list[Held]:
        if self._when_away == "refuse":
            words = "The limits of this key cannot be checked now: their store does not answer. Try again."
            raise LimitsAway(words, retry_after="1")
        taken = [Held(self.purse(need.cap), need.want) for need in needs]
        for purse, amount in taken:
            purse.take(amount)
        return taken

    def _refusal(self, purse: Purse, need: Need) -> LimitReached:
        cap, now = purse.cap, self.now()
        self._refused(cap.kind)
        to_come = purse.hope() >= need.floor
        what, name = cap.subject.split(":", 1)
        whose = f"the {what} {name!r}"
        if cap.kind == "parallel":
            words = f"Limit reached: {whose} may have {cap.limit} requests in progress."
            return LimitReached(words, retry_after="1")
        until = purse.frees if cap.kind in MINUTE else ends_ms(cap.kind, purse.slot)
        seconds = str(max(1, -(-(until - now) // 1000)))
        if cap.kind in MINUTE:
            words = f"Limit reached: {whose} may use {cap.limit} {cap.kind} a minute."
            return LimitReached(words, retry_after=seconds)
        words = f"The budget of {whose} for this {cap.kind} ({cap.limit / 1e9:g} USD) is used up"
        if to_come:
            return BudgetExceeded(f"{words}, or set aside for calls in progress. Try again.", retry_after="1")
        return BudgetExceeded(f"{words}, or what is left of it does not pay this request.", retry_after=seconds)

    # --- rounds with the store

    async def _draw(self, needs: Sequence[Need]) -> bool:
        """Ask in the next round; False where the store does not answer."""
        if self._clock() < self._retry_at:
            return False
        now = self._ticks()
        for need in needs:
            purse = self.purse(need.cap)
            if purse.free(now) < need.want:
                # Of several in line the smallest: a large one must not keep the others out.
                purse.asked_floor = min(purse.asked_floor or need.floor, need.floor)
                purse.asked_want += need.want
        return await self._round()

    async def _round(self) -> bool:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._rounds())
        return await asyncio.shield(self._next)

    async def _rounds(self) -> None:
        try:
            while self._next is not None:
                done, self._next = self._next, None
                answered = False
                try:
                    answered = await self._talk()
                finally:
                    if not done.done():
                        done.set_result(answered)
                # Those who waited for this round take what it brought before the next one gives it up again: the
                # result passes the shield in one turn of the loop and wakes them in the next.
                for _ in range(3):
                    await asyncio.sleep(0)
        finally:
            self._running = None

    async def _talk(self) -> bool:
        """Tell the store what has changed and ask what is wanted."""
        begun = self._clock()
        purses = [purse for purse in (*self._old, *self._purses.values()) if self._due(purse, begun)]
        for at in range(0, len(purses), BATCH):
            batch = purses[at : at + BATCH]
            asks = [purse.ask() for purse in batch]
            try:
                turned = await asyncio.get_running_loop().run_in_executor(self.thread, self.store.turn, asks)
            except StoreAway as fault:
                self._gone(fault)
                return False
            except Exception as fault:  # noqa: BLE001  (a damaged book, say: nobody may be let in unchecked)
                self._gone(StoreAway(f"{self.store}: {type(fault).__name__}"))
                return False
            self._take_in(batch, asks, turned, begun)
        if self.away is not None:
            log.warning("the store of limits answers again: %s", self.store)
            self.away = None
        self._put_away(begun)
        return True

    def _take_in(self, batch: list[Purse], asks: list[Ask], turned: Turned, begun: float) -> None:
        self._offset = turned.now_ms - self._ticks()
        # As of when it was asked: a lease is believed in too short rather than too long.
        heard = int(begun * 1e3)
        for purse, ask, grant in zip(batch, asks, turned.grants, strict=True):
            purse.take_in(ask, grant, heard)
            self._told[purse] = begun

    def _due(self, purse: Purse, now: float) -> bool:
        if purse.asked_want or purse.total != purse.told:
            return True
        idle = purse.lease > purse.reserved
        renews = purse.reserved and now - self._told.get(purse, 0.0) >= RENEW_S
        return idle or bool(renews)

    def _gone(self, fault: StoreAway) -> None:
        self._retry_at = self._clock() + AWAY_S
        if self.away is None:
            log.error("the store of limits does not answer: %s", fault)
        self.away = str(fault)

    def _put_away(self, now: float) -> None:
        """Let go of purses that nothing will happen to any more."""
        wall = self.now()
        self._old = [
            p for p in self._old
            if p.flying or (p.busy and (p.cap.kind in MONEY or ends_ms(p.cap.kind, p.slot) > wall))
        ]  # fmt: skip
        for name, purse in list(self._purses.items()):
            if not purse.busy and not purse.flying and not purse.waiting and now - self._used[purse] > IDLE_S:
                del self._purses[name]
        living = {*self._old, *self._purses.values()}
        for noted in (self._used, self._told):
            for purse in [purse for purse in noted if purse not in living]:
                del noted[purse]

    # --- the beat

    def _beat(self) -> None:
        if self._beating is None:
            self._beating = asyncio.create_task(self._beats())

    async def _beats(self) -> None:
        """Report while there is anything to report; then end."""
        try:
            while any(purse.busy or purse.flying for purse in (*self._old, *self._purses.values())):
                await asyncio.sleep(BEAT_S)
                if self._clock() >= self._retry_at:
                    await self._round()
        finally:
            self._beating = None

    async def close(self) -> None:
        """Give everything back and let go of the store."""
        if self._beating is not None:
            self._beating.cancel()
        if self.away is None and any(purse.busy for purse in (*self._old, *self._purses.values())):
            for _ in range(3):  # one may be under way, and one still keeps what was just in use
                await self._round()
        await asyncio.get_running_loop().run_in_executor(self.thread, self.store.close)
        self.thread.shutdown()
