"""The decision: policy, facts and score in; one tier and its reasons out. A total function.

The order, each step leaving a reason:

1. the operator's pin wins over everything but ``forbid`` and ``private`` rules;
2. the policy's rules, its floor's first: ``pin``, ``at_least``, ``forbid``, ``private``;
3. the caller's own choice of a tier, inside what the rules left;
4. the policy's aim over the remaining tiers (``quality``, ``cost_quality`` or ``budget``), or the
   fallback tier where there is no score or the prompt is unlike anything known;
5. what the turn of a conversation and its session ask for besides (``router.core.session``);
6. exploration near the threshold, where the policy asks for it (``router.core.explore``);
7. the tier that is there: a missing one, or one whose deployments rest after failures, is replaced by the next
   **up**; downwards only where the policy says ``allow_degrade: true``.

Same input, same decision: no clock, no randomness; what is remembered of a session comes in with ``stay``,
the lot of an exploration as ``lot``, which deployments rest with ``fleet``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from policies.policy import LayeredRule, Policy
from policies.schema import USUAL_QUALITY, PolicyBody
from router.core.affinity import Stay
from router.core.cost import cost_shares, predicted_costs
from router.core.explore import Lot, explore
from router.core.session import Choice, in_session
from router.core.turns import Turn
from router.types import TIER_NAMES, Decision, Deployment, Features, Price, Reason, Score, TierName

# Novelty is the share of known prompts that look less strange, so this gives up 5 % of known ground and asks the
# scorer's opinion of none that looks stranger: see docs/scorer.md.
NOVELTY_LIMIT = 0.95
PRIVATELY = "keeps it on private models"  # what the reason of a ``private`` rule says; whoever reads on must heed it
RANK: Mapping[str, int] = {name: i for i, name in enumerate(TIER_NAMES)}


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as far as a decision may depend on it.

    Attributes:
        tenant: the key's tenant, ``default`` without keys.
        tags: from ``x-stillhouse-tag``.
        tier: the tier the caller asked for by model name or header, if any.
        text: the last ask; only ``pattern`` rules look at it.
    """

    tenant: str = "default"
    tags: tuple[str, ...] = ()
    tier: TierName | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is there to be asked.

    Attributes:
        deployments: all of them, in configured order.
        prices: tier -> price used for forecasts (a deployment's own, else the family's reference).
        pin: the operator's emergency pin, if set.
        resting: deployments that are left alone after failures, by name.
    """

    deployments: tuple[Deployment, ...]
    prices: Mapping[str, Price]
    pin: TierName | None = None
    resting: frozenset[str] = frozenset()

    def serving(self, tier: str, *, features: Features, private: bool) -> tuple[Deployment, ...]:
        """Deployments of ``tier`` that can carry this request."""
        return tuple([d for d in self.carrying(features, private=private) if d.tier == tier])

    def carrying(self, features: Features, *, private: bool) -> list[Deployment]:
        """Deployments that can carry this request: input, tools and the output asked for.

        Many clients ask for more output than they need. Where no deployment of any tier has room for
        that, those that hold the input count.
        """
        tokens = features.input_tokens + features.max_output
        found = [d for d in self.deployments if _fits(d, features, tokens, private=private)]
        if not found and features.max_output:
            found = [d for d in self.deployments if _fits(d, features, features.input_tokens, private=private)]
        return [d for d in found if d.name not in self.resting] if self.resting else found

    def skipped(self, tiers: Sequence[str], *, features: Features, private: bool) -> tuple[str, ...]:
        """The names of those that would be asked were they not resting, in configured order."""
        able = replace(self, resting=frozenset()).carrying(features, private=private)
        return tuple([d.name for d in able if d.tier in tiers and d.name in self.resting])


def _fits(d: Deployment, features: Features, tokens: int, *, private: bool) -> bool:
    return (
        (d.private or not private)
        and (d.tools or not features.tools)
        and (d.images or not features.images)
        and (d.context_window is None or tokens <= d.context_window)
    )


def decide(
    policy: Policy,
    features: Features,
    score: Score | None,
    caller: Caller,
    fleet: Fleet,
    turn: Turn | None = None,
    stay: Stay | None = None,
    *,
    lot: Lot | None = None,
) -> Decision:
    """Choose a tier. ``served`` is None only when no deployment may serve the request at all.

    ``turn`` is what the conversation shows, ``stay`` its session; without them the request stands alone.
    ``lot`` decides whether a near tier is explored; without it none is.
    """
    reasons: list[Reason] = []
    rules = _apply_rules(policy, features, caller, reasons)
    allowed, ruled = rules.allowed, tuple(reasons)
    costs = predicted_costs(features.input_tokens, score, fleet.prices)
    carried = {d.tier for d in fleet.carrying(features, private=rules.private)}
    there = [t for t in allowed if t in carried]

    wanted: TierName
    propensity = 1.0
    free: tuple[TierName, ...] = ()
    if fleet.pin is not None:
        wanted = _clamp(fleet.pin, allowed)
        reasons.append(Reason(id="operator-pin", text=f"The operator has pinned all traffic to {fleet.pin}."))
    elif rules.pin is not None:
        wanted = _clamp(rules.pin, allowed)
    elif caller.tier is not None:
        wanted = _clamp(caller.tier, allowed)
        reasons.append(Reason(id="caller-tier", text=f"The caller asked for {caller.tier}."))
    else:
        free = allowed
        wanted, why = _aim(policy, allowed, score, costs)
        may = there if fleet.deployments else list(allowed)  # without any, a decision is all that is wanted
        choice = Choice(policy.body, may, score, features.input_tokens, fleet.prices, costs)
        wanted = in_session(
            wanted, why, turn, stay, choice, lambda said: _aim(policy, allowed, said, costs)[0], reasons
        )
        # A turn or a session that had a say is left alone: exploring would undo what they ask for.
        alone = reasons == [*ruled, why] and not rules.private and bool(fleet.deployments)
        if lot is not None and score is not None and alone:
            p = {t: score.p_right[t] for t in allowed if t in score.p_right}
            wanted, propensity = explore(policy, wanted, p, costs, may, lot, reasons)

    if fleet.resting and (names := fleet.skipped(allowed, features=features, private=rules.private)):
        reasons.append(Reason(id="breaker-open", text=f"Left alone after failures: {', '.join(names)}."))
    served, fallbacks = _present(policy, wanted, there, bool(fleet.deployments), reasons)
    return Decision(
        wanted=wanted,
        served=served,
        fallbacks=fallbacks,
        reasons=tuple(reasons),
        propensity=propensity,
        private=rules.private,
        free=free,
        cost=costs,
    )


# --- rules -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Outcome:
    allowed: tuple[TierName, ...]
    pin: TierName | None = None
    private: bool = False


def _apply_rules(policy: Policy, features: Features, caller: Caller, reasons: list[Reason]) -> _Outcome:
    """Run the rules in order. A rule may narrow what is left, but never to nothing."""
    out = _Outcome(allowed=policy.body.tiers)
    for layered in policy.rules:
        if not _matches(layered, features, caller):
            continue
        rule = layered.rule
        effect = ""
        if rule.pin is not None and out.pin is None:
            out.pin, effect = rule.pin, f"sends it to {rule.pin}"
        elif rule.at_least is not None:
            least = RANK[rule.at_least]
            out.allowed = tuple(t for t in out.allowed if RANK[t] >= least) or (out.allowed[-1],)
            effect = f"asks for at least {rule.at_least}"
        elif rule.forbid is not None:
            left = tuple(t for t in out.allowed if t not in rule.forbid)
            if left:
                out.allowed, effect = left, f"forbids {', '.join(rule.forbid)}"
        elif rule.private:
            out.private, effect = True, PRIVATELY
        if effect:
            reasons.append(Reason(id=f"rule.{rule.name}", text=f"Rule {rule.name} {effect}.", layer=layered.layer))
    return out


def _matches(layered: LayeredRule, features: Features, caller: Caller) -> bool:
    when = layered.rule.when
    return (
        (when.tenant is None or caller.tenant in when.tenant)
        and (when.tag is None or any(tag in when.tag for tag in caller.tags))
        and (when.language is None or features.language in when.language)
        and (when.tools is None or features.tools == when.tools)
        and (when.images is None or features.images == when.images)
        and (when.context_tokens_over is None or features.input_tokens > when.context_tokens_over)
        and (when.findings is None or any(_found(name, features.findings) for name in when.findings))
        and (layered.pattern is None or layered.pattern.search(caller.text) is not None)
    )


def _found(name: str, findings: tuple[str, ...]) -> bool:
    """``pii`` names a guard, ``pii.EMAIL`` or ``EMAIL`` a category."""
    return any(name in (f, f.split(".", 1)[0], f.split(".", 1)[-1]) for f in findings)


def _clamp(tier: TierName, allowed: tuple[TierName, ...]) -> TierName:
    """``tier`` if allowed, else the next one up, else the best allowed."""
    for name in allowed:
        if RANK[name] >= RANK[tier]:
            return name
    return allowed[-1]


# --- the aim ---------------------------------------------------------------------------------------


def _aim(
    policy: Policy, allowed: tuple[TierName, ...], score: Score | None, costs: Mapping[str, int]
) -> tuple[TierName, Reason]:
    body = policy.body
    if len(allowed) == 1:
        return allowed[0], Reason(id="only-tier", text=f"{allowed[0]} is the only tier left to choose.")
    fallback = _clamp(body.fallback_tier, allowed)
    layer = policy.origin["fallback_tier"]
    if score is None:
        return fallback, Reason(
            id="no-score", text=f"There is no score, so {fallback} as the policy says.", layer=layer
        )
    if score.novelty > NOVELTY_LIMIT:
        text = f"The prompt is unlike anything the scorer knows, so {fallback} as the policy says."
        return fallback, Reason(id="unknown-ground", text=text, layer=layer)
    p = {t: score.p_right[t] for t in allowed if t in score.p_right}
    if not p:
        text = f"Family {score.family} has no profile of these tiers, so {fallback} as the policy says."
        return fallback, Reason(id="no-profile", text=text, layer=layer)
    if body.budget is not None:
        return _by_budget(policy, body.budget.usd_per_request, p, costs)
    if body.cost_quality is not None:
        return _by_dial(policy, body.cost_quality, p, costs)
    return _by_quality(policy, body, p)


def _by_quality(policy: Policy, body: PolicyBody, p: Mapping[TierName, float]) -> tuple[TierName, Reason]:
    """The cheapest tier that keeps the promise. Tiers are listed cheapest first."""
    layer = policy.origin["aim"]
    quality = body.quality or USUAL_QUALITY
    for tier, chance in p.items():
        if chance >= quality.need(tier, p):
            text = f"{tier} is right with probability {chance:.2f}, which keeps {quality.words(tier, p)}."
            return tier, Reason(id="quality-kept", text=text, layer=layer)
    # Only a floor can be out of reach: the best chance keeps any share of itself, the highest tier loses nothing.
    tier = max(p, key=lambda t: p[t])
    text = f"No tier reaches {quality.words(tier, p)}; {tier} comes nearest with {p[tier]:.2f}."
    return tier, Reason(id="quality-out-of-reach", text=text, layer=layer)


def _by_dial(
    policy: Policy, dial: float, p: Mapping[TierName, float], costs: Mapping[str, int]
) -> tuple[TierName, Reason]:
    """Best of ``d·P - (1 - d)·cost / dearest cost``; ties go to the cheaper tier."""
    layer = policy.origin["aim"]
    shares = cost_shares(tuple(p), costs)
    tier = max(p, key=lambda t: (dial * p[t] - (1 - dial) * shares[t], -RANK[t]))
    text = (
        f"At cost_quality {dial:g}, {tier} weighs best: right with {p[tier]:.2f} at {shares[tier]:.0%} of the dearest."
    )
    return tier, Reason(id="dial", text=text, layer=layer)


def _by_budget(
    policy: Policy, usd: float, p: Mapping[TierName, float], costs: Mapping[str, int]
) -> tuple[TierName, Reason]:
    layer = policy.origin["aim"]
    limit = int(usd * 1e9)
    fitting = [t for t in p if t in costs and costs[t] <= limit]
    if fitting:
        tier = max(fitting, key=lambda t: (p[t], -RANK[t]))
        text = f"{tier} is the best tier whose predicted cost fits {usd:g} USD a request."
        return tier, Reason(id="budget-kept", text=text, layer=layer)
    tier = min(p, key=lambda t: (costs.get(t, 1 << 62), RANK[t]))
    text = f"No tier is known to fit {usd:g} USD a request; {tier} is the cheapest."
    return tier, Reason(id="budget-out-of-reach", text=text, layer=layer)


# --- what is there -----------------------------------------------------------------------------------


def _present(
    policy: Policy, wanted: TierName, there: Sequence[TierName], any_model: bool, reasons: list[Reason]
) -> tuple[TierName | None, tuple[TierName, ...]]:
    """The tier that will be asked first, and those to try after it; ``there`` can carry the request."""
    up = [t for t in there if RANK[t] >= RANK[wanted]]
    down = [t for t in reversed(there) if RANK[t] < RANK[wanted]] if policy.body.allow_degrade else []
    order = up + down
    if not order:
        text = f"No model serves {wanted} or a tier above it"
        text += " for a request like this one." if any_model else "."
        reasons.append(Reason(id="no-tier", text=text))
        return None, ()
    served = order[0]
    if served != wanted:
        way = "up" if RANK[served] > RANK[wanted] else "down, as the policy allows,"
        reasons.append(
            Reason(id="tier-missing", text=f"{wanted} has no model for this request; it goes {way} to {served}.")
        )
    named = (policy.body.fallbacks or {}).get(served)
    rest = [t for t in named if t in there and t != served] if named is not None else order[1:]
    return served, tuple(rest)
