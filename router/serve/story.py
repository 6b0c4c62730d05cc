"""The record in the making: what happened to one request, kept from its arrival to its last byte."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from guardrails import Action, Finding
from router.core.affinity import Stay, Warm, remember
from router.core.cost import cost_of
from router.core.resilience.deadline import NONE
from router.errors import (
    BadRequest,
    LimitReached,
    LimitsAway,
    PriceUnknown,
    StillhouseError,
    UpstreamAbstained,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from router.ledger.record import AttemptKind, AttemptOutcome, AttemptRecord, Found, Mode, Outcome, RequestRecord
from router.serve.limits.shield import ending_of
from router.types import Decision, Deployment, Features, Reason, Score, TierName, Usage

if TYPE_CHECKING:
    from guardrails.run import Hurry
    from policies.policy import Policy
    from router.core.decide import Fleet
    from router.core.explore import Lot
    from router.core.plan import Try
    from router.core.resilience import Call, Entry, Gate
    from router.core.surfaces.base import Carried
    from router.serve.capturing import Hearing
    from router.serve.cell import Cell
    from router.serve.limits.account import Account

Direction = Literal["input", "output"]


class Times(NamedTuple):
    """Milliseconds since the request arrived; ``ended`` is now where it is not said."""

    begun: float
    first: float | None = None
    ended: float | None = None


class Note(NamedTuple):
    """What a cascade knows of one call.

    ``recorded`` says that its attempt stands in the ledger already: the answer was turned down, and kept
    in the end because nothing better came.
    """

    kind: AttemptKind | None = None
    signals: Mapping[str, float] | None = None
    times: Times | None = None
    recorded: bool = False


MOST_FINDINGS = 1_000  # that a record keeps; more are acted on and counted all the same


class Story:
    """Mutable, one a request, never shared. ``finish`` turns it into frozen records and gives its place back."""

    heavy = False  # work of it was taken by the cell's workers, see ``router.serve.guards.aside``
    waited = 0.0  # seconds in line for them

    def __init__(self, cell: Cell, request_id: str, endpoint: str) -> None:
        self.cell = cell
        self.account: Account | None = None  # what it may use; None without limits
        self.output_cap: int | None = None  # the max_tokens that the money reserved for this call pays
        self.id = request_id
        self.endpoint = endpoint
        self.at_ms = cell.now_ms()
        self.begun = cell.clock()
        self.tenant = "default"
        self.key_id: str | None = None
        self.session: str | None = None
        self.session_name = b""
        self.stay: Stay | None = None
        self.tag: str | None = None
        self.stream = False
        self.requested_model = ""
        self.mode: Mode = "routed"
        self.variant = ""
        self.on_trial: Reason | None = None
        self.policy: Policy | None = None
        self.prompt_hash: str | None = None
        self.features: Features | None = None
        self.score: Score | None = None
        self.decision: Decision | None = None
        self.lot: Lot | None = None
        self.findings: list[Found] = []
        self.foreseen: dict[tuple[str, str], tuple[Finding, ...]] | None = None  # see ``router.serve.guards.aside``
        self.hurry_in: Hurry | None = None  # until when, where some of the input was looked at ahead
        self.actions: dict[Direction, Action] = {"input": Action.NONE, "output": Action.NONE}
        self.attempts: list[AttemptRecord] = []
        self.deployment: Deployment | None = None
        self.fleet: Fleet | None = None  # what was there when it was decided; the request sees no other
        self.limit = NONE
        self.gate: Gate | None = None
        self.entry: Entry | None = None
        self.calls: dict[int, tuple[str, Call]] = {}  # under way: index of the try -> deployment, its breaker's
        self.last_error: UpstreamError | None = None
        self.looks: frozenset[str] = frozenset()  # resting deployments that it may ask, for there is nobody else
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.kept: Note | None = None
        self.outcome: Outcome = "ok"
        self.status = 200
        self.error_code: str | None = None
        self.spent: dict[str, float] = {}
        self.total_ms: float | None = None  # where work goes on after the last byte: when that left
        self.delivered = False  # the caller has all of the answer: leaving now is no loss
        self.hearing: Hearing | None = None  # what is said in it, where it is kept; see ``router.serve.capturing``
        self.carried: Carried | None = None  # see ``router.core.surfaces``
        self._call_begun = 0.0
        self._call_first: float | None = None

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (self.cell.clock() - self.begun) * 1e3

    def spend(self, part: str, since: float) -> None:
        """Add the time since ``since`` (the cell's clock) to a part of the latency."""
        self.spent[part] = self.spent.get(part, 0.0) + (self.cell.clock() - since) * 1e3

    def found(self, findings: Sequence[Finding], direction: Direction, where: str) -> None:
        """Note findings; the text they were found in is not kept."""
        for finding in findings:
            if len(self.findings) < MOST_FINDINGS:
                self.findings.append(Found.of(finding, direction, where))
            self.cell.metrics.guards.add(1, finding.guard, direction, finding.action.word)
            self.actions[direction] = max(self.actions[direction], finding.action)

    def shadowed(self, findings: Sequence[Finding], direction: Direction, where: str) -> None:
        """Note what a shadow guard found; it changes nothing."""
        for finding in findings:
            if len(self.findings) < MOST_FINDINGS:
                self.findings.append(Found.of(finding, direction, where, shadow=True))
            self.cell.metrics.shadows.add(1, finding.guard, direction, finding.action.word)

    def fail(self, error: StillhouseError) -> None:
        """Note how the request ended badly."""
        self.status, self.error_code = error.status, error.code
        if self.account is not None and isinstance(error, LimitReached | LimitsAway | PriceUnknown):
            self.account.refused()
        if isinstance(error, UpstreamRejected | BadRequest):
            self.outcome = "bad_request"
        elif isinstance(error, UpstreamError):
            self.outcome = "upstream_error"
        else:
            self.outcome = "refused"

    # --- attempts

    def call_begins(self) -> None:
        """A deployment is about to be asked."""
        self._call_begun = self.elapsed_ms()
        self._call_first = None

    def call_first_byte(self) -> None:
        """The head of its answer is there."""
        if self._call_first is None:
            self._call_first = self.elapsed_ms()

    def call_failed(
        self, step: Try, error: UpstreamError, kind: AttemptKind | None = None, times: Times | None = None
    ) -> None:
        """It failed before anything was sent to the caller."""
        beside = kind in ("sample", "check")
        outcome: AttemptOutcome = "error"
        if isinstance(error, UpstreamAbstained):  # the call after it is a first one, not a retry that must be paid
            self.because([Reason(id="abstained", text=f"{step.deployment.name} was asked first. {error.message}")])
            self._attempt(step, "abstained", None, error, kind=kind)
            return
        if not beside:
            self.last_error = error
        if isinstance(error, UpstreamRejected):
            outcome = "rejected"
        elif isinstance(error, UpstreamTimeout):
            outcome = "timeout"
        note = Note() if self.kept is None or beside else self.kept
        if not note.recorded:
            self._attempt(
                step, outcome, None, error, kind=kind or note.kind, signals=note.signals, times=times or note.times
            )

    def call_ended(self, step: Try, outcome: AttemptOutcome, error: UpstreamError | None = None) -> None:
        """Its answer was used, whole or in part."""
        self.deployment = step.deployment
        note = self.kept or Note()
        if not note.recorded:
            self._attempt(step, outcome, self.usage, error, kind=note.kind, signals=note.signals, times=note.times)

    def call_judged(
        self, step: Try, outcome: AttemptOutcome, usage: Usage | None, finish: str | None, note: Note
    ) -> None:
        """A cascade's answer that was turned down, or a sample that was compared: paid for, not served."""
        self._attempt(step, outcome, usage, None, kind=note.kind, signals=note.signals, times=note.times, finish=finish)

    def call_answers(self, step: Try) -> None:
        """Its server lives, whatever is still done with what came: judging an answer is no silence."""
        name, call = self.calls[step.index]
        self.cell.shield.answered(self.tenant, name, call, self.cell.clock())

    def call_forgotten(self, step: Try) -> None:
        """It came to no end of its own, for we made a mistake."""
        self._tell_breaker(step, "cancelled", None)

    def _tell_breaker(self, step: Try, outcome: AttemptOutcome, error: UpstreamError | None) -> None:
        if step.index not in self.calls:
            return
        name, call = self.calls.pop(step.index)
        ending = "gone" if outcome == "cancelled" else ending_of(error, self.elapsed_ms() / 1e3, self.limit)
        shield = self.cell.shield
        shield.end(self.tenant, name, call, ending, self.cell.clock(), error)

    def last_try(self) -> AttemptRecord | None:
        """The last call whose answer might have been the caller's; samples and checks are beside them."""
        return next((each for each in reversed(self.attempts) if each.kind not in ("sample", "check")), None)

    def times(self) -> Times:
        """When the call that runs now began, and when its first byte came."""
        return Times(self._call_begun, self._call_first)

    def because(self, reasons: Sequence[Reason]) -> None:
        """Add reasons that were found after the decision."""
        if self.decision is not None and reasons:
            added = (*self.decision.reasons, *reasons)
            self.decision = msgspec.structs.replace(self.decision, reasons=added)

    def decided(self, decision: Decision) -> Decision:
        """Keep the decision; that its policy is on trial comes first among the reasons."""
        if self.on_trial is not None:
            decision = msgspec.structs.replace(decision, reasons=(self.on_trial, *decision.reasons))
        self.decision = decision
        return decision

    def _attempt(
        self, step: Try, outcome: AttemptOutcome, usage: Usage | None, error: UpstreamError | None, *,
        kind: AttemptKind | None = None, signals: Mapping[str, float] | None = None,
        times: Times | None = None, finish: str | None = None,
    ) -> None:  # fmt: skip
        d = step.deployment
        if kind not in ("sample", "check"):  # those settle and speak to the breaker themselves
            if self.account is not None:
                self.account.settle(step.index, usage, error)
            self._tell_breaker(step, outcome, error)
        if kind is None:
            before = self.last_try()
            kind = "first" if before is None else "retry" if before.deployment == d.name else "fallback"
        begun, first, ended = times or self.times()
        ended = self.elapsed_ms() if ended is None else ended
        self.attempts.append(
            AttemptRecord(
                n=len(self.attempts), tier=step.tier, deployment=d.name, model=d.model, upstream=d.upstream,
                outcome=outcome, kind=kind, lineage=d.lineage,
                started_ms=begun, first_byte_ms=first, ended_ms=ended,
                http_status=error.status if error else 200, error_code=error.code if error else None,
                tokens_in=usage.input_tokens if usage else None,
                tokens_out=usage.output_tokens if usage else None,
                tokens_cached=usage.cached_tokens if usage else None,
                tokens_source=usage.source if usage else None,
                cost_nano=cost_of(usage, d.price) if usage else None,
                price_source=d.price.source, finish_reason=(finish or self.finish_reason) if usage else None,
                signals=signals,
            )
        )  # fmt: skip
        if kind != "sample":  # samples run side by side; who waits for them counts the time once
            self.spent["upstream"] = self.spent.get("upstream", 0.0) + ended - begun
        metrics = self.cell.metrics
        metrics.attempts.add(1, step.tier, outcome)
        metrics.upstream.observe((ended - begun) / 1e3, step.tier)
        if first is not None:
            metrics.first_byte.observe((first - begun) / 1e3, step.tier)

    # --- the session

    def served(self, step: Try) -> None:
        """A deployment has begun to answer: it has read the conversation so far."""
        self.call_first_byte()
        self.keeps(step)

    def keeps(self, step: Try) -> None:
        """Its answer is the one the caller gets."""
        self.deployment = d = step.deployment
        if self.stay is None or self.features is None or d.abstains:
            return  # a head keeps nothing warm, and the next turn need not be its
        warm = Warm(step.tier, d.name, d.upstream, self.features.input_tokens, self.stay.now)
        self.cell.sessions.put(self.session_name, remember(self.stay.memory, warm, self.features.turns))

    def moved_from(self, deployment: Deployment) -> bool:
        """Whether the conversation comes to ``deployment`` from another upstream."""
        memory = self.stay.memory if self.stay else None
        return memory is not None and memory.last.upstream != deployment.upstream

    def _derived_session(self) -> str | None:
        """A name for the ledger that joins the turns of one conversation; nothing can be read from it."""
        return f"~{self.session_name.hex()}" if self.session_name else None

    # --- the end

    def cost(self) -> int | None:
        """Nano-dollars of all attempts that answered; None when one of them is unknown."""
        total: int | None = None
        for attempt in self.attempts:
            if attempt.tokens_out is None:
                continue
            if attempt.cost_nano is None:
                return None
            total = (total or 0) + attempt.cost_nano
        return total

    def finish(self) -> tuple[RequestRecord, tuple[AttemptRecord, ...]]:
        """The frozen records, and the metrics of the whole request."""
        if self.account is not None:
            self.account.leave()
        for name, call in self.calls.values():  # none is left, unless we made a mistake
            self.cell.shield.end(self.tenant, name, call, "gone", self.cell.clock(), None)
        if self.gate is not None and self.entry is not None:
            self.gate.leave(self.entry, self.cell.clock())
        total = self.elapsed_ms() if self.total_ms is None else self.total_ms
        cost = self.cost()
        self._count(total, cost)
        d, decision, score, policy, usage = self.deployment, self.decision, self.score, self.policy, self.usage
        last = self.last_try()
        large = self.cell.fleet(policy).prices.get("large") if policy else None
        record = RequestRecord(
            id=self.id, at_ms=self.at_ms, tenant=self.tenant, endpoint=self.endpoint, outcome=self.outcome,
            status=self.status, key_id=self.key_id, session=self.session or self._derived_session(),
            tag=self.tag, cell=self.cell.name, prompt_hash=self.prompt_hash,
            mode=self.mode, variant=self.variant, stream=self.stream, requested_model=self.requested_model,
            policy=policy.name if policy else "", policy_hash=policy.hash if policy else "",
            artefact_hash=score.artefact if score else None, price_book_hash=self.cell.book.hash,
            family=score.family if score else None, features=self.features,
            p_right=score.p_right if score else None, output_tokens=score.output_tokens if score else None,
            complexity=score.complexity if score else None, novelty=score.novelty if score else None,
            tier_wanted=decision.wanted if decision else None, tier_served=d.tier if d else None,
            reasons=decision.reasons if decision else (), propensity=decision.propensity if decision else 1.0,
            draw=self.lot.value if self.lot else None, draw_key=self.lot.key if self.lot else None,
            predicted_cost=decision.cost if decision else None, findings=tuple(self.findings),
            guard_in=self.actions["input"].word,  # type: ignore[arg-type]
            guard_out=self.actions["output"].word,  # type: ignore[arg-type]
            error_code=self.error_code, score_ms=self.spent.get("score"), guard_in_ms=self.spent.get("guard_in"),
            upstream_first_byte_ms=last.first_byte_ms if last else None, upstream_total_ms=self.spent.get("upstream"),
            guard_out_ms=self.spent.get("guard_out"), total_ms=total,
            tokens_in=usage.input_tokens if usage else None, tokens_out=usage.output_tokens if usage else None,
            tokens_cached=usage.cached_tokens if usage else None, tokens_source=usage.source if usage else None,
            model=d.model if d else "", cost_nano=cost, price_source=d.price.source if d else "unknown",
            baseline_nano=cost_of(usage, large) if usage and large else None,
            baseline_source=large.source if large else "unknown",
            place=b64encode(score.place).decode() if score and self.cell.settings.places else None,
        )  # fmt: skip
        return record, tuple(self.attempts)

    def _count(self, total_ms: float, cost: int | None) -> None:
        metrics = self.cell.metrics
        tier: TierName | Literal["none"] = self.deployment.tier if self.deployment else "none"
        metrics.requests.add(1, tier, self.outcome)
        if self.variant:
            metrics.arms.add(1, self.variant.partition(":")[0], self.outcome)
        metrics.overhead.observe(max(0.0, total_ms - self.spent.get("upstream", 0.0)) / 1e3)
        if self.usage is not None:
            metrics.tokens.add(self.usage.input_tokens, "input", self.usage.source)
            metrics.tokens.add(self.usage.output_tokens, "output", self.usage.source)
            if cost is None:
                metrics.unknown_cost.add(1, tier)
            else:
                metrics.cost.add(cost, tier)
