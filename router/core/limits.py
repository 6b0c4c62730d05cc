"""Limits as pure state machines: what the store keeps of one (``Book``), and what a cell holds of it (``Purse``).

A *meter* is one bound on one subject: requests or tokens in a sliding minute, calls in parallel, money in a calendar
day or month (UTC). Its book says what was used and what is *leased*: set aside for a cell, which may then spend it
without asking again. The law that every step keeps:

    used + all leases <= limit          (unless an upstream charged more than the bound that was reserved)

so whatever cells do with their leases, and whenever one of them dies, the limit holds. A cell reports its spending as a
running total, so a report that is repeated counts once. A lease of money that its cell never gave back stays counted
until its day or month ends, because nobody knows what was bought with it; one of calls in parallel ends with its cell.

Time is milliseconds by the store's clock: since the epoch where windows are meant; whether a cell still lives goes by a
clock that nobody sets, where the store has one. Amounts are requests, tokens, calls or nano-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

Kind = Literal["requests", "tokens", "parallel", "day", "month"]
MONEY: Final[frozenset[Kind]] = frozenset({"day", "month"})
MINUTE: Final[frozenset[Kind]] = frozenset({"requests", "tokens"})

SLOT_MS: Final = 5_000
SLOTS: Final = 12  # of a minute. One more is counted, so that no 60 seconds hold more than the limit.
TTL_MS: Final = 10_000  # a cell that was not heard for so long is dead
_HUNGER_MS: Final = 1_000  # how long others keep nothing in hand after somebody found nothing
_SPARE: Final = 16  # of what is left, this part may be kept in hand: near the limit nothing is
_FORGET_MS: Final = 3_600_000


_Count = Annotated[int, msgspec.Meta(ge=1)]
_Usd = Annotated[float, msgspec.Meta(gt=0)]


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one key, team or tenant may use; None is without limit. Money in USD, as people write it."""

    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    parallel: _Count | None = None
    usd_per_day: _Usd | None = None
    usd_per_month: _Usd | None = None

    def over(self, usual: Allowance | None) -> Allowance:
        """This one, and ``usual`` where it says nothing."""
        if usual is None:
            return self
        own = {name: getattr(self, name) for name in self.__struct_fields__}
        return Allowance(**{k: getattr(usual, k) if v is None else v for k, v in own.items()})

    def caps(self, subject: str) -> tuple[Cap, ...]:
        """Its meters."""
        found: list[Cap] = []
        for kind, name in FIELDS.items():
            value = getattr(self, name)
            if value is not None:
                found.append(Cap(subject, kind, round(value * 1e9) if kind in MONEY else value))
        return tuple(found)


FIELDS: Final[Mapping[Kind, str]] = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "parallel": "parallel",
    "day": "usd_per_day",
    "month": "usd_per_month",
}


class Cap(NamedTuple):
    """One meter: ``key:ID``, ``team:TENANT/NAME`` or ``tenant:NAME``; what is counted; how much there may be."""

    subject: str
    kind: Kind
    limit: int


# --- time ------------------------------------------------------------------------------------------------


def slot_of(kind: Kind, now_ms: int) -> int:
    """Which window, or part of a sliding one, ``now_ms`` lies in."""
    if kind in MINUTE:
        return now_ms // SLOT_MS
    if kind == "parallel":
        return 0
    if kind == "day":
        return now_ms // 86_400_000
    day = datetime.fromtimestamp(now_ms / 1e3, UTC)
    return day.year * 12 + day.month - 1


def ends_ms(kind: Kind, slot: int) -> int:
    """When what was used in ``slot`` no longer counts."""
    if kind in MINUTE:
        return (slot + SLOTS + 1) * SLOT_MS
    if kind == "day":
        return (slot + 1) * 86_400_000
    if kind == "month":
        year, month = divmod(slot + 1, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1e3)
    return 0


def _counts(kind: Kind, slot: int, at: int) -> bool:
    """Whether what was used in ``slot`` counts for a use in the slot ``at``."""
    return abs(slot - at) <= SLOTS if kind in MINUTE else slot == at


# --- what the store keeps --------------------------------------------------------------------------------


class Lease(msgspec.Struct, array_like=True):
    """What a purse holds: ``amount``; ``told``, the running total it reported; ``until`` it is believed to live."""

    amount: int
    told: int
    until: int


class Book(msgspec.Struct, omit_defaults=True):
    """One meter in the store. By slot: what was used, and who holds what.

    ``hungry`` is until when cells are asked to keep nothing in hand, because one of them found nothing.
    """

    used: dict[int, int] = {}
    leases: dict[int, dict[str, Lease]] = {}
    hungry: int = 0


class Ask(msgspec.Struct, frozen=True):
    """What a purse reports of its meter and wants of it.

    Attributes:
        holder: the purse's own name; nobody else ever bears it.
        total: all that it has used in this slot, since it first asked.
        keep: what it must keep of its lease: it is reserved for calls in progress.
        floor, want: what it needs beyond that: at least, and if there is enough.
        spare: what it would like to have in hand.
    """

    holder: str
    cap: Cap
    slot: int
    total: int
    keep: int
    floor: int = 0
    want: int = 0
    spare: int = 0


class Grant(NamedTuple):
    """The answer.

    Attributes:
        amount: what the cell holds now.
        left: what nobody has used or holds.
        others: what other cells hold, dead ones left out: it may come back.
        hungry: keep nothing in hand.
        gone: what was used, or died with its cell: it will not come back.
        frees: when so much will have become free that ``floor`` fits, as far as that can be known.
    """

    amount: int
    left: int
    others: int
    hungry: bool
    gone: int
    frees: int


def turn(book: Book, ask: Ask, now_ms: int, alive_ms: int | None = None) -> Grant:
    """Book a report and answer it; changes ``book``. The same ask twice is as good as once.

    ``alive_ms`` is the clock by which leases are believed to live; the same as ``now_ms`` where there is no other.
    """
    kind, slot, holder = ask.cap.kind, ask.slot, ask.holder
    alive = now_ms if alive_ms is None else alive_ms
    _forget(book, kind, now_ms, alive)
    holders = book.leases.setdefault(slot, {})
    mine = holders.get(holder) or Lease(0, 0, 0)
    book.used[slot] = book.used.get(slot, 0) + ask.total - mine.told
    used = sum(amount for at, amount in book.used.items() if _counts(kind, at, slot))
    others = [
        lease
        for at, held in book.leases.items()
        if _counts(kind, at, slot)
        for name, lease in held.items()
        if name != holder
    ]
    room = ask.cap.limit - used - sum(lease.amount for lease in others) - ask.keep
    extra, short = 0, room < ask.floor
    if not short and room > 0:
        # Of money a call may be given less than it wants, so that the next one finds some, too.
        extra = min(ask.want, max(ask.floor, room // 2) if kind in MONEY else room)
        if not _ahead(book.hungry, alive, _HUNGER_MS):
            extra += min(ask.spare, (room - extra) // _SPARE)
    living = sum(lease.amount for lease in others if _ahead(lease.until, alive, TTL_MS))
    if short and living:
        book.hungry = alive + _HUNGER_MS
    holders[holder] = Lease(ask.keep + extra, ask.total, alive + TTL_MS)
    frees = _frees(book, kind, slot, ask.floor - room) if short else now_ms
    dead = sum(lease.amount for lease in others) - living
    hungry = _ahead(book.hungry, alive, _HUNGER_MS)
    return Grant(ask.keep + extra, max(0, room - extra), living, hungry, used + dead, frees)


def _ahead(until: int, now: int, most: int) -> bool:
    """Whether ``until`` is still to come. What lies further ahead than it was ever set is of another boot."""
    return now < until <= now + 2 * most


def _forget(book: Book, kind: Kind, now_ms: int, alive: int) -> None:
    """Drop what counts no more."""
    if kind == "parallel":
        for slot, held in book.leases.items():
            book.leases[slot] = {name: x for name, x in held.items() if _ahead(x.until, alive, TTL_MS)}
        book.used.clear()
        return
    here = slot_of(kind, now_ms)
    near = SLOTS + 1 if kind in MINUTE else 1  # clocks of cells may differ, and jump
    book.used = {slot: amount for slot, amount in book.used.items() if abs(slot - here) <= near}
    leases: dict[int, dict[str, Lease]] = {}
    for slot, held in book.leases.items():
        if abs(slot - here) <= near:
            leases[slot] = {
                name: x for name, x in held.items() if x.amount or _ahead(x.until, alive - _FORGET_MS, _FORGET_MS)
            }
    book.leases = leases


def _frees(book: Book, kind: Kind, slot: int, lacking: int) -> int:
    """When ``lacking`` more will have left the window; for money, its end; 0 where time alone frees nothing."""
    if kind in MINUTE:
        for at in sorted(at for at in {*book.used, *book.leases} if _counts(kind, at, slot)):
            lacking -= book.used.get(at, 0) + sum(x.amount for x in book.leases.get(at, {}).values())
            if lacking <= 0:
                return ends_ms(kind, at)
    return ends_ms(kind, slot)


class State(NamedTuple):
    """A book in words, for people."""

    used: int
    leased: int
    forfeited: int
    ends: int


def state_of(book: Book, kind: Kind, now_ms: int) -> State:
    """What was used, what living cells hold, and what died with theirs."""
    slot = slot_of(kind, now_ms)
    used = sum(amount for at, amount in book.used.items() if _counts(kind, at, slot) and at <= slot)
    held = [x for at, names in book.leases.items() if _counts(kind, at, slot) for x in names.values()]
    living = sum(x.amount for x in held if _ahead(x.until, now_ms, TTL_MS))
    dead = 0 if kind == "parallel" else sum(x.amount for x in held) - living
    return State(used, living, dead, ends_ms(kind, slot))


# --- what a cell holds -----------------------------------------------------------------------------------


class Purse:
    """A cell's part of one meter in one slot. Memory only; ``ask`` and ``take_in`` are its talk with the store.

    Attributes:
        name: who it is in the store.
        lease: what the store has set aside for us, as of ``told``.
        reserved: of it, for calls in progress.
        total, told: what was used in all, and what of it the store knows.
        left, others: as the store last said.
        flying: calls in progress that may give something back.
        waiting: requests in line.
    """

    __slots__ = (
        "_taken",
        "asked_floor",
        "asked_want",
        "cap",
        "flying",
        "frees",
        "gone",
        "heard",
        "hungry",
        "lease",
        "left",
        "name",
        "others",
        "reserved",
        "slot",
        "told",
        "total",
        "until",
        "waiting",
    )

    def __init__(self, name: str, cap: Cap, slot: int) -> None:
        self.name, self.cap, self.slot = name, cap, slot
        self.lease = self.reserved = self.total = self.told = 0
        self.left, self.others, self.frees, self.until = cap.limit, 0, 0, 0
        self.flying = self.waiting = self.gone = 0
        self.hungry = self.heard = False
        self.asked_floor = self.asked_want = self._taken = 0

    def free(self, now_ms: int) -> int:
        """What may be taken now. Calls in parallel need a lease that is still believed in."""
        if self.cap.kind == "parallel" and now_ms >= self.until:
            return 0
        return self.lease - self.reserved - (self.total - self.told)

    def take(self, amount: int) -> None:
        """Take it for a call. Requests and tokens count from now on; money and calls when they are settled."""
        if self.cap.kind in MINUTE:
            self.total += amount
        else:
            self.reserved += amount
        self.flying += 1
        self._taken += amount

    def settle(self, amount: int, actual: int) -> None:
        """The call is over: of ``amount`` taken, ``actual`` was used. Calls in parallel use nothing up."""
        self.flying -= 1
        if self.cap.kind in MINUTE:
            self.total += actual - amount
            return
        self.reserved -= amount
        if self.cap.kind != "parallel":
            self.total += actual

    @property
    def busy(self) -> bool:
        """Whether the store has something to learn or to renew."""
        return bool(self.lease or self.reserved or self.total != self.told or self.asked_floor or self.asked_want)

    def ask(self) -> Ask:
        """Report and ask. What is not kept is given up here and now: while the store thinks, nobody may take it."""
        unreported = self.total - self.told
        free = max(0, self.lease - self.reserved - unreported)
        spare = 0 if self.hungry else self._taken
        in_hand = min(free, spare)
        self.lease = self.reserved + unreported + in_hand
        ask = Ask(
            self.name, self.cap, self.slot, self.total, self.reserved + in_hand,
            max(0, self.asked_floor - in_hand), max(0, self.asked_want - in_hand), max(0, spare - in_hand),
        )  # fmt: skip
        self.asked_floor = self.asked_want = self._taken = 0
        return ask

    def take_in(self, ask: Ask, grant: Grant, now_ms: int) -> None:
        """The store's answer; ``now_ms`` is when it was asked, by the clock that ``free`` goes by."""
        self.lease, self.told = grant.amount, ask.total
        self.left, self.others, self.hungry, self.frees = grant.left, grant.others, grant.hungry, grant.frees
        self.gone, self.until, self.heard = grant.gone, now_ms + TTL_MS, True

    def hope(self) -> int:
        """What there would be if everything came back that may."""
        return self.cap.limit - self.gone - (self.total - self.told)

    def remaining(self) -> int:
        """What this cell may still use, as far as it knows."""
        return max(0, self.left + self.lease - self.reserved - (self.total - self.told))
