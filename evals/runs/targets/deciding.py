"""A policy decides, or its guards read; no model is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from evals.runs.asking import AskError, ConfigError
from evals.runs.places import digest, policy_identity, program
from evals.runs.reply import Reply
from guardrails import Action, check
from guardrails.common import USUAL_ROLE
from router.core.decide import Caller, Fleet
from router.core.models import usable
from router.errors import BadRequest
from router.serve.offline import Bench, request_of
from router.types import TIER_NAMES, Score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evals.runs.places import Places
    from evals.suites.rows import Row
    from policies.policy import Policy
    from router.types import Deployment

#: Answer tokens of a row that brings the scorer's opinion without them.
_TOKENS = 200.0


class Deciding:
    """A policy over the suite's models, or over every tier at reference prices where no settings are named."""

    calls = False
    learns = False

    def __init__(self, name: str, places: Places, source: str, config: str | None, *, real: bool) -> None:
        self.name = name
        self._places = places
        self._source = source
        self._config = config
        self._real = real  # decide among the configured models

    async def open(self) -> None:
        policy = self._places.policy(self._source, self._config)
        self._policy = policy
        deployments: tuple[Deployment, ...] = self._places.deployments(self._config) if self._real else ()
        prices = self._places.prices(policy, self._config)
        scorer = self._places.worn(policy, self._config)
        self._bench = Bench(policy, scorer, Fleet(usable(policy.body, deployments), prices))
        self._who = digest(
            "policy", program(), policy_identity(policy), scorer.digest if scorer else None,
            self._places.identity(deployments, self._config) if deployments else [],
            {tier: [price.input, price.output] for tier, price in prices.items()},
        )  # fmt: skip

    def key(self, row: Row, sample: int) -> str:  # noqa: ARG002  (the same decision every time)
        if row.guarded:
            return guard_key(self._policy, row)
        return digest(self._who, row.messages or row.text, row.tools, row.given, row.caller)

    def foretell(self, row: Row) -> int:  # noqa: ARG002
        return 0

    async def ask(self, row: Row, sample: int) -> Reply:  # noqa: ARG002
        if row.guarded:
            return guarded(self._policy, row)
        try:
            request = request_of(
                None if row.messages else row.text, list(row.messages) or None, list(row.tools) or None
            )
        except BadRequest as error:
            raise AskError(f"{error.code}: {error.message}") from None
        caller = Caller(
            tenant=row.caller.get("tenant", "default"), tags=tuple(row.caller.get("tags") or ()),
            tier=row.caller.get("tier"),
        )  # fmt: skip
        since = time.process_time()
        judged = self._bench.judge(request, caller, None if row.given is None else _given(row.given, self._policy))
        took = (time.process_time() - since) * 1e3
        decision = judged.decision
        action = max((finding.action for finding in judged.findings), default=Action.NONE)
        return Reply(
            text=f"{decision.wanted}: {decision.because.text}", tier=decision.wanted,
            cost_nano=decision.cost.get(decision.wanted), baseline_nano=decision.cost.get("large"), latency_ms=took,
            reasons=tuple(reason.id for reason in decision.reasons), private=decision.private,
            p_right=judged.score.p_right if judged.score else {},
            action=action.word,
            categories=tuple(sorted({f.category for f in judged.findings})),
            alarm=max((f.score for f in judged.findings), default=0.0),
        )  # fmt: skip

    def priced(self, reply: Reply) -> Reply:
        """Prices are part of its key."""
        return reply

    async def close(self) -> None:
        """Nothing is held."""


class Guarding:
    """A policy's guards read each row's text: the text itself, or what a request asks last."""

    calls = False
    learns = False

    def __init__(self, name: str, places: Places, source: str, config: str | None) -> None:
        self.name = name
        self._places = places
        self._source = source
        self._config = config

    async def open(self) -> None:
        self._policy = self._places.policy(self._source, self._config)
        if all(rails.empty and not rails.checks for rails in self._policy.rails.values()):
            raise ConfigError(f"target {self.name!r}: the policy {self._policy.name!r} has no guards")

    def key(self, row: Row, sample: int) -> str:  # noqa: ARG002
        return guard_key(self._policy, row)

    def foretell(self, row: Row) -> int:  # noqa: ARG002
        return 0

    async def ask(self, row: Row, sample: int) -> Reply:  # noqa: ARG002
        return guarded(self._policy, row)

    def priced(self, reply: Reply) -> Reply:
        """Guards cost no money."""
        return reply

    async def close(self) -> None:
        """Nothing is held."""


def guard_key(policy: Policy, row: Row) -> str:
    """Names a verdict by the guards, whatever else the policy says."""
    return digest("guards", program(), policy.rails[row.direction].hash, row.direction, row.role, row.text)


def guarded(policy: Policy, row: Row) -> Reply:
    """What the guards of the row's direction make of its text.

    Raises:
        AskError: a guard could not be run, which is no verdict.
    """
    since = time.process_time()
    role = row.role or USUAL_ROLE[row.direction]
    verdict = check(row.text, policy.rails[row.direction], role=role)  # type: ignore[arg-type]
    took = (time.process_time() - since) * 1e3
    lost = sorted({finding.guard for finding in verdict.findings if finding.category == "ERROR"})
    if lost:
        raise AskError(f"guards that could not be run: {', '.join(lost)}")
    return Reply(
        text=verdict.text, action=verdict.action.word, latency_ms=took, cost_nano=0,
        categories=tuple(sorted({finding.category for finding in verdict.findings})),
        reasons=tuple(sorted({finding.reason for finding in verdict.findings})),
        alarm=max((finding.score for finding in verdict.findings), default=0.0),
    )  # fmt: skip


def _given(said: Mapping[str, object], policy: Policy) -> Score:
    right: Mapping[str, float] = said["right"]  # type: ignore[assignment]
    tokens: Mapping[str, float] = said.get("tokens") or {}  # type: ignore[assignment]
    return Score(
        p_right=right, output_tokens=dict.fromkeys(TIER_NAMES, _TOKENS) | dict(tokens),
        complexity=1 - min(right.values()), novelty=float(said.get("novelty") or 0.0),  # type: ignore[arg-type]
        artefact="given", family=policy.body.family,
    )  # fmt: skip
