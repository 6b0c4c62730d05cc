"""Try, check, escalate: a small tier is asked first, and its answer kept if the checkers are satisfied. Pure.

``climb`` is a generator over ``router.core.plan``: it yields whom to ask and for how long, and is sent
what came of it and when. The laws, each kept by a property test:

- at most ``max_escalations`` answers are turned down;
- no call begins at or after the deadline, and none may last beyond it;
- a tier that fails is replaced by the next one up, as in a plan without a cascade;
- where an escalation fails, the best answer so far is kept; an answer is never lost;
- the last tier that may be asked is not checked: nothing would come of it.

``ladder`` says where to begin. The scorer's choice stays the promise; a cheaper tier is tried before it
only where that saves money: a try costs ``c`` and spares ``C`` with at most the chance P that the cheaper
tier is right, so it pays where P > c / C. The answer's quality does not rest on this rule but on the
checkers, so nothing else is weighed. Unknown ground is left to the policy's fallback tier, and where the
scorer chooses a tier below ``start``, that tier is asked and its answer not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Literal

from policies.schema import PolicyBody
from router.core.checks import Terms, Verdict
from router.core.decide import RANK, Fleet
from router.core.plan import Try, plan
from router.errors import CallError
from router.types import Decision, Deployment, Features, Frozen, Reason, Score, TierName

Rung = tuple[TierName, Deployment]
Kind = Literal["first", "retry", "fallback", "escalation"]


class Limits(Frozen, frozen=True, kw_only=True):
    """``deadline``: seconds since the request arrived. ``max_escalations``: answers that may be turned down."""

    max_escalations: int
    deadline: float


class Ask(Frozen, frozen=True, kw_only=True):
    """Ask ``step.deployment``.

    Attributes:
        kind: why, in the ledger's words.
        above: tiers that may still be asked after it; empty means that the answer is kept unchecked.
        seconds: how long the call may take, its pause and its wait for money included.
    """

    step: Try
    kind: Kind
    above: tuple[TierName, ...]
    seconds: float


class Told(Frozen, frozen=True, kw_only=True):
    """What came of an ``Ask``: an error, or a verdict (any will do where nothing was to be checked).

    ``at`` is seconds since the request arrived.
    """

    at: float
    verdict: Verdict | None = None
    error: CallError | None = None


class Outcome(Frozen, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        kept: index of the try whose answer is used; None when none came.
        reasons: in order.
        error: the last one, where no answer came.
    """

    kept: int | None
    reasons: tuple[Reason, ...]
    error: CallError | None = None


class _Best(Frozen, frozen=True, kw_only=True):
    index: int
    tier: TierName
    chance: float


def ladder(
    decision: Decision, start: TierName, score: Score | None, there: Sequence[TierName], limits: Limits, calls: int = 1
) -> tuple[tuple[TierName, ...], Reason | None]:
    """The tiers to climb, cheapest first; empty where there is nothing to climb.

    Args:
        decision: what the policy chose; ``free`` holds the tiers its rules left to choose from.
        start: the policy's first tier to try.
        score: the scorer's opinion, if there is one.
        there: tiers with a deployment for this request, cheapest first.
        limits: how many answers may be turned down.
        calls: how often a tier is asked before its answer is judged.
    """
    served = decision.served
    if served is None or not decision.free or RANK[served] < RANK[start]:
        return (), None
    free = [t for t in there if t in decision.free]
    below = [t for t in free if RANK[start] <= RANK[t] < RANK[served]]
    reason: Reason | None = None
    if any(r.id == "unknown-ground" for r in decision.reasons):
        below = []
    elif below:
        paying = [t for t in below if _pays(t, served, score, decision, calls)]
        if len(paying) < len(below):
            reason = _skipped([t for t in below if t not in paying], score)
        below = paying
    # The served tier must stay within reach, else the escalations would end below the policy's promise.
    climbed = (*below[: limits.max_escalations], *(t for t in free if RANK[t] >= RANK[served]))
    if len(climbed) < 2 or limits.max_escalations == 0:
        return (), reason
    return climbed, reason


def planned(
    body: PolicyBody, decision: Decision, score: Score | None, features: Features, fleet: Fleet
) -> tuple[tuple[TierName, ...], Reason | None]:
    """``ladder`` for a request under a policy; empty where the policy has no cascade."""
    cascade = body.cascade
    if cascade is None:
        return (), None
    there = [t for t in body.tiers if fleet.serving(t, features=features, private=decision.private)]
    limits = Limits(max_escalations=cascade.max_escalations, deadline=cascade.deadline)
    calls = 1 + (cascade.samples if "agreement" in cascade.checks else 0)
    return ladder(decision, cascade.start, score, there, limits, calls)


def terms_of(body: PolicyBody) -> Terms:
    """What a policy's cascade asks of an answer; its own measure, else the policy's aim asked again."""
    cascade, quality = body.cascade, body.quality
    assert cascade is not None
    if cascade.accept is not None or cascade.keep is not None or not cascade.evidence:
        return Terms(checks=cascade.checks, accept=cascade.accept, keep=cascade.keep)
    if quality is not None:
        return Terms(checks=cascade.checks, accept=quality.floor, quality=quality if quality.floor is None else None)
    return Terms(checks=cascade.checks, dial=body.cost_quality)


def _pays(tier: TierName, served: TierName, score: Score | None, decision: Decision, calls: int) -> bool:
    """Whether a try may save more than it costs; where a figure is unknown the policy's word stands."""
    chance = None if score is None else score.p_right.get(tier)
    mine, theirs = decision.cost.get(tier), decision.cost.get(served)
    if chance is None or mine is None or theirs is None:
        return True
    return chance * theirs > mine * calls


def _skipped(tiers: Sequence[TierName], score: Score | None) -> Reason:
    chances = ", ".join(f"{t} {score.p_right[t]:.2f}" for t in tiers) if score else ", ".join(tiers)
    return Reason(
        id="cascade-skipped", text=f"A try would cost more than it can save (chance of being right: {chances})."
    )


def climb(
    rungs: Sequence[Rung], tail: Sequence[Rung], limits: Limits, draw: Callable[[], float], now: float = 0.0
) -> Generator[Ask, Told, Outcome]:
    """Yield calls until an answer is kept or nothing is left.

    Args:
        rungs: what to climb, cheapest first, one deployment a tier.
        tail: asked only when a call fails and no rung is left; their answers are kept unchecked.
        limits: the policy's.
        draw: uniform in [0, 1); the jitter of retries.
        now: seconds since the request arrived.
    """
    at, tries, turned_down, place = now, 0, 0, 0
    best: _Best | None = None
    reasons: list[Reason] = []
    error: CallError | None = None
    while True:
        steps = plan([*rungs[place:], *tail], draw)
        before: Try | None = None
        step = next(steps, None)
        told: Told | None = None
        while step is not None:
            left = limits.deadline - at
            if left <= step.pause:
                steps.close()
                step = None
                break
            place = _place(rungs, step)
            above = tuple(t for t, _ in rungs[place + 1 :]) if turned_down < limits.max_escalations else ()
            told = yield Ask(
                step=Try(tries, step.tier, step.deployment, step.pause), kind=_kind(before, step, tries, best),
                above=above, seconds=left / 2 if above else left,
            )  # fmt: skip
            at, tries, before = max(at, told.at), tries + 1, step
            if told.error is None:
                steps.close()
                break
            error = told.error
            step = _next(steps, told.error)
        if step is None or told is None or told.error is not None:
            return _without_answer(best, reasons, error, late=at >= limits.deadline)
        index, verdict = tries - 1, told.verdict
        if not above or verdict is None:
            return Outcome(kept=index, reasons=tuple(reasons))
        if verdict.good:
            reasons.append(Reason(id="cascade-kept", text=f"{step.tier}'s answer is kept: {verdict.words}."))
            return Outcome(kept=index, reasons=tuple(reasons))
        best = _better(best, _Best(index=index, tier=step.tier, chance=verdict.chance or 0.0))
        if at >= limits.deadline:
            return _late(best, reasons)
        reasons.append(_turned_down(step.tier, verdict, rungs[place + 1][0]))
        turned_down, place = turned_down + 1, place + 1


def _place(rungs: Sequence[Rung], step: Try) -> int:
    """Where on the ladder a step stands; at its end for those who only stand in."""
    names = [deployment.name for _, deployment in rungs]
    return names.index(step.deployment.name) if step.deployment.name in names else len(rungs) - 1


def _kind(before: Try | None, step: Try, tries: int, best: _Best | None) -> Kind:
    if tries == 0:
        return "first"
    if before is None:
        return "escalation" if best is not None else "fallback"
    return "retry" if before.deployment.name == step.deployment.name else "fallback"


def _next(steps: Generator[Try, CallError | None, None], error: CallError) -> Try | None:
    try:
        return steps.send(error)
    except StopIteration:
        return None


def _better(best: _Best | None, new: _Best) -> _Best:
    """The likelier answer; of two alike the one of the higher tier, which came later."""
    return new if best is None or new.chance >= best.chance else best


def _turned_down(tier: TierName, verdict: Verdict, above: TierName) -> Reason:
    if verdict.missing:
        text = f"The check {verdict.check} did not run on {tier}'s answer ({verdict.words}), so {above} was asked."
        return Reason(id="cascade-check-missing", text=text)
    text = f"{tier}'s answer did not satisfy the check {verdict.check} ({verdict.words}), so {above} was asked."
    return Reason(id="cascade-escalated", text=text)


def _late(best: _Best, reasons: list[Reason]) -> Outcome:
    text = f"The deadline left no time to ask another tier, so {best.tier}'s answer is kept though a check failed."
    return Outcome(kept=best.index, reasons=(*reasons, Reason(id="cascade-deadline", text=text)))


def _without_answer(best: _Best | None, reasons: list[Reason], error: CallError | None, *, late: bool) -> Outcome:
    if best is None:
        return Outcome(kept=None, reasons=tuple(reasons), error=error)
    if late:
        return _late(best, reasons)
    text = f"No tier above answered, so {best.tier}'s answer is kept though a check failed."
    return Outcome(kept=best.index, reasons=(*reasons, Reason(id="cascade-escalation-failed", text=text)))
