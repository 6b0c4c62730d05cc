"""Work on big bodies, off the event loop: what takes longer than a few milliseconds must not hold up other callers.

Only pure work goes to a worker thread (reading a body, looking for findings in a text); what touches the cell's state
stays on the loop. Threads share the interpreter, so the longest single step of C code is what others may still wait
for: see docs/benchmarks.md for what was measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from guardrails import Rails
    from guardrails.run import Hurry
    from router.core.wire import TextSite
    from router.serve.verdicts import Verdicts

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 128 * 1024  # bytes of a body that are read, or code points that are guarded, on the loop: some 5 ms of work


async def aside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``work``, done in a worker where it is about more than ``AT_ONCE``."""
    if size <= AT_ONCE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


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
