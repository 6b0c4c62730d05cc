"""Asking a judge, several calls at a time, within a budget; a call that fails is tried once more and then left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from evals.labels.purse import Purse, most
from evals.labels.texts import Captured
from evals.labels.wording import MOST_TOKENS, body, verdict
from evals.labels.work import Said, Turn, Work
from router.core.cost import cost_of
from router.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from router.types import Deployment, Usage
from router.upstream.base import Deadline, Upstream

PATIENCE: Final = Deadline(first_byte=300, gap=60, total=600)
AT_ONCE: Final = 4
_TRIES: Final = 2


class Judge(NamedTuple):
    """Who is asked."""

    upstream: Upstream
    deployment: Deployment


class Ended(NamedTuple):
    """Why a round stopped: ``budget`` where the next call did not fit, else empty. ``left`` is what was not asked."""

    why: str
    left: int


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


async def judge(
    who: Judge,
    work: Work,
    texts: Mapping[str, Captured],
    purse: Purse,
    at_once: int = AT_ONCE,
    tell: Callable[[], None] = lambda: None,
) -> Ended:
    """Ask everything that the round still misses; stops where the budget does.

    Args:
        who: is asked.
        work: the round; reservations and results go into it as they come.
        texts: by request id; a row without one is left out.
        purse: holds the budget.
        at_once: calls side by side.
        tell: called after each result.

    Raises:
        BudgetError: the judge's price is not known.
    """
    todo = [turn for turn in work.missing() if turn[0] in texts]
    places = iter(todo)
    stopped = False

    async def worker() -> None:
        nonlocal stopped
        for turn in places:
            if stopped:
                return
            if not await _one(who, work, turn, texts[turn[0]], purse):
                stopped = True
                return
            tell()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    left = sum(turn not in work.said for turn in todo)
    return Ended("budget" if stopped else "", left)


async def _one(who: Judge, work: Work, turn: Turn, text: Captured, purse: Purse) -> bool:
    """One call; False where it does not fit into the budget."""
    spent, why, thinks = 0, "", False
    for _ in range(_TRIES):
        asked = body(who.deployment.model, text.asked, text.answer, turn[1], thinks=thinks)
        reserved = most(asked, MOST_TOKENS, who.deployment.price)
        if not purse.reserve(reserved):
            if why:
                work.settle(turn, Said(None, spent, why))
            return bool(why)
        work.reserve(turn, reserved)
        try:
            reply = await who.upstream.chat(asked, PATIENCE)
        except UpstreamError as error:
            # what never answered is not charged; what broke off or was late may be
            thinks = isinstance(error, UpstreamRejected)
            free = isinstance(error, UpstreamRejected | UpstreamUnavailable)
            spent, why = spent + purse.settle(reserved, 0 if free else None), error.code
            continue
        except BaseException:
            purse.settle(reserved, None)
            raise
        score, cost = _read(reply.body, who.deployment)
        spent += purse.settle(reserved, cost)
        work.settle(turn, Said(score, spent, "" if score is not None else "no verdict"))
        return True
    work.settle(turn, Said(None, spent, why))
    return True


def _read(reply: bytes, deployment: Deployment) -> tuple[float | None, int | None]:
    try:
        told = msgspec.json.decode(reply, type=_Completion)
    except msgspec.DecodeError:
        return None, None
    said = told.choices[0].message.content if told.choices else None
    cost = None
    if told.usage is not None:
        usage = Usage(input_tokens=told.usage.prompt_tokens, output_tokens=told.usage.completion_tokens)
        cost = cost_of(usage, deployment.price)
    return verdict(said or ""), cost
