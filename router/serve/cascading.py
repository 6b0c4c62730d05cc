"""A cascade at work: real calls for ``router.core.cascade``, whole and streamed.

Log-probabilities are asked of an upstream only for an answer that will be checked, and taken out again
where the caller did not ask for them. Every call is an attempt in the ledger, with what its answer showed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from router.core.cascade import Ask, Limits, Outcome, Rung, Told, climb, planned, terms_of
from router.core.checks import Prior, Terms, Verdict, by_itself, judge, needs_whole
from router.core.cost import cost_shares
from router.core.peek import (
    Opening,
    Wishes,
    event_without_logprobs,
    reading_of,
    wishes_of,
    with_members,
    without_logprobs,
)
from router.core.resilience.deadline import LEAST
from router.core.signals import Reading, Signals, agreement, signals_of
from router.core.wire import ChatRequest, TextSite, given, read_chunk
from router.errors import (
    LimitReached,
    LimitsAway,
    PriceUnknown,
    UpstreamError,
    UpstreamInvalid,
    UpstreamRejected,
    UpstreamTimeout,
)
from router.serve.accept import Order
from router.serve.calling import attempt, beside, fault_of
from router.serve.forward import forwarded
from router.serve.guards.aside import aside
from router.serve.limits.account import capped, settle
from router.serve.story import Note, Story, Times
from router.types import TIER_NAMES, Deployment, Reason, TierName, Usage
from router.upstream.base import Deadline, StreamReply, Upstream
from router.upstream.errormap import error_of_event

if TYPE_CHECKING:
    from policies.schema import Timeouts
    from router.core.plan import Try
    from router.serve.cell import Cell

log = logging.getLogger("stillhouse")
T = TypeVar("T")
Masks = Sequence[tuple[TextSite, str]]
SAMPLE_TEMPERATURE = 0.7  # where the caller gives none: at 0 every sample would say the same


class Way(NamedTuple):
    """A cascade that is about to be climbed."""

    rungs: list[Rung]
    tail: list[Rung]
    limits: Limits
    terms: Terms
    prior: Prior
    wishes: Wishes
    samples: int
    hold: int
    timeouts: Timeouts


def way_of(
    cell: Cell, request: ChatRequest, wish: Order, story: Story,
    deployments: Callable[[Sequence[TierName]], list[Rung]],
) -> Way | None:  # fmt: skip
    """The cascade of this request; None where there is none, with a reason where the policy has one."""
    cascade, decision, features = wish.policy.body.cascade, story.decision, story.features
    if cascade is None or decision is None or features is None:
        return None
    terms = terms_of(wish.policy.body)
    asked = story.limit
    until = min(cascade.deadline, asked.total, inf if request.stream else asked.first)
    limits = Limits(max_escalations=cascade.max_escalations, deadline=until)
    tiers, reason = planned(wish.policy.body, decision, story.score, features, story.fleet or cell.fleet(wish.policy))
    rungs = deployments(tiers) if tiers else []
    if rungs and terms.needs_logprobs and (blind := [r for r in rungs[:-1] if r[1].name in cell.blind]):
        rungs = [rung for rung in rungs if rung not in blind]
        names = ", ".join(tier for tier, _ in blind)
        text = f"{names} was not tried: the check logprobs cannot run, because its server gives no log-probabilities."
        reason = Reason(id="cascade-check-missing", text=text)
        cell.metrics.cascades.add(1, blind[0][0], "missing", "logprobs")
    story.because([reason] if reason else [])
    if not rungs or (len(rungs) == 1 and rungs[0][0] == decision.served):
        return None
    if request.n != 1:
        story.because(
            [Reason(id="cascade-skipped", text="The caller asked for several answers, and only one can be checked.")]
        )
        return None
    if request.stream and wish.policy.body.stream != "checked":
        text = f"Under 'stream: {wish.policy.body.stream}' nothing is held for a check, so nothing cheaper was tried."
        story.because([Reason(id="cascade-not-held", text=text)])
        return None
    climbed = {tier for tier, _ in rungs}
    tail = [rung for rung in deployments(()) if rung[0] not in climbed]
    wishes = wishes_of(request, request.ask(), features.language)
    known = story.score
    prior = Prior(score=known.p_right if known else None, cost=cost_shares(TIER_NAMES, decision.cost))  # type: ignore[arg-type]
    return Way(rungs, tail, limits, terms, prior, wishes, cascade.samples, cascade.hold, wish.policy.body.timeouts)


# --- whole answers -----------------------------------------------------------------------------------


async def climb_whole(cell: Cell, request: ChatRequest, masks: Masks, way: Way, story: Story) -> tuple[bytes, Try]:
    """Ask until an answer is kept.

    Raises:
        UpstreamError: the last one, when no answer came.
    """
    answers: dict[int, tuple[bytes, Try, Note]] = {}

    async def ask_whole(ask: Ask) -> Told:
        body, asked = await _call(cell, request, masks, way, story, ask, _chat)
        note = Note(ask.kind, None, story.times()._replace(ended=story.elapsed_ms()))
        verdict: Verdict | None = None
        if ask.above:
            try:
                reading, usage = reading_of(body)
            except ValueError:
                raise UpstreamInvalid("The model's server sent something that is not a chat completion.") from None
            verdict, signals = await _judge(cell, request, masks, way, story, ask, reading)
            note = note._replace(signals=_numbers(signals, verdict))
            if not verdict.good:
                usage = usage or _estimate(story, reading.tokens)
                story.call_judged(ask.step, "not_good_enough", usage, reading.finish, note)
                if story.hearing is not None:
                    story.hearing.turned_down(ask.step, reading.text)
                note = note._replace(recorded=True)
        if asked and not way.wishes.logprobs:
            body = without_logprobs(body)
        answers[ask.step.index] = (body, ask.step, note)
        return Told(at=_now(story), verdict=verdict)

    kept = await _climb(cell, way, story, ask_whole)
    body, step, story.kept = answers[kept]
    story.keeps(step)
    return body, step


# --- streams -----------------------------------------------------------------------------------------


class HeldStream:
    """A stream whose first events were held for a check; it gives them first, then the rest.

    Attributes:
        opening: what its first choice showed while it was held.
        good: whether the checks were satisfied with that.
    """

    waiting = False

    def __init__(self, stream: StreamReply, step: Try, *, bare: bool) -> None:
        self.request_id = stream.request_id
        self.step = step
        self.note = Note()
        self.good = True
        self.opening = Opening()
        self._stream = stream
        self._rest = stream.events()
        self._held: list[bytes] = []
        self._bare = bare

    async def hold(self, enough: Callable[[Opening], bool]) -> None:
        """Hold events until ``enough`` has been seen or the answer has ended.

        Raises:
            UpstreamError: an event is an error, or no chunk, or the stream broke off.
        """
        async for data in self._rest:
            try:
                chunk = read_chunk(data)
            except ValueError:
                raise UpstreamInvalid("The model's server sent an event that is not a chat completion chunk.") from None
            if given(chunk.error):
                raise error_of_event(data)
            self.opening.feed(chunk)
            self._held.append(event_without_logprobs(data, chunk) if self._bare else data)
            if enough(self.opening):
                return

    async def events(self) -> AsyncIterator[bytes]:
        """The events held, then the rest."""
        for data in self._held:
            yield data
        self._held = []
        async for data in self._rest:
            yield _bare(data) if self._bare else data

    async def close(self) -> None:
        """Stop the upstream's work."""
        await self._stream.close()


def _bare(data: bytes) -> bytes:
    try:
        return event_without_logprobs(data, read_chunk(data))
    except ValueError:
        return data  # whoever reads it next says what is wrong with it


async def climb_events(
    cell: Cell, request: ChatRequest, masks: Masks, way: Way, story: Story
) -> tuple[HeldStream, Try]:
    """Open streams until one is kept; of a checked one the first tokens are held.

    An answer that was turned down stays open until a better one is there, for it is kept where none comes.

    Raises:
        UpstreamError: the last one, when no stream was kept.
    """
    open_streams: dict[int, HeldStream] = {}
    whole = needs_whole(way.terms, way.wishes.demand)

    async def ask_events(ask: Ask) -> Told:
        until = _now(story) + ask.seconds
        reply, asked = await _call(cell, request, masks, way, story, ask, _chat_stream)
        story.call_first_byte()
        stream = HeldStream(reply, ask.step, bare=asked and not way.wishes.logprobs)
        stream.note = Note(ask.kind, None, story.times())
        open_streams[ask.step.index] = stream
        if not ask.above:
            return Told(at=_now(story))
        try:
            async with asyncio.timeout(max(0.001, until - _now(story))):
                await stream.hold(lambda seen: not whole and seen.tokens >= way.hold)
        except TimeoutError:
            raise UpstreamTimeout("The model took longer than the policy's cascade allows.") from None
        reading = stream.opening.reading()
        verdict, signals = await _judge(cell, request, masks, way, story, ask, reading)
        stream.note, stream.good = stream.note._replace(signals=_numbers(signals, verdict)), verdict.good
        return Told(at=_now(story), verdict=verdict)

    kept: int | None = None
    try:
        kept = await _climb(cell, way, story, ask_events)
    finally:
        for index, stream in open_streams.items():
            if index != kept:
                await _put_away(stream, story)
    stream = open_streams[kept]
    _hear_rejected(story, list(open_streams.values()))
    story.kept = stream.note
    story.keeps(stream.step)
    return stream, stream.step


def _hear_rejected(story: Story, streams: Sequence[HeldStream]) -> None:
    """Note what was turned down, as far as it was held."""
    if story.hearing is None:
        return
    for stream in streams:
        if not stream.good:
            whole = stream.opening.finish is not None
            story.hearing.turned_down(stream.step, stream.opening.reading().text, whole=whole)


async def _put_away(stream: HeldStream, story: Story) -> None:
    """Close a stream that nobody will read, and note what it cost as far as it was seen."""
    await stream.close()
    if stream.note.signals is not None:
        usage = stream.opening.usage or _estimate(story, stream.opening.tokens)
        times = stream.note.times._replace(ended=story.elapsed_ms()) if stream.note.times else None
        story.call_judged(
            stream.step, "not_good_enough", usage, stream.opening.finish, stream.note._replace(times=times)
        )


# --- both --------------------------------------------------------------------------------------------


async def _climb(cell: Cell, way: Way, story: Story, make: Callable[[Ask], Awaitable[Told]]) -> int:
    """Drive the plan; gives back the index of the try that is kept.

    Raises:
        UpstreamError: none was.
    """
    steps = climb(way.rungs, way.tail, way.limits, cell.draw, _now(story))
    told: Told | None = None
    while True:
        try:
            ask = next(steps) if told is None else steps.send(told)
        except StopIteration as end:
            outcome: Outcome = end.value
            break
        until = _now(story) + ask.seconds
        if ask.step.pause:
            await asyncio.sleep(ask.step.pause)

        def made(ask: Ask = ask, until: float = until) -> Awaitable[Told]:
            # Only now is it known how long it stood in line for money.
            return make(msgspec.structs.replace(ask, seconds=max(LEAST, until - _now(story))))

        try:
            told = await attempt(story, ask.step, made, ask.kind)
        except (UpstreamError, LimitReached, LimitsAway, PriceUnknown) as error:
            told = Told(at=_now(story), error=error)
    story.because(outcome.reasons)
    if outcome.kept is None:
        raise outcome.error or UpstreamTimeout("The policy's deadline left no time to ask a model.")
    return outcome.kept


async def _chat(upstream: Upstream, body: bytes, deadline: Deadline) -> bytes:
    return (await upstream.chat(body, deadline)).body


async def _chat_stream(upstream: Upstream, body: bytes, deadline: Deadline) -> StreamReply:
    return await upstream.chat_stream(body, deadline)


async def _call(
    cell: Cell, request: ChatRequest, masks: Masks, way: Way, story: Story, ask: Ask,
    send: Callable[[Upstream, bytes, Deadline], Awaitable[T]],
) -> tuple[T, bool]:  # fmt: skip
    """One call inside its time; gives back what came and whether log-probabilities were added to it.

    Raises:
        UpstreamError: it failed, or took too long.
    """
    deployment = ask.step.deployment
    upstream = cell.upstreams[deployment.upstream]
    plain = await aside(story, len(request.body), forwarded, request, deployment, masks, story)
    adds = bool(ask.above) and way.terms.needs_logprobs and not way.wishes.logprobs
    left = ask.seconds
    # A stream may last longer than the cascade: only its opening is bound by the deadline.
    longest = min(way.timeouts.total, max(LEAST, story.limit.total - _now(story)))
    total = longest if request.stream else min(longest, left)
    deadline = Deadline(way.timeouts.connect, min(way.timeouts.first_byte, left), way.timeouts.gap, total)
    try:
        async with asyncio.timeout(left):
            try:
                reply = await send(upstream, with_members(plain, {"logprobs": True}) if adds else plain, deadline)
            except UpstreamRejected:
                if not adds:
                    raise
                # It may be our own addition that was refused, and the caller's words are good.
                reply, adds = await send(upstream, plain, deadline), False
                _is_blind(cell, deployment)
    except TimeoutError:
        raise UpstreamTimeout("The model took longer than the policy's cascade allows.") from None
    story.call_answers(ask.step)
    return reply, adds


async def _judge(
    cell: Cell, request: ChatRequest, masks: Masks, way: Way, story: Story, ask: Ask, reading: Reading
) -> tuple[Verdict, Signals]:
    """Check one answer; samples are bought only for one that no other check turns down."""
    terms, demand = way.terms, way.wishes.demand
    signals = signals_of(reading, demand)
    if terms.needs_logprobs and signals.logprobs is None and reading.text:
        _is_blind(cell, ask.step.deployment)
    if terms.needs_samples and by_itself(terms, signals, demand) is None:
        since = cell.clock()
        said = await _samples(cell, request, masks, way, story, ask)
        story.spend("upstream", since)
        if said is not None:
            agreed = agreement(reading.said, [sample.said for sample in said], demand)
            signals = msgspec.structs.replace(signals, agreement=agreed)
    verdict = judge(terms, signals, demand, ask.step.tier, ask.above, cell.calibration, way.prior)
    word = "kept" if verdict.good else "missing" if verdict.missing else "turned_down"
    cell.metrics.cascades.add(1, ask.step.tier, word, verdict.check or "all")
    return verdict, signals


async def _samples(
    cell: Cell, request: ChatRequest, masks: Masks, way: Way, story: Story, ask: Ask
) -> list[Reading] | None:
    """The same question asked again, side by side; None when one of them did not come in time."""
    warm = way.wishes.temperature or SAMPLE_TEMPERATURE
    members: dict[str, object] = {"temperature": warm}
    if request.stream:
        members |= {"stream": False, "stream_options": None}
    deployment = ask.step.deployment
    body = with_members(request.forward(deployment.model, masks), members)
    account = story.account
    left = max(0.001, story.times().begun / 1e3 + ask.seconds - _now(story))
    deadline = Deadline(way.timeouts.connect, min(way.timeouts.first_byte, left), way.timeouts.gap, left)

    async def one() -> Reading | None:
        begun, usage, hold = story.elapsed_ms(), None, None
        try:
            async with asyncio.timeout(left):
                if account is not None and account.size is not None:
                    hold = await account.hold(deployment, account.size)
                bound = capped(body, hold.cap if hold else None, deployment.model)
                ask_again = partial(_chat, cell.upstreams[deployment.upstream], bound, deadline)
                answer = await beside(story, deployment.name, ask_again, ask.step.tier)
            reading, usage = reading_of(answer)
            usage = usage or _estimate(story, reading.tokens)
        except (LimitReached, LimitsAway, PriceUnknown):
            return None  # not bought: the check is missing, and the policy says what that means
        except (UpstreamError, TimeoutError, ValueError) as error:
            fault = fault_of(error)
            story.call_failed(ask.step, fault, "sample", Times(begun))
            settle(hold, None, fault)
            return None
        except asyncio.CancelledError:
            if hold is not None or account is None:  # it was made, and is paid for
                story.call_judged(ask.step, "cancelled", None, None, Note("sample", None, Times(begun)))
            raise
        finally:
            settle(hold, usage)
        note = Note("sample", None, Times(begun, story.elapsed_ms(), story.elapsed_ms()))
        story.call_judged(ask.step, "ok", usage, reading.finish, note)
        return reading

    got = await asyncio.gather(*(one() for _ in range(way.samples)))
    come = [reading for reading in got if reading is not None]
    return come if len(come) == len(got) else None


def _is_blind(cell: Cell, deployment: Deployment) -> None:
    """Remember, and say once, that a deployment gives no log-probabilities."""
    if deployment.name not in cell.blind:
        cell.blind.add(deployment.name)
        log.warning("%s gives no log-probabilities: a cascade that checks them will not try it", deployment.name)


def _numbers(signals: Signals, verdict: Verdict) -> dict[str, float]:
    return signals.numbers() | ({} if verdict.chance is None else {"chance": verdict.chance})


def _estimate(story: Story, output_tokens: int) -> Usage:
    given_in = story.features.input_tokens if story.features else 0
    return Usage(input_tokens=given_in, output_tokens=output_tokens, source="estimated")


def _now(story: Story) -> float:
    return story.elapsed_ms() / 1e3
