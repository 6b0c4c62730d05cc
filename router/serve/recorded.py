"""However a request ends, its caller hears of it and the ledger keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from router.errors import StillhouseError
from router.serve.http.respond import headers_of

if TYPE_CHECKING:
    from router.serve.http.exchange import Exchange
    from router.serve.story import Story

log = logging.getLogger("stillhouse")
Refuse = Callable[[StillhouseError], Awaitable[None]]


@contextlib.asynccontextmanager
async def on_record(story: Story, out: Exchange, refuse: Refuse | None = None) -> AsyncIterator[None]:
    """Serve one request inside; what goes wrong is told and put on record. ``chat`` has the same steps spelled out.

    Args:
        story: of the request.
        out: its caller's.
        refuse: tells an error where ``out`` alone would tell it otherwise.
    """
    try:
        yield
    except StillhouseError as error:
        story.fail(error)
        await (refuse(error) if refuse else out.error(error, headers_of(story, stream=False)))
    except asyncio.CancelledError:
        if not story.delivered:
            story.outcome, story.status = "client_gone", 499
        raise
    except Exception as bug:  # noqa: BLE001  (the last line of defence: one bug must not end the process)
        await confess(bug, story, out)
    finally:
        story.cell.ledger.record(*story.finish())


async def confess(bug: Exception, story: Story, out: Exchange) -> None:
    """An error of our own: the caller learns the request id, the log learns where, nobody the prompt."""
    story.outcome, story.status, story.error_code = "internal_error", 500, "internal_error"
    where = "".join(traceback.format_tb(bug.__traceback__))
    log.error("internal error in request %s: %s\n%s", story.id, type(bug).__name__, where)
    error = StillhouseError("The gateway made a mistake. Report the request id to its operator.")
    await out.error(error, headers_of(story, stream=False))
