"""At the door: a place for each request, or a quick no; and how long its caller will wait.

Where a place is free this takes two dictionary steps and no await.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING

from router.core.resilience import RANKS, Limit, Rank, seconds_of
from router.core.resilience.deadline import NONE
from router.errors import BadRequest, Forbidden, Overloaded, StillhouseError, TooManyAtOnce

if TYPE_CHECKING:
    from router.registry.keys import Key
    from router.serve.cell import Cell
    from router.serve.http.exchange import Incoming
    from router.serve.story import Story

TIMEOUT = b"x-stillhouse-timeout"
PRIORITY = b"x-stillhouse-priority"
_PYTHON = b"x-stainless-read-timeout"
_NODE = b"x-stainless-timeout"


async def admit(cell: Cell, incoming: Incoming, story: Story, key: Key | None) -> None:
    """Take a place at the caller's gate, waiting for one if the queue has room. ``story.finish`` gives it back.

    Raises:
        BadRequest: a header of the two is malformed.
        Forbidden: the key may not ask for this class.
        Overloaded: the cell is full. TooManyAtOnce: the tenant's own part of it is.
        Quarantined: its requests are the likely cause of crashes.
    """
    if cell.quarantine is not None:
        cell.quarantine.check(story.tenant)
    headers = incoming.headers
    story.limit = _limit(headers.get(TIMEOUT), headers.get(_PYTHON) or headers.get(_NODE))
    said = headers.get(PRIORITY)
    rank: Rank = "default" if said is None else _rank(said, key)
    bulkhead = cell.shield.bulkhead(story.tenant)
    story.gate = gate = cell.shield.gates[bulkhead]
    story.entry = entry = gate.enter(cell.clock(), story.tenant, rank)
    if entry.state == "waiting":
        waiter = asyncio.get_running_loop().create_future()
        entry.wake = lambda: None if waiter.done() else waiter.set_result(None)
        try:
            async with asyncio.timeout(min(cell.settings.server.queue_seconds, story.limit.total, story.limit.first)):
                await waiter
        except TimeoutError:
            pass
        entry.wake = None
    if entry.state != "inside":
        gate.leave(entry, cell.clock())
        shed = cell.shield.shed
        shed[bulkhead, rank] = shed.get((bulkhead, rank), 0) + 1
        raise _turned_away(bulkhead, full=gate.inside >= gate.places)
    if cell.quarantine is not None:
        cell.quarantine.enter(story)


@lru_cache(maxsize=256)
def _limit(own: bytes | None, library: bytes | None) -> Limit:
    """What the caller says about time. What a client library says by itself is no request, so nonsense is let be."""
    if own is None and library is None:
        return NONE
    total = inf
    if own is not None:
        seconds = seconds_of(own.decode("latin-1"))
        if seconds is None:
            name = TIMEOUT.decode()
            raise BadRequest(f"The header '{name}' must be a number of seconds above 0.", param=name)
        total = seconds
    first = seconds_of(library.decode("latin-1")) if library is not None else None
    return Limit(total=total, first=first or inf)


def _rank(said: bytes, key: Key | None) -> Rank:
    """The class that a caller asks for. Anybody may step back; to go before others a key must allow it."""
    word, name = said.decode("latin-1").strip(), PRIORITY.decode()
    rank = next((rank for rank in RANKS if rank == word), None)
    if rank is None:
        raise BadRequest(f"The header '{name}' must be one of {', '.join(RANKS)}.", param=name)
    if rank == "critical" and key is not None and "priority" not in key.headers:
        raise Forbidden(f"The API key {key.id} may not send the header '{name}: {rank}'.", param=name)
    return rank


def _turned_away(bulkhead: str, *, full: bool) -> StillhouseError:
    if bulkhead or not full:
        words = "Too many of your requests are under way at once; try again in a moment."
        return TooManyAtOnce(words, retry_after="1")
    return Overloaded("The gateway is full; try again in a moment.", retry_after="1")
