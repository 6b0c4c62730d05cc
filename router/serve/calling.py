"""One call of a model, whoever makes it: what must be true of every call stands here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from router.errors import UpstreamError

if TYPE_CHECKING:
    from router.core.plan import Try
    from router.ledger.record import AttemptKind
    from router.serve.story import Story

T = TypeVar("T")


async def attempt(story: Story, step: Try, make: Callable[[], Awaitable[T]], kind: AttemptKind | None = None) -> T:
    """Make one call and put it on record when it fails; one that works is recorded when its answer has ended.

    Raises:
        UpstreamError: it failed.
        LimitReached, LimitsAway, PriceUnknown: it may not be made, and was not.
    """
    if story.account is not None:
        expected = None if story.score is None else story.score.output_tokens.get(step.tier)
        story.output_cap = await story.account.reserve(step.index, step.deployment, expected)
    story.call_begins()
    try:
        return await make()
    except UpstreamError as error:
        story.call_failed(step, error, kind)
        raise
    except asyncio.CancelledError:
        story.call_ended(step, "cancelled")
        raise
