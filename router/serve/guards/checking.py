"""The guards that look at a whole answer, at work: their questions asked of models, their claims of the solver.

A check says what it needs (``guardrails.views``) and does nothing itself; this module does it. A check that could
not be made is a finding, never a pass: its policy says whether that blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from guardrails import Action, Finding, Rails
from guardrails.run import Checked
from guardrails.views import Ask, CheckFailed, Origin, Passage, Prove, Rewritten, ToolCall, View
from router.core.bounds import Size
from router.core.peek import reading_of
from router.core.plan import Try
from router.core.wire import (
    ChatRequest,
    Edit,
    choice_calls,
    choice_sites,
    given,
    read_answer,
    read_choice,
    span,
    splice,
)
from router.errors import LimitReached, LimitsAway, PriceUnknown, UpstreamError
from router.serve.calling import beside, fault_of
from router.serve.guards.onlooker import Onlooker, Said
from router.serve.limits.account import capped, settle
from router.serve.story import Note, Story, Times
from router.types import Deployment, Usage
from router.upstream.base import Deadline

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.serve.cell import Cell
    from router.serve.guards.stream import EventGuard

#: Gives back the deployment that answers for a tier; None where there is none.
Serving = Callable[[str], Deployment | None]
_ORIGINS: Final[dict[str, Origin]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "document": "document",
}


class Desk(NamedTuple):
    """What a check may need done for it."""

    cell: Cell
    story: Story
    serving: Serving
    deadline: Callable[[], Deadline]


class Answered(NamedTuple):
    """A whole answer after its checks: the body as it may go on, and the choices that must not."""

    body: bytes
    stopped: frozenset[int] = frozenset()


async def check_answer(request: ChatRequest, rails: Rails, body: bytes, desk: Desk) -> Answered:
    """Run the checks over a whole answer. What they had written again stands in its place."""
    if not rails.checks:
        return Answered(body)
    try:
        choices = [read_choice(raw) for raw in read_answer(body).choices]
    except ValueError:
        return Answered(body)  # the guards of texts say what is wrong with it
    stopped: set[int] = set()
    edits: list[Edit] = []
    for choice in choices:
        text = "\n".join(site.text for site in choice_sites(choice) if site.path.startswith("content"))
        said = Said(choice.index, text, tuple(ToolCall(*call) for call in choice_calls(choice)))
        judged = await _judged(request, said, rails.checks, desk)
        if blocks(judged.findings):
            stopped.add(said.choice)
        elif judged.text is not None:
            edits.append(Edit(*span(body, choice.message.content), msgspec.json.encode(judged.text)))
            if given(choice.logprobs):
                edits.append(Edit(*span(body, choice.logprobs), b"null"))
    return Answered(splice(body, edits) if edits else body, frozenset(stopped))


async def check_events(request: ChatRequest, rails: Rails, guard: EventGuard, desk: Desk) -> None:
    """The same over a stream that has ended. Tool calls were judged when their choice ended."""
    checks = [each for each in rails.checks if each.check.scope == "answer"]
    for said in guard.answers() if checks else ():
        judged = await _judged(request, said, checks, desk)
        if blocks(judged.findings):
            guard.stop(said.choice)
        elif judged.text is not None:
            guard.rewrite(said.choice, judged.text)


async def _judged(request: ChatRequest, said: Said, checks: Iterable[Checked], desk: Desk) -> Judged:
    judged = await judge(checks, view_of(request, said), desk)
    desk.story.found(judged.findings, "output", f"choices[{said.choice}]")
    return judged


def onlooker_of(request: ChatRequest, policy: Policy, story: Story) -> Onlooker | None:
    """Who looks on while the answer streams; None where nobody has to."""
    checks, shadow = policy.rails["output"].checks, policy.shadow.get("output")
    if not checks and (shadow is None or shadow.empty):
        return None
    of_calls = [each for each in checks if each.check.scope == "calls"]

    def stops(said: Said) -> bool:
        findings = judge_now(of_calls, view_of(request, said))
        story.found(findings, "output", f"choices[{said.choice}].tool_calls")
        return blocks(findings)

    return Onlooker(
        shadow, lambda findings, where: story.shadowed(findings, "output", where), stops if of_calls else None
    )


def view_of(request: ChatRequest, said: Said) -> View:
    """The conversation and one choice of its answer. A role that nobody knows is not trusted."""
    passages = tuple(Passage(site.text, _ORIGINS.get(site.role, "tool"), site.path) for site in request.sites)
    return View(text=said.text, query=request.ask(), passages=passages, calls=said.calls)


def judge_now(checks: Iterable[Checked], view: View) -> tuple[Finding, ...]:
    """The checks that need nobody: those of tool calls, inside a stream."""
    found: list[Finding] = []
    for check, lost in checks:
        try:
            next(check.run(view))
        except StopIteration as end:
            # What was written again cannot be put into a stream that has left: no verdict, hence no pass.
            found += end.value if isinstance(end.value, tuple) else (_lost(check.guard, lost, view),)
        except Exception:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
            found.append(_lost(check.guard, lost, view))
        else:
            found.append(_lost(check.guard, lost, view))  # it asked, and there is no time to answer
    return tuple(found)


class Judged(NamedTuple):
    """What the checks make of one choice.

    Attributes:
        findings: all of them. Those of an answer that was written again are spent: their actions are ``detect``.
        text: the answer as it was written again; None where it stands as it is.
    """

    findings: tuple[Finding, ...]
    text: str | None = None


async def judge(checks: Iterable[Checked], view: View, desk: Desk) -> Judged:
    """Every check, in order. What one has written again, the next one judges."""
    found: list[Finding] = []
    text: str | None = None
    for check, lost in checks:
        steps = check.run(view)
        try:
            wanted = next(steps)
            while True:
                try:
                    reply = await _done(wanted, desk)
                except CheckFailed as fault:
                    wanted = steps.throw(fault)
                else:
                    wanted = steps.send(reply)
        except StopIteration as end:
            told = end.value
            if isinstance(told, Rewritten):
                found += [replace(finding, action=min(finding.action, Action.DETECT)) for finding in told.before]
                found += told.after
                text, view = told.text, replace(view, text=told.text)
            else:
                found += told
        except Exception:  # noqa: BLE001  (a check that broke is a finding)
            found.append(_lost(check.guard, lost, view))
    return Judged(tuple(found), text)


def blocks(findings: Iterable[Finding]) -> bool:
    """Whether one of them says block."""
    return any(finding.action is Action.BLOCK for finding in findings)


def _lost(guard: str, lost: Action, view: View) -> Finding:
    return Finding(guard, "ERROR", 1.0, 0, len(view.text), lost, f"{guard}.error")


def _done(wanted: Ask | Prove, desk: Desk) -> Awaitable[Any]:
    return _asked(wanted, desk) if isinstance(wanted, Ask) else desk.cell.prover.prove(wanted)


async def _asked(ask: Ask, desk: Desk) -> str:
    """The answer's text of the tier that was asked.

    Raises:
        CheckFailed: no model serves the tier, or it failed.
    """
    deployment = desk.serving(ask.tier)
    if deployment is None:
        raise CheckFailed(f"no model serves {ask.tier}")
    story, step = desk.story, Try(0, deployment.tier, deployment, 0.0)
    begun = story.elapsed_ms()
    deadline = desk.deadline()
    body, usage, hold = _body(ask, deployment), None, None
    try:
        async with asyncio.timeout(deadline.total):
            if story.account is not None:
                hold = await story.account.hold(deployment, Size(len(body) // 4, len(body), None, ask.max_tokens))
                body = capped(body, hold.cap, deployment.model)
            asked = partial(desk.cell.upstreams[deployment.upstream].chat, body, deadline)
            reply = await beside(story, deployment.name, asked, deployment.tier)
        reading, usage = reading_of(reply.body)
        usage = usage or Usage(input_tokens=len(body) // 4, output_tokens=reading.tokens, source="estimated")
    except (LimitReached, LimitsAway, PriceUnknown):
        raise CheckFailed("a limit leaves nothing for the model that was to be asked") from None
    except (UpstreamError, TimeoutError, ValueError) as error:
        fault = fault_of(error)
        story.call_failed(step, fault, "check", Times(begun))
        settle(hold, None, fault)
        raise CheckFailed("the model that was asked did not answer") from None
    except asyncio.CancelledError:
        if hold is not None or story.account is None:  # it was made, and is paid for
            story.call_judged(step, "cancelled", None, None, Note("check", None, Times(begun)))
        raise
    finally:
        settle(hold, usage)
    note = Note("check", None, Times(begun, story.elapsed_ms(), story.elapsed_ms()))
    story.call_judged(step, "ok", usage, reading.finish, note)
    return reading.text


def _body(ask: Ask, deployment: Deployment) -> bytes:
    """A chat completion that says as little as it can."""
    body: dict[str, object] = {
        "model": deployment.model,
        "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
        "max_tokens": ask.max_tokens,
        # The same question gives the same answer, unless samples of it are to be compared.
        "temperature": 0.7 if ask.sample else 0,
    }
    if ask.schema is not None:
        schema = {"name": "answer", "schema": ask.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return msgspec.json.encode(body)
