"""The answers of ``/v1/responses`` that one process keeps, so that a conversation can name what came before.

Bounded in bytes and in time, and apart by tenant: where there is no room, the tenant that holds most loses what it has
not used for longest. Kept in memory alone: nothing of a prompt reaches a disk, and nothing outlives a restart.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from router.core.surfaces.fields import Json
from router.core.surfaces.responses import Kept
from router.errors import NotFound

_BESIDE = 512  # bytes that an entry takes beside its own


class _Held(msgspec.Struct):
    kept: Kept
    until: float

    @property
    def size(self) -> int:
        return len(self.kept.body) + len(self.kept.items) + _BESIDE


class Answers:
    """Tenant -> answer id -> the answer, the latest used last.

    Args:
        room: bytes; 0 keeps nothing.
        seconds: how long an answer is kept after it was last used.
        clock: monotonic seconds.
    """

    def __init__(self, room: int, seconds: float, clock: Callable[[], float]) -> None:
        self._room, self._seconds, self._clock = room, seconds, clock
        self._held: dict[str, OrderedDict[str, _Held]] = {}
        self._sizes: dict[str, int] = {}
        self.size = 0
        self._lock = threading.RLock()  # a big body is read by a worker, which looks up what came before

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def keep(self, tenant: str, kept: Kept) -> None:
        """Keep an answer, and make room for it. One that would fill a quarter of all room is not kept."""
        entry = _Held(kept, self._clock() + self._seconds)
        if entry.size > self._room // 4:
            return
        with self._lock:
            self._drop(tenant, kept.id)
            self._held.setdefault(tenant, OrderedDict())[kept.id] = entry
            self._count(tenant, entry.size)
            while self.size > self._room:
                fullest = max(self._sizes, key=self._sizes.__getitem__)
                self._drop(fullest, next(iter(self._held[fullest])))

    def get(self, tenant: str, answer_id: str) -> Kept | None:
        """A tenant's answer, which is thereby used; None where it is not kept."""
        with self._lock:
            entry = self._held.get(tenant, OrderedDict()).get(answer_id)
            if entry is None:
                return None
            now = self._clock()
            if entry.until <= now:
                self._drop(tenant, answer_id)
                return None
            entry.until = now + self._seconds
            self._held[tenant].move_to_end(answer_id)
            return entry.kept

    def drop(self, tenant: str, answer_id: str) -> bool:
        """Forget an answer; False where it was not kept."""
        with self._lock:
            there = self.get(tenant, answer_id) is not None
            self._drop(tenant, answer_id)
            return there

    def sweep(self) -> None:
        """Forget what has not been used for too long. Called again and again, beside the requests."""
        now = self._clock()
        with self._lock:
            for tenant in list(self._held):
                while (held := self._held.get(tenant)) and (first := next(iter(held.values()))).until <= now:
                    self._drop(tenant, first.kept.id)

    def _drop(self, tenant: str, answer_id: str) -> None:
        held = self._held.get(tenant)
        entry = held.pop(answer_id, None) if held is not None else None
        if entry is not None:
            self._count(tenant, -entry.size)
        if held is not None and not held:
            del self._held[tenant]
            self._sizes.pop(tenant, None)

    def _count(self, tenant: str, size: int) -> None:
        self.size += size
        self._sizes[tenant] = self._sizes.get(tenant, 0) + size


class TenantShelf:
    """The answers of one tenant, as the surface wants them."""

    def __init__(self, answers: Answers, tenant: str) -> None:
        self._answers, self._tenant = answers, tenant

    def before(self, response_id: str) -> list[Json]:
        """Every item of a conversation up to this answer's own output.

        Raises:
            NotFound: it, or an answer before it, is not kept.
        """
        turns: list[Kept] = []
        at = response_id
        while at:
            turns.append(self._found(at, "previous_response_id"))
            at = turns[-1].before
        items: list[Json] = []
        for kept in reversed(turns):
            items += msgspec.json.decode(kept.items, type=list[Json])
            items += _output(kept)
        return items

    def item(self, item_id: str) -> Json:
        """One item of a kept answer's output. Its id holds that of the answer.

        Raises:
            NotFound: it is not kept.
        """
        mark = item_id.partition("_")[2][:-4]
        kept = self._found(f"resp_{mark}", "input", f"item {item_id[:80]!r}")
        for item in _output(kept):
            if item.get("id") == item_id:
                return item
        raise _missing(f"item {item_id[:80]!r}", "input")

    def keep(self, kept: Kept) -> None:
        """Keep an answer."""
        self._answers.keep(self._tenant, kept)

    def _found(self, answer_id: str, param: str, what: str = "") -> Kept:
        kept = self._answers.get(self._tenant, answer_id)
        if kept is None:
            raise _missing(what or f"response {answer_id[:80]!r}", param)
        return kept


def empty_shelf() -> TenantShelf:
    """One on which nothing lies and nothing stays."""
    return TenantShelf(Answers(0, 0.0, lambda: 0.0), "")


def _output(kept: Kept) -> list[Json]:
    output: list[Json] = msgspec.json.decode(kept.body)["output"]
    return output


def _missing(what: str, param: str) -> NotFound:
    words = f"The {what} is not kept here: this gateway keeps answers for a while, in memory. Send all of 'input'."
    return NotFound(words, param=param)
