"""Who is inside a process, written into bytes that outlive it; nothing but names of tenants and counts.

The bytes come from outside: a file mapped into memory in the gateway (what was written there survives the death of the
process, for the pages are the kernel's), a plain ``bytearray`` in a simulation. Coming and going cost a few steps in
memory each. ``tick`` is called every ``TICK`` seconds and keeps, for each tenant, the share of the time in which it was
inside and how often it came, both fading over a minute: what a crash says depends on them.

The layout, in the machine's own byte order, because nobody else reads it:

    head      8 bytes magic; words: process id, open, at work, ticks, records used, kills; a double: born (seconds)
    records   128 bytes each: words inside, last tick; doubles present, came; word length of name; the name at 32
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import exp
from typing import Final

from router.core.resilience.crashes import Crash, Trace

TICK: Final = 0.25  # seconds
MOST: Final = 4096  # tenants of a note
_FADE: Final = exp(-TICK / 60.0)  # from tick to tick
_FULL: Final = 1 / (1 - _FADE)  # ticks that count, in the long run
_STRETCH: Final = 0.002  # seconds that a request is at work before a model is asked; about twice what is measured
_USUAL: Final = 5.0  # requests a second of a tenant of whom nothing is known yet
_RARELY, _BRIEFLY = 0.01, 0.001  # shares below which nothing is told apart
_MAGIC: Final = b"inside 1"
_HEAD, _RECORD = 64, 128
_PID, _OPEN, _WORK, _TICKS, _USED, _KILLS = range(2, 8)  # words
OPEN_AT: Final = 8  # the byte at which process id and open stand
_BORN = 4  # double


def size_of(most: int = MOST) -> int:
    """Bytes of a note for so many tenants."""
    return _HEAD + most * _RECORD


class Inside:
    """One process's note. What an earlier process left in it stays until ``clear``.

    Attributes:
        lost: requests that could not be noted, because more tenants were inside than there are records.
    """

    __slots__ = ("_bytes", "_came", "_doubles", "_slots", "_there", "_words", "lost")

    def __init__(self, memory: bytearray | memoryview) -> None:
        view = memoryview(memory)
        self._bytes, self._words, self._doubles = view, view.cast("I"), view.cast("d")
        if bytes(view[:8]) != _MAGIC:
            view[:] = bytes(len(view))
            view[:8] = _MAGIC
        self._slots = {self._name(slot): slot for slot in range(self._words[_USED])}
        self._came: dict[int, int] = {}  # record -> requests since the last tick
        self._there: set[int] = set()  # inside at the last tick
        self.lost = 0

    # --- the life of a process

    @property
    def process(self) -> int:
        """The process that wrote it."""
        return self._words[_PID]

    @property
    def open(self) -> bool:
        """Whether a process lives in it, or has died in it."""
        return bool(self._words[_OPEN])

    @property
    def born(self) -> float:
        """When that process began, seconds."""
        return self._doubles[_BORN]

    @property
    def kills(self) -> int:
        """How many processes the kernel had ended for want of memory, when it last looked."""
        return self._words[_KILLS]

    @kills.setter
    def kills(self, count: int) -> None:
        self._words[_KILLS] = count

    def begin(self, process: int, now: float) -> None:
        """A process moves in."""
        self.clear()
        self._words[_PID], self._doubles[_BORN] = process, now
        self._words[_OPEN] = 1

    def excuse(self) -> None:
        """The process was told to stop: however it ends from now on, nobody is suspected for it."""
        self._words[_OPEN] = 0

    def clear(self) -> None:
        """Nobody is inside, and all is well. What is known of the tenants stays."""
        words = self._words
        words[_OPEN] = words[_WORK] = 0
        for slot in range(words[_USED]):
            words[_at(slot)] = 0

    def release(self) -> None:
        """Let go of the memory, so that a file can be closed."""
        for view in (self._words, self._doubles, self._bytes):
            view.release()

    # --- requests

    def enter(self, tenant: str) -> int:
        """A request is let in and gets to work. Gives back its record; -1: there is none, and no ``leave`` is said."""
        slot = self._slots.get(tenant, -1)
        if slot < 0:
            slot = self._new(tenant)
            if slot < 0:
                return slot
        words = self._words
        words[16 + 32 * slot] += 1
        words[_WORK] = slot + 1
        came = self._came
        came[slot] = came.get(slot, 0) + 1
        return slot

    def waits(self, slot: int) -> None:
        """It is not at work any more: it waits for a model."""
        if self._words[_WORK] == slot + 1:
            self._words[_WORK] = 0

    def leave(self, slot: int) -> None:
        """It is over."""
        words = self._words
        words[16 + 32 * slot] -= 1
        if words[_WORK] == slot + 1:
            words[_WORK] = 0

    def tick(self) -> None:
        """``TICK`` seconds have passed. Costs a step for each tenant who came, or was there."""
        words, doubles, there = self._words, self._doubles, set()
        came, self._came = self._came, {}
        words[_TICKS] = now = words[_TICKS] + 1
        for slot in self._there.union(came):
            at = 16 + 32 * slot
            last, half = words[at + 1], at // 2
            fade = _FADE if last == now - 1 else _FADE ** (now - last)
            doubles[half + 2] = doubles[half + 2] * fade + came.get(slot, 0)
            if words[at]:
                there.add(slot)
                doubles[half + 1] = doubles[half + 1] * fade + 1
            else:
                doubles[half + 1] *= fade
            words[at + 1] = now
        self._there = there

    # --- what is told of it

    def inside(self) -> dict[str, int]:
        """Tenant -> how many of its requests are inside."""
        return {name: self._words[_at(slot)] for name, slot in self._slots.items() if self._words[_at(slot)]}

    def share(self, tenant: str) -> float:
        """The part of the time in which a tenant had a request inside; half, where nothing is known."""
        present, _ = self._faded(self._slots[tenant])
        return min(1.0, max(_RARELY, (present + 0.5) / (self._known() + 1)))

    def stretch(self, tenant: str) -> float:
        """The part of the time in which one of its requests was at work: how often it comes, times how long."""
        _, arrived = self._faded(self._slots[tenant])
        rate = (arrived + _USUAL * TICK) / ((self._known() + 1) * TICK)
        return min(1.0, max(_BRIEFLY, _STRETCH * rate))

    def ended(self, cell: str, now: float, trace: Trace = "") -> Crash | None:
        """What is to be said of the process that wrote it and is dead; None where it ended well.

        Args:
            cell: its name.
            now: seconds, when it was found.
            trace: what its end left behind.
        """
        if not self.open:
            return None
        inside = self.inside()
        work = self._words[_WORK]
        at_work = self._name(work - 1) if work else ""
        return Crash(
            cell=cell, at=now, born=self.born, trace=trace,
            inside={name: self.share(name) for name in inside},
            away=tuple(name for name in self._slots if name not in inside),
            at_work=at_work if at_work in inside else "",
            stretch=self.stretch(at_work) if at_work in inside else 1.0,
        )  # fmt: skip

    # --- records

    def _known(self) -> float:
        """Ticks that count."""
        return _FULL * (1 - _FADE ** self._words[_TICKS])

    def _faded(self, slot: int) -> tuple[float, float]:
        """Present and came, as they are now."""
        at = _at(slot)
        fade = _FADE ** (self._words[_TICKS] - self._words[at + 1])
        return self._doubles[at // 2 + 1] * fade, self._doubles[at // 2 + 2] * fade

    def _name(self, slot: int) -> str:
        begin = _HEAD + slot * _RECORD
        length = min(self._words[_at(slot) + 6], _RECORD - 32)
        return bytes(self._bytes[begin + 32 : begin + 32 + length]).decode("utf-8", "replace")

    def _new(self, tenant: str) -> int:
        """A record for a tenant, if need be that of one who has not been seen for longest."""
        name = tenant.encode("utf-8", "replace")
        words, used = self._words, self._words[_USED]
        slot = used
        if len(name) > _RECORD - 32:
            slot = -1
        elif _HEAD + (used + 1) * _RECORD > len(self._bytes):
            slot = min(self._free(), key=lambda free: words[_at(free) + 1], default=-1)
        if slot < 0:
            self.lost += 1
            return slot
        if slot < used:
            del self._slots[self._name(slot)]
        begin = _HEAD + slot * _RECORD
        struct.pack_into(f"IIddII{len(name)}s", self._bytes, begin, 0, words[_TICKS], 0.0, 0.0, len(name), 0, name)
        words[_USED] = max(used, slot + 1)  # last, so that nobody finds a record without a name
        self._slots[tenant] = slot
        return slot

    def _free(self) -> Iterator[int]:
        """Records of those who are not inside, and were not just now."""
        busy = self._there.union(self._came)
        return (slot for slot in range(self._words[_USED]) if not self._words[_at(slot)] and slot not in busy)


def _at(slot: int) -> int:
    """The first word of a record."""
    return (_HEAD + slot * _RECORD) // 4
