"""A request's way through. Read ``chat`` from top to bottom: one line a step, a record always kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from guardrails import Placeholders
from policies.schema import Timeouts
from router.core.affinity import Stay
from router.core.decide import Caller, decide
from router.core.features import features_of
from router.core.lacking import refusal_of
from router.core.models import profile_name
from router.core.peek import reading_of
from router.core.plan import Try, pick, plan
from router.core.resilience.deadline import LEAST
from router.core.session import stay_of
from router.core.tokens import estimate_tokens
from router.core.turns import turn_of
from router.core.wire import ChatRequest, TextSite, choice_sites, read_answer, read_chat, read_choice
from router.errors import BudgetExceeded, StillhouseError, UpstreamError
from router.serve import cascading
from router.serve.accept import Order, accept, order
from router.serve.calling import attempt
from router.serve.capturing import Hearing, hand_over, hear
from router.serve.forward import forwarded
from router.serve.guards.aside import aside
from router.serve.guards.beyond import guard_chat
from router.serve.guards.checking import Desk, check_answer, check_events, onlooker_of
from router.serve.guards.guarding import Blocked, finding_names, guard_answer, returned
from router.serve.guards.stream import EventGuard
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import EventMaker, headers_of, refusal
from router.serve.limits.account import afforded, cheaper, enter
from router.serve.limits.admitting import admit
from router.serve.limits.shield import resting_error
from router.serve.memory.sessions import session_name
from router.serve.recorded import confess
from router.serve.rollouts import in_arm
from router.serve.story import Story
from router.types import TIER_NAMES, Decision, Deployment, Reason, Score, TierName, Usage
from router.upstream.base import Deadline, StreamReply, Upstream

if TYPE_CHECKING:
    from guardrails import Rails
    from policies.policy import Policy
    from router.serve.cell import Cell

log = logging.getLogger("stillhouse")
T = TypeVar("T")
Masks = list[tuple[TextSite, str]]


async def chat(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Serve one chat completion, streamed or whole."""
    story = Story(cell, incoming.request_id, incoming.path)
    held = Placeholders()
    try:
        key = accept(cell, incoming, story, "chat")
        await admit(cell, incoming, story, key)
        request = await aside(story, len(incoming.body), lambda: read_chat(out.heard(incoming.body, story.tenant)))
        story.stream, story.carried = request.stream, out.carried
        wish = in_arm(cell, request, order(cell, incoming, story, key, request.model), story)
        if cell.limits is not None:
            await enter(cell.limits, key, story)
        masks = await guard_in(request, wish, held, story)
        decision = score_and_decide(cell, request, wish, story)
        if wish.policy.body.capture is not None:
            hear(cell, request, wish, masks, held, story, partial(output_rails, wish.policy, request))
        if request.stream:
            await answer_in_events(cell, request, wish, decision, masks, held, story, out)
        else:
            await answer_whole(cell, request, wish, decision, masks, held, story, out)
    except Blocked:
        await refuse(cell, story, out)
    except StillhouseError as error:
        story.fail(error)
        await out.error(error, headers_of(story, stream=False))
    except asyncio.CancelledError:
        if not story.delivered:
            story.outcome, story.status = "client_gone", 499
        raise
    except Exception as bug:  # noqa: BLE001  (the last line of defence: one bug must not end the process)
        await confess(bug, story, out)
    finally:
        cell.ledger.record(*story.finish())
        if story.hearing is not None:
            hand_over(cell, story)


async def guard_in(request: ChatRequest, wish: Order, held: Placeholders, story: Story) -> Masks:
    """Run the policy's input guards over every text of the request."""
    since = story.cell.clock()
    try:
        return await guard_chat(request, wish.policy.rails["input"], held, story, wish.guard_tag)
    finally:
        story.spend("guard_in", since)


def score_and_decide(cell: Cell, request: ChatRequest, wish: Order, story: Story) -> Decision:
    """Score the present turn and choose a tier.

    Raises:
        NoTier: no model may serve the request under this policy.
        UpstreamResting: those that may rest after failures.
        ContextTooLong, UnsupportedParameter: none can, whatever the policy says.
    """
    since = cell.clock()
    ask = request.ask()
    story.prompt_hash = cell.prompt_hash(story.tenant, ask)
    story.features = features_of(request, ask, finding_names(story))
    turn = turn_of(request, lambda text: score_of(cell, wish, text))
    story.score, story.stay = turn.score, stay_in(cell, request, wish, story)
    caller = Caller(tenant=wish.caller.tenant, tags=wish.caller.tags, tier=wish.caller.tier, text=ask)
    story.fleet = fleet = cell.fleet(wish.policy, cell.shield.resting(story.tenant, since))
    story.lot = cell.lot(wish.policy, story.id)
    decision = decide(wish.policy, story.features, turn.score, caller, fleet, turn, story.stay, lot=story.lot)
    if decision.served is None and fleet.resting:
        story.looks = cell.shield.alone(story.tenant, fleet.resting, cell.clock())
        story.fleet = fleet = cell.fleet(wish.policy, fleet.resting - story.looks)
        decision = decide(wish.policy, story.features, turn.score, caller, fleet, turn, story.stay, lot=story.lot)
    story.decided(decision)
    if story.looks and decision.served is not None:
        names = ", ".join(sorted(story.looks))
        story.because(
            [Reason(id="breaker-look", text=f"{names}: left alone after failures, and asked now as nobody is asking.")]
        )
    decision = story.decision or decision
    story.spend("score", since)
    if fleet.pin is not None:
        story.mode = "pinned"
    if decision.served is None:
        if any(reason.id == "breaker-open" for reason in decision.reasons):
            raise resting_error(cell.shield.retry_in(story.tenant, cell.clock()))
        left = [d for d in fleet.deployments if d.tier in wish.policy.body.tiers]
        raise refusal_of(left, story.features, decision.reasons[-1], private=decision.private)
    if story.account is not None:
        story.account.measure(request, story)
    return decision


def stay_in(cell: Cell, request: ChatRequest, wish: Order, story: Story) -> Stay:
    """The session that a request belongs to, as it is remembered."""
    policy = wish.policy
    story.session_name = name = session_name(request, story.tenant, policy.hash, wish.session, cell.salt)
    return stay_of(policy.body, cell.sessions.get(name), cell.clock(), request.turns)


def score_of(cell: Cell, wish: Order, ask: str) -> Score | None:
    """The scorer's opinion; None, counted and visible, where there is no artefact."""
    if cell.scorer is None:
        cell.metrics.unscored.add(1)
        return None
    return cell.scores.of(cell.scorer, wish.caller.tenant, ask, profile_name(wish.policy.body))


async def answer_whole(
    cell: Cell, request: ChatRequest, wish: Order, decision: Decision, masks: Masks, held: Placeholders,
    story: Story, out: Exchange,
) -> None:  # fmt: skip
    """Call, guard the answer, respond."""

    async def ask(upstream: Upstream, deployment: Deployment, deadline: Deadline) -> bytes:
        return (await upstream.chat(forwarded(request, deployment, masks, story), deadline)).body

    way = cascading.way_of(cell, request, wish, story, partial(candidates, cell, wish, decision, story))
    if way is None:
        body, step = await call(cell, wish, decision, story, ask)
    else:
        body, step = await cascading.climb_whole(cell, request, masks, way, story)
    since = cell.clock()
    policy = wish.policy
    try:
        rails = output_rails(policy, request)
        body, stopped = await check_answer(request, rails, body, desk_of(cell, wish, decision, story))
        body = guard_answer(rails, body, held, policy.body.refusal.output, story, stopped)
    except UpstreamError as error:
        story.call_failed(step, error)
        raise
    except BaseException:  # the caller left while a check was asked, say: the answer is paid for all the same
        story.usage = story.usage or used(body, story)
        story.call_ended(step, "cancelled")
        raise
    if story.usage is None:
        story.usage = estimated(body, story)
    story.spend("guard_out", since)
    if story.actions["output"].word == "block":
        story.outcome = "blocked_output"
    story.call_ended(step, "ok")
    if story.hearing is not None:
        story.hearing.whole(body)
    await out.whole(200, headers_of(story, stream=False), body)


async def answer_in_events(
    cell: Cell, request: ChatRequest, wish: Order, decision: Decision, masks: Masks, held: Placeholders,
    story: Story, out: Exchange,
) -> None:  # fmt: skip
    """Call, then guard and send event by event."""
    policy, features, rails = wish.policy, story.features, output_rails(wish.policy, request)
    mode = policy.body.stream
    stream: StreamReply
    way = cascading.way_of(cell, request, wish, story, partial(candidates, cell, wish, decision, story))
    if way is None:
        stream, step = await call(
            cell, wish, decision, story,
            lambda upstream, d, deadline: upstream.chat_stream(forwarded(request, d, masks, story), deadline),
        )  # fmt: skip
    else:
        stream, step = await cascading.climb_events(cell, request, masks, way, story)
        if rails.empty:
            mode = "guarded"  # the cascade has held what it had to see, and no guard reads the rest
    input_tokens = features.input_tokens if features else 0
    guard = EventGuard(
        rails, mode, held, policy.body.refusal.output,
        EventMaker(story.id, step.deployment.model, cell.now_ms() // 1000),
        choices=request.n, include_usage=request.include_usage,
        on_findings=lambda findings, where: story.found(findings, "output", where),
        onlooker=onlooker_of(request, policy, story), back=returned(held, story),
        blocks=out.blocks,
    )  # fmt: skip
    story.deployment = step.deployment
    fault: UpstreamError | None = None
    try:
        await out.begin(headers_of(story, stream=True))
        await pump(stream, guard, out, story.hearing)
        if mode == "checked":
            await check_events(request, rails, guard, desk_of(cell, wish, decision, story))
        if events := guard.finish(input_tokens):
            await out.events(events)
            if story.hearing is not None:
                story.hearing.events += events
        await out.done()
        story.delivered = True
        # Nothing can be stopped any more: nobody waits for what is only put on record.
        if mode != "checked" and any(each.check.scope == "answer" for each in rails.checks):
            await to_its_end(check_events(request, rails, guard, desk_of(cell, wish, decision, story)))
    except UpstreamError as error:
        fault = error
        raise
    finally:
        try:
            await stream.close()
        finally:  # also where the caller leaves just now
            story.usage, story.finish_reason = guard.usage(input_tokens), guard.finish_reason
            if guard.blocked:
                story.outcome = "blocked_output"
            story.call_ended(step, "error" if fault else "blocked" if guard.over else "ok", fault)


async def pump(stream: StreamReply, guard: EventGuard, out: Exchange, hearing: Hearing | None = None) -> None:
    """Send what the guard lets through, until the upstream has ended or every choice is blocked.

    Events that came in the same bytes are read and leave together; nobody waits for more to come.

    Raises:
        UpstreamError: an event is wrong; what came before it has been sent.
    """
    bunch: list[bytes] = []
    async for data in stream.events():
        bunch.append(data)
        if stream.waiting:
            continue
        ready: list[bytes] = []
        try:
            guard.feed_all(bunch, ready)
        finally:
            if ready:
                if hearing is not None:
                    hearing.events += ready
                await out.events(ready)
        if guard.over:
            return
        bunch = []


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something whether the caller stays or not; a caller who leaves is noted afterwards."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def output_rails(policy: Policy, request: ChatRequest) -> Rails:
    """The guards of the answer, with what they must know of the request."""
    rails = policy.rails["output"]
    if not rails.molded:
        return rails
    said: dict[str, list[str]] = {"system": [], "user": []}
    for site in request.sites:
        side = "system" if site.role in ("system", "developer") else site.role
        if side in said:
            said[side].append(site.text)
    return rails.for_request(said["system"], said["user"])


def desk_of(cell: Cell, wish: Order, decision: Decision, story: Story) -> Desk:
    """What the checks of an answer may have done for them."""

    def serving(tier: str) -> Deployment | None:
        found = candidates(cell, wish, decision, story, (tier,)) if tier in TIER_NAMES else []
        return found[0][1] if found else None

    return Desk(cell, story, serving, lambda: deadline_of(wish.policy.body.timeouts, story))


async def call(
    cell: Cell, wish: Order, decision: Decision, story: Story,
    ask: Callable[[Upstream, Deployment, Deadline], Awaitable[T]],
) -> tuple[T, Try]:  # fmt: skip
    """Drive the plan with real calls until one works.

    Raises:
        UpstreamError: the last one, when none did.
        LimitReached: no money, or no tokens, for any that may be asked.
    """
    steps = plan(candidates(cell, wish, decision, story), cell.draw)
    step = next(steps)
    limits = wish.policy.body.timeouts
    while True:
        if step.pause:
            if story.last_error is not None and step.pause >= deadline_of(limits, story).total:
                raise story.last_error
            await asyncio.sleep(step.pause)
        lower = () if story.account is None else cheaper(wish.policy, decision, step.tier, story)

        def asked(step: Try = step) -> Awaitable[T]:  # the deadline last: a call may have stood in line for money
            return ask(cell.upstreams[step.deployment.upstream], step.deployment, deadline_of(limits, story))

        try:
            got = await attempt(story, step, asked)
        except UpstreamError as error:
            if deadline_of(limits, story).first_byte <= LEAST:
                raise  # no time is left in which another could answer
            try:
                step = steps.send(error)
            except StopIteration:
                raise error from None
        except BudgetExceeded as over:
            if not (left := candidates(cell, wish, decision, story, lower) if lower else []):
                raise
            story.because([afforded(step.tier, left[0][0], over)])
            steps = plan(left, cell.draw)
            step = next(steps)
        else:
            steps.close()
            story.served(step)
            return got, step


def candidates(
    cell: Cell, wish: Order, decision: Decision, story: Story, tiers: Sequence[TierName] = ()
) -> list[tuple[TierName, Deployment]]:
    """``tiers``, by default the served one and its fallbacks, each with the deployment that will be asked."""
    assert decision.served is not None
    assert story.features is not None
    found: list[tuple[TierName, Deployment]] = []
    fleet = story.fleet or cell.fleet(wish.policy)
    warm = {w.deployment for w in story.stay.memory.warm} if story.stay and story.stay.memory else set()
    for tier in tiers or (decision.served, *decision.fallbacks):
        serving = fleet.serving(tier, features=story.features, private=decision.private)
        if wish.deployment in serving:
            found.append((tier, wish.deployment))
        elif met := [d for d in serving if d.name in warm]:
            found += [(tier, d) for d in serving if d.abstains]
            found.append((tier, met[0]))
        elif len(serving) == 1:
            found.append((tier, serving[0]))
        elif serving:
            found += [(tier, d) for d in serving if d.abstains]
            if others := [d for d in serving if not d.abstains]:
                found.append((tier, pick(others, cell.share_draw(story))))
    return found


@lru_cache(maxsize=256)
def _full(connect: float, first_byte: float, gap: float, total: float) -> Deadline:
    return Deadline(connect, min(first_byte, total), gap, total)


def deadline_of(limits: Timeouts, story: Story) -> Deadline:
    """The policy's limits and the caller's, less the time that is gone."""
    limit = story.limit
    if not story.attempts and limit.first >= limits.total <= limit.total:
        return _full(limits.connect, limits.first_byte, limits.gap, limits.total)
    total, first = limit.left(story.elapsed_ms() / 1e3, limits.total, limits.first_byte, stream=story.stream)
    return Deadline(min(limits.connect, first), first, limits.gap, total)


def estimated(body: bytes, story: Story) -> Usage:
    """Token counts for an upstream that gave none; marked as an estimate."""
    sites = [site for raw in read_answer(body).choices for site in choice_sites(read_choice(raw))]
    tokens = sum(estimate_tokens(site.text) for site in sites)
    return Usage(
        input_tokens=story.features.input_tokens if story.features else 0, output_tokens=tokens, source="estimated"
    )


def used(body: bytes, story: Story) -> Usage | None:
    """What an answer used that nobody will read; None where it is no answer."""
    try:
        _, usage = reading_of(body)
        return usage or estimated(body, story)
    except ValueError:
        return None


async def refuse(cell: Cell, story: Story, out: Exchange) -> None:
    """A guard stopped the request: a valid completion with the policy's words."""
    story.outcome = "blocked_input"
    assert story.policy is not None
    words = story.policy.body.refusal.input
    created = cell.now_ms() // 1000
    if not story.stream:
        await out.whole(200, headers_of(story, stream=False), refusal(story, words, created))
        return
    maker = EventMaker(story.id, story.requested_model, created)
    await out.begin(headers_of(story, stream=True))
    await out.events([maker.text(0, "content", words, role=True), maker.end(0, "content_filter")])
    await out.done()
