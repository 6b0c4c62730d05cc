"""What the ledger keeps: one row a request, one row an attempt under it. Numbers and names, never text.

Units: ``at_ms`` is milliseconds since the epoch; every other ``*_ms`` is a duration in milliseconds,
an attempt's counted from the arrival of its request, so a jump of the clock cannot bend it. Money is
integer nano-dollars; ``None`` is *unknown*, which is never zero. Hashes are content hashes.

The records are handed over as they are; the writer thread encodes them. Field names are column names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from guardrails.types import Action, Finding
from router.types import Features, Frozen, Lineage, Reason, TierName, TokenSource

Outcome = Literal[
    "ok",
    "blocked_input",
    "blocked_output",
    "refused",  # by us: no key, no right, a limit, too large, draining
    "bad_request",  # the request was wrong, here or at the upstream
    "upstream_error",
    "client_gone",
    "internal_error",
]
AttemptOutcome = Literal["ok", "error", "timeout", "rejected", "cancelled", "blocked", "not_good_enough", "abstained"]
AttemptKind = Literal["first", "retry", "fallback", "escalation", "sample", "check"]
Mode = Literal["routed", "pinned", "direct", "observed", "guard"]
GuardAction = Literal["none", "detect", "mask", "block"]

OWN_PRICE = "config"
"""The ``price_source`` of a price that the operator wrote down. Any other known source is a reference
price, and money counted with it is called hypothetical."""


class Found(Frozen, frozen=True, kw_only=True):
    """One finding as the ledger keeps it: where and what kind, never the text that was found.

    ``where`` is the field that was read, e.g. ``messages[2].content`` or ``choices[0].message.content``.
    ``shadow`` says that a shadow guard found it: nothing was done about it.
    """

    direction: Literal["input", "output"]
    where: str
    guard: str
    category: str
    score: float
    start: int
    end: int
    action: GuardAction
    reason: str
    shadow: bool = False

    @property
    def confidence(self) -> str:
        """As of the finding."""
        return Finding(self.guard, self.category, self.score, 0, 0, Action.NONE, self.reason).confidence

    @classmethod
    def of(cls, finding: Finding, direction: Literal["input", "output"], where: str, *, shadow: bool = False) -> Found:
        """Note a guard's finding, without its text (it has none)."""
        action: GuardAction = finding.action.word  # type: ignore[assignment]
        return cls(
            direction=direction,
            where=where,
            guard=finding.guard,
            category=finding.category,
            score=finding.score,
            start=finding.start,
            end=finding.end,
            action=action,
            reason=finding.reason,
            shadow=shadow,
        )


class AttemptRecord(Frozen, frozen=True, kw_only=True):
    """One call to one deployment.

    Attributes:
        n: 0 for the first call of the request; a sample has the number of the answer it is compared with.
        n: its place among the request's attempts, in the order in which they ended; it tells them apart.
        kind: why it was made; ``escalation`` follows an answer that was not good enough, ``sample`` asks
            the same again to see whether the answer agrees with itself, ``check`` asks about the answer for a guard.
        started_ms, first_byte_ms, ended_ms: since the request arrived.
        tokens_cached: the part of ``tokens_in`` that the upstream read from its cache.
        cost_nano: what this call cost; ``None`` when the price or the tokens are unknown.
        finish_reason: the upstream's own word.
        signals: numbers that a checker of answers used (log-probabilities, agreement, …).
    """

    n: int
    tier: TierName | None
    deployment: str
    model: str
    upstream: str
    outcome: AttemptOutcome
    started_ms: float
    kind: AttemptKind = "first"
    lineage: Lineage = Lineage()
    http_status: int | None = None
    error_code: str | None = None
    first_byte_ms: float | None = None
    ended_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_source: TokenSource | None = None
    cost_nano: int | None = None
    price_source: str = "unknown"
    finish_reason: str | None = None
    signals: Mapping[str, float] | None = None


class RequestRecord(Frozen, frozen=True, kw_only=True):
    """One request from arrival to last byte.

    With ``policy_hash``, ``artefact_hash``, ``features`` and ``draw`` the decision can be made again.

    Attributes:
        id: our ``x-request-id``; unique.
        cell: the process that served it.
        mode: ``routed`` by the policy, ``pinned`` by ``stillhouse pin``, ``direct`` when the caller
            named a tier or model, ``observed`` when the decision was made but not followed, ``guard`` when
            only guards were asked.
        parent: the request that this one continues (an escalation or retry across requests).
        variant: the arm of a roll-out that served it, e.g. ``canary``; empty outside one.
        prompt_hash: keyed hash of the tenant and the last ask, to see repeats without keeping text; ``None`` where
            the settings say not to keep it.
        requested_model, tag, session: the caller's own words; cut at 256 code points when stored.
        place: where the scorer placed the prompt, little-endian 16-bit floats in base64; no text can be read
            from it. ``None`` without a scorer, or where the settings say not to keep it.
        features: what the rules saw. p_right, output_tokens: the scorer's opinion by tier.
        propensity: probability of this choice under the policy. draw, draw_key: the lot it was drawn
            with and the name of the salt behind it, where the policy explores.
        predicted_cost: tier -> nano-dollars, before the call.
        guard_in, guard_out: the strictest action a side took.
        queue_ms: waiting before work began. upstream_first_byte_ms, upstream_total_ms: of the attempt
            that answered. total_ms: arrival to last byte. cpu_us: our own CPU, if measured.
        tokens_*: of the answer that was served.
        cost_nano: of all attempts together; ``None`` when one of them is unknown.
        baseline_nano: what the large tier would have cost for the tokens of the served answer, by
            the price book of the moment; ``None`` when unknown. The saving is measured against it.
        price_source, baseline_source: ``OWN_PRICE``, the name of a price book, or ``unknown``.
    """

    id: str
    at_ms: int
    tenant: str
    endpoint: str
    outcome: Outcome
    status: int
    key_id: str | None = None
    session: str | None = None
    tag: str | None = None
    cell: str = "0"
    mode: Mode = "routed"
    parent: str | None = None
    variant: str = ""
    prompt_hash: str | None = None
    stream: bool = False
    requested_model: str = ""
    policy: str = ""
    policy_hash: str = ""
    artefact_hash: str | None = None
    price_book_hash: str | None = None
    family: str | None = None
    features: Features | None = None
    p_right: Mapping[str, float] | None = None
    output_tokens: Mapping[str, float] | None = None
    complexity: float | None = None
    novelty: float | None = None
    tier_wanted: TierName | None = None
    tier_served: TierName | None = None
    reasons: tuple[Reason, ...] = ()
    propensity: float = 1.0
    draw: float | None = None
    draw_key: str | None = None
    predicted_cost: Mapping[str, int] | None = None
    findings: tuple[Found, ...] = ()
    guard_in: GuardAction = "none"
    guard_out: GuardAction = "none"
    error_code: str | None = None
    queue_ms: float | None = None
    score_ms: float | None = None
    guard_in_ms: float | None = None
    upstream_first_byte_ms: float | None = None
    upstream_total_ms: float | None = None
    guard_out_ms: float | None = None
    total_ms: float | None = None
    cpu_us: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_source: TokenSource | None = None
    model: str = ""
    cost_nano: int | None = None
    price_source: str = "unknown"
    baseline_nano: int | None = None
    baseline_source: str = "unknown"
    place: str | None = None
