"""Work on big bodies, off the event loop: what takes longer than a few milliseconds must not hold up other callers.

Only pure work goes to a worker thread (reading a body, looking for findings in a text); what touches the cell's state
stays on the loop. Threads share the interpreter, so the longest single step of C code is what others may still wait
for: see docs/benchmarks.md for what was measured. How many work at once, who is next, and who has had enough, is what
``router.core.resilience.workers`` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from router.errors import Overloaded, StillhouseError, TooManyAtOnce
from router.serve.guards.verdicts import SHORT

if TYPE_CHECKING:
    from guardrails import Finding, Rails
    from guardrails.run import Hurry
    from router.core.resilience import Piece, Workers
    from router.core.wire import TextSite
    from router.serve.story import Story

P = ParamSpec("P")
T = TypeVar("T")

MANY = 256  # texts that are guarded on the loop
AT_ONCE = 128 * 1024  # bytes of a body that are read, or code points that are guarded, on the loop: some 5 ms of work


async def aside(story: Story, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``work``, done in a worker where it is about more than ``AT_ONCE``.

    Raises:
        TooManyAtOnce, Overloaded: the tenant, or all together, brought more than workers can do soon.
    """
    if size <= AT_ONCE:
        return work(*args, **kwargs)
    return await in_turn(story, size, partial(work, *args, **kwargs))


async def in_turn(story: Story, size: int, work: Callable[[], T]) -> T:
    """Work about ``size`` bytes in a worker, when it is this tenant's turn.

    Who leaves while it is done leaves a thread that works on, so the worker is free only at the work's own end.

    Raises:
        TooManyAtOnce, Overloaded: as above, and only for the first work of a request.
    """
    cell, tenant = story.cell, story.tenant
    workers, clock = cell.shield.workers, cell.clock
    piece = workers.ask(tenant, size, known=story.heavy)
    if piece.state == "away":
        raise turned_away(workers, tenant, size)
    story.heavy = True
    if piece.state == "waiting":
        since = clock()
        await _turn_of(piece, workers)
        story.waited += clock() - since
    began = clock()
    task = asyncio.ensure_future(asyncio.to_thread(work))

    def ended(done: asyncio.Future[T]) -> None:
        workers.end(piece, clock() - began)
        if not done.cancelled():
            done.exception()  # it is raised below, where anybody still waits for it

    task.add_done_callback(ended)
    return await asyncio.shield(task)


async def _turn_of(piece: Piece, workers: Workers) -> None:
    waiter = asyncio.get_running_loop().create_future()
    piece.wake = lambda: None if waiter.done() else waiter.set_result(None)
    try:
        await waiter
    except asyncio.CancelledError:
        workers.end(piece, 0.0)
        raise


def turned_away(workers: Workers, tenant: str, size: int) -> StillhouseError:
    """The refusal of heavy work, with the time after which it may come again."""
    wait = str(ceil(workers.full(tenant, size)))
    if workers.has_work_of(tenant):
        words = "Large requests of yours are being worked on already; try again in a moment."
        return TooManyAtOnce(words, retry_after=wait)
    return Overloaded("The gateway has as many large requests as it can work on.", retry_after=wait)


async def look_ahead(story: Story, rails: Rails, sites: list[TextSite], size: int, hurry: Hurry) -> None:
    """Look for findings in a worker where texts are long or many, so that the guards find them there.

    Short texts are not remembered and each is little work, yet thousands in one body would hold the loop for seconds:
    they are kept for this request.
    """
    verdicts, tenant = story.cell.verdicts, story.tenant
    if size > AT_ONCE:
        await foresee(story, rails, sites, hurry)
    if rails.empty or len(sites) <= MANY:
        return
    unknown: list[TextSite] = []
    for at, site in enumerate(sites):
        if at % MANY == 0:
            await asyncio.sleep(0)
        if len(site.text) < SHORT or verdicts.known(tenant, verdicts.name(rails, site.text, site.role)) is None:
            unknown.append(site)
    story.hurry_in = hurry
    length = sum(len(site.text) for site in unknown)
    story.foreseen = await in_turn(story, length, partial(_find_all, rails, unknown, hurry))


def _find_all(rails: Rails, sites: list[TextSite], hurry: Hurry) -> dict[tuple[str, str], tuple[Finding, ...]]:
    found: dict[tuple[str, str], tuple[Finding, ...]] = {}
    for site in sites:
        if (site.role, site.text) not in found:
            found[site.role, site.text] = rails.find(site.text, site.role, hurry)
            if hurry():
                break
    return found


async def foresee(story: Story, rails: Rails, sites: list[TextSite], hurry: Hurry) -> None:
    """Look for findings in long texts in a worker, so that the guards find them remembered."""
    if rails.empty:
        return
    verdicts, tenant = story.cell.verdicts, story.tenant
    for site in sites:
        if len(site.text) > AT_ONCE:
            name = await in_turn(story, len(site.text), partial(verdicts.name, rails, site.text, site.role))
            if verdicts.known(tenant, name) is None:
                find = partial(rails.find, site.text, site.role, hurry)
                verdicts.keep(tenant, name, await in_turn(story, len(site.text), find))
