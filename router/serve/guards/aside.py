"""Work on big bodies, off the event loop: what takes longer than a few milliseconds must not hold up other callers.

Only pure work goes to a worker thread (reading a body, looking for findings in a text); what touches the cell's state
stays on the loop. Threads share the interpreter, so the longest single step of C code is what others may still wait
for: see docs/benchmarks.md for what was measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from router.serve.guards.verdicts import SHORT

if TYPE_CHECKING:
    from guardrails import Finding, Rails
    from guardrails.run import Hurry
    from router.core.wire import TextSite
    from router.serve.guards.verdicts import Verdicts
    from router.serve.story import Story

P = ParamSpec("P")
T = TypeVar("T")

MANY = 256  # texts that are guarded on the loop
AT_ONCE = 128 * 1024  # bytes of a body that are read, or code points that are guarded, on the loop: some 5 ms of work


async def aside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``work``, done in a worker where it is about more than ``AT_ONCE``."""
    if size <= AT_ONCE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


async def look_ahead(story: Story, rails: Rails, sites: list[TextSite], size: int, hurry: Hurry) -> None:
    """Look for findings in a worker where texts are long or many, so that the guards find them there.

    Short texts are not remembered and each is little work, yet thousands in one body would hold the loop for seconds:
    they are kept for this request.
    """
    verdicts, tenant = story.cell.verdicts, story.tenant
    if size > AT_ONCE:
        await foresee(verdicts, rails, tenant, sites, hurry)
    if rails.empty or len(sites) <= MANY:
        return
    unknown: list[TextSite] = []
    for at, site in enumerate(sites):
        if at % MANY == 0:
            await asyncio.sleep(0)
        if len(site.text) < SHORT or verdicts.known(tenant, verdicts.name(rails, site.text, site.role)) is None:
            unknown.append(site)
    story.hurry_in = hurry
    story.foreseen = await asyncio.to_thread(_find_all, rails, unknown, hurry)


def _find_all(rails: Rails, sites: list[TextSite], hurry: Hurry) -> dict[tuple[str, str], tuple[Finding, ...]]:
    found: dict[tuple[str, str], tuple[Finding, ...]] = {}
    for site in sites:
        if (site.role, site.text) not in found:
            found[site.role, site.text] = rails.find(site.text, site.role, hurry)
            if hurry():
                break
    return found


async def foresee(verdicts: Verdicts, rails: Rails, tenant: str, sites: list[TextSite], hurry: Hurry) -> None:
    """Look for findings in long texts in a worker, so that the guards find them remembered."""
    if rails.empty:
        return
    for site in sites:
        if len(site.text) > AT_ONCE:
            name = await asyncio.to_thread(verdicts.name, rails, site.text, site.role)
            if verdicts.known(tenant, name) is None:
                found = await asyncio.to_thread(rails.find, site.text, site.role, hurry)
                verdicts.keep(tenant, name, found)
