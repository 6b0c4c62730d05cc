"""One call of a model, whoever makes it: what must be true of every call stands here and nowhere else.

``attempt`` is for calls whose answer may be the caller's. ``beside`` is for those that only help (a sample, a check,
embeddings): they ask the breaker too, but are neither retries nor rescued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, TypeVar

from router.core.resilience import work_of
from router.core.resilience.deadline import NONE
from router.errors import (
    DeadlineExceeded,
    StillhouseError,
    UpstreamError,
    UpstreamInvalid,
    UpstreamResting,
    UpstreamSilent,
    UpstreamTimeout,
)
from router.serve.limits.shield import ending_of
from router.types import Reason

if TYPE_CHECKING:
    from router.core.plan import Try
    from router.core.resilience import Call
    from router.ledger.record import AttemptKind
    from router.serve.limits.account import Account
    from router.serve.story import Story
    from router.types import TierName

T = TypeVar("T")
USUAL_OUTPUT = 250.0  # tokens of an answer, where the scorer has no opinion


async def attempt(story: Story, step: Try, make: Callable[[], Awaitable[T]], kind: AttemptKind | None = None) -> T:
    """Make one call and put it on record when it fails; one that works is recorded when its answer has ended.

    Raises:
        UpstreamError: it failed, or was not made: its breaker is open, or the budget of further calls is spent.
        LimitReached, LimitsAway, PriceUnknown: it may not be made, and was not.
    """
    before, paid = story.last_error, _pay(story, step, kind)
    call = await _let_through(story, step, paid=paid)
    cell, name = story.cell, step.deployment.name
    story.calls[step.index] = (name, call)
    story.call_begins()
    try:
        if story.decision is not None and story.decision.fallbacks:
            got = await _unless_silent(call, make)
        else:
            got = await make()
    except UpstreamError as error:
        if isinstance(error, UpstreamTimeout) and story.limit.cuts(story.elapsed_ms() / 1e3):
            error = DeadlineExceeded("The time that was given for this request is up.")
        story.call_failed(step, error, kind)
        raise error from None
    except asyncio.CancelledError:
        story.call_ended(step, "cancelled")
        raise
    except BaseException as error:
        story.call_forgotten(step)
        if isinstance(error, StillhouseError):  # the body could not be made for this server
            _not_made(story, step, error, paid=paid)
        raise
    cell.shield.answered(story.tenant, name, call, cell.clock())
    if paid and before is not None and not before.overload:
        cell.shield.guard(cell.shield.bulkhead(story.tenant), name).budget.give_back()
    return got


async def _let_through(story: Story, step: Try, *, paid: bool) -> Call:
    """Set aside what the call may use, and ask the breaker."""
    cell, name, account, before = story.cell, step.deployment.name, story.account, story.last_error
    try:
        if account is not None:
            story.output_cap = await _reserved(account, story, step)
        # nobody else to ask: so it was when it was decided, and so it is for another try
        alone = name in story.looks or (before is not None and not (story.decision and story.decision.fallbacks))
        return cell.shield.begin(story.tenant, name, _work(story, step.tier), cell.clock(), alone=alone)
    except BaseException as error:
        _not_made(story, step, error, paid=paid)
        if before is not None and isinstance(error, UpstreamResting):
            before.retryable = False
            raise before from None  # what was heard says more than that nobody is asked again
        raise


def _not_made(story: Story, step: Try, error: BaseException, *, paid: bool) -> None:
    """Nothing was asked: what was set aside and paid for it goes back."""
    if story.account is not None:
        story.account.settle(step.index, None, error)
    if paid:
        shield = story.cell.shield
        shield.guard(shield.bulkhead(story.tenant), step.deployment.name).budget.give_back()


async def _reserved(account: Account, story: Story, step: Try) -> int | None:
    """Set aside what the call may use. Who stands in line for it does so no longer than his caller waits.

    Raises:
        DeadlineExceeded: the caller's time was up first.
        LimitReached, LimitsAway, PriceUnknown: as ``Account.reserve``.
    """
    expected = None if story.score is None else story.score.output_tokens.get(step.tier)
    if story.limit is NONE:
        return await account.reserve(step.index, step.deployment, expected)
    _, left = story.limit.left(story.elapsed_ms() / 1e3, inf, inf, stream=story.stream)
    try:
        async with asyncio.timeout(None if left == inf else left):
            return await account.reserve(step.index, step.deployment, expected)
    except TimeoutError:
        raise DeadlineExceeded("The time that was given for this request is up.") from None


async def beside(story: Story, name: str, make: Callable[[], Awaitable[T]], tier: TierName | None = None) -> T:
    """Make one call that only helps, past the breaker of ``name``.

    Raises:
        UpstreamError: it failed, or the breaker is open.
    """
    cell = story.cell
    work = _work(story, tier) if tier else 1.0
    alone = tier is None  # embeddings: no other has them
    call = cell.shield.begin(story.tenant, name, work, cell.clock(), alone=alone)
    try:
        got = await make()
    except UpstreamError as error:
        ending = ending_of(error, story.elapsed_ms() / 1e3, story.limit)
        cell.shield.end(story.tenant, name, call, ending, cell.clock(), error)
        raise
    except BaseException:
        cell.shield.end(story.tenant, name, call, "gone", cell.clock(), None)
        raise
    cell.shield.end(story.tenant, name, call, "ok", cell.clock(), None)
    return got


def fault_of(error: Exception) -> UpstreamError:
    """What a call beside the others came to, in words for its record."""
    if isinstance(error, UpstreamError):
        return error
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("The model's server did not answer in time.")
    return UpstreamInvalid("The model's server sent something that is not a chat completion.")


def _pay(story: Story, step: Try, kind: AttemptKind | None) -> bool:
    """Pay for a further call out of the deployment's budget; gives back whether anything was paid.

    A fail-over away from a deployment that has just been given up costs nothing: no more than was under way there
    can come of it. Overload is another matter.

    Raises:
        UpstreamError: the budget is spent; it is the failure that made another call necessary.
    """
    shield, name = story.cell.shield, step.deployment.name
    bulkhead = shield.bulkhead(story.tenant)
    budget = shield.guard(bulkhead, name).budget
    last, before = story.last_error, story.last_try()
    if last is None or before is None or kind == "escalation":
        budget.earn(story.cell.clock())
        return False
    left = before.deployment
    if not last.overload and left != name and shield.guard(bulkhead, left).breaker.cause:
        return False
    if budget.spend():
        return True
    text = f"{name} was not asked again: its budget of further calls is spent."
    story.because([Reason(id="retries-spent", text=text)])
    last.retryable = False
    raise last


async def _unless_silent(call: Call, make: Callable[[], Awaitable[T]]) -> T:
    """Wait for a call until its breaker gives the server up as silent: then another can still be asked.

    What ``asyncio.timeout`` does, without its price, for nearly no call comes to this.
    """
    task = asyncio.current_task()
    assert task is not None
    given_up = False

    def give_up() -> None:
        nonlocal given_up
        given_up = task.cancel()

    call.wake = give_up
    try:
        return await make()
    except asyncio.CancelledError:
        if given_up and task.uncancel() == 0:
            raise UpstreamSilent("The model's server fell silent.") from None
        raise
    finally:
        call.wake = None


def _work(story: Story, tier: TierName) -> float:
    features, score = story.features, story.score
    if features is None:
        return 1.0
    output = score.output_tokens.get(tier, USUAL_OUTPUT) if score is not None else USUAL_OUTPUT
    if features.max_output:
        output = min(output, features.max_output)
    return work_of(features.input_tokens, output, stream=story.stream)
