"""What decides without a server: a policy, the scorer and what could be asked, for ``explain`` and ``route``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails import Action, Placeholders
from guardrails.catalog import names
from policies.load import load_policy
from policies.mistakes import Mistakes
from policies.policy import Policy
from router.core.decide import Caller, Fleet, decide
from router.core.features import features_of
from router.core.turns import turn_of
from router.core.wire import ChatRequest, read_chat
from router.registry.prices import PriceBook
from router.registry.references import reference_prices
from router.types import Decision, Features, Score
from stillhouse.cli import show

if TYPE_CHECKING:
    from guardrails import Finding
    from router.score import Scorer
    from router.serve.settings import Settings


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

    def judge(self, request: ChatRequest, caller: Caller) -> Judged:
        """Guard, score, decide. Pure; nothing is asked."""
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
        turn = turn_of(request, self._score)
        whole = Caller(tenant=caller.tenant, tags=caller.tags, tier=caller.tier, text=ask)
        decision = decide(self.policy, features, turn.score, whole, self.fleet, turn)
        return Judged(features, turn.score, decision, tuple(findings), blocked)

    def _score(self, text: str) -> Score | None:
        return self.scorer.score(text, self.policy.body.family) if self.scorer else None


def bench(policy: str, settings: Settings | None) -> Bench:
    """Load what is needed; ends the command with words where it cannot be had."""
    scorer = scorer_in_use(settings)
    families = frozenset(scorer.families) if scorer else None
    try:
        loaded = load_policy(policy, families=families)
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    prices = dict(reference_prices(loaded.body.family))
    if settings is None:
        return Bench(loaded, scorer, Fleet((), prices))
    from router.serve.settings import deployments_of

    deployments = deployments_of(settings, PriceBook.load())
    for d in reversed(deployments):
        if d.price.input is not None and d.price.output is not None:
            prices[d.tier] = d.price
    return Bench(loaded, scorer, Fleet(deployments, prices))


def scorer_in_use(settings: Settings | None) -> Scorer | None:
    """What a gateway with these settings on this machine would score with; says where it cannot be had."""
    from router.serve.scoring import Watch

    found = Watch(None if settings is None else settings.scorer).look()
    if found.scorer is None:
        show.note(f"no scorer: {found.fault}")
    return found.scorer


def settings_or_none(config: Path | None) -> Settings | None:
    """The settings of a file; None without one."""
    if config is None:
        return None
    from router.serve.settings import load_settings

    try:
        return load_settings(config)
    except Mistakes as mistakes:
        show.fail(f"{config} has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")


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
