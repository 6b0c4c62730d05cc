"""What decides without a server: guards, scorer, policy and a fleet, for one request at a time. Nothing is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardrails import Action, Placeholders
from guardrails.catalog import names
from policies.policy import Policy
from router.core.decide import Caller, Fleet, decide
from router.core.features import features_of
from router.core.models import profile_name
from router.core.turns import turn_of
from router.core.wire import ChatRequest, read_chat
from router.types import Decision, Features, Score

if TYPE_CHECKING:
    from guardrails import Finding
    from router.score import Scorer


@dataclass(frozen=True, slots=True)
class Judged:
    """One prompt's way through guards, scorer and policy."""

    features: Features
    score: Score | None
    decision: Decision
    findings: tuple[Finding, ...]
    blocked: bool


@dataclass(frozen=True, slots=True)
class Bench:
    """A policy ready to decide."""

    policy: Policy
    scorer: Scorer | None
    fleet: Fleet

    def judge(self, request: ChatRequest, caller: Caller, given: Score | None = None) -> Judged:
        """Guard, score, decide. Pure; ``given`` stands in for what the scorer would say."""
        rails, held = self.policy.rails["input"], Placeholders()
        findings: list[Finding] = []
        blocked = False
        if not rails.empty:
            for site in request.texts:
                verdict = rails.check(site.text, held, role=site.role)
                findings += verdict.findings
                blocked |= verdict.action is Action.BLOCK
        found = names((f.guard, f.category, f.confidence) for f in findings)
        ask = request.ask()
        features = features_of(request, ask, found)
        turn = turn_of(request, self._score if given is None else lambda _: given)
        whole = Caller(tenant=caller.tenant, tags=caller.tags, tier=caller.tier, text=ask)
        decision = decide(self.policy, features, turn.score, whole, self.fleet, turn)
        return Judged(features, turn.score, decision, tuple(findings), blocked)

    def _score(self, text: str) -> Score | None:
        return self.scorer.score(text, profile_name(self.policy.body)) if self.scorer else None


def request_of(prompt: str | None, messages: Any = None, tools: Any = None) -> ChatRequest:
    """A chat request for a bare prompt, or for messages and tools.

    Raises:
        BadRequest: the messages are not OpenAI's.
    """
    body: dict[str, Any] = {"model": "auto"}
    body["messages"] = [{"role": "user", "content": prompt}] if messages is None else messages
    if tools is not None:
        body["tools"] = tools
    return read_chat(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))
