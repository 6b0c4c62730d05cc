"""Where a turn's needs and a session's memory meet the policy's choice. Pure.

The order: the aim has chosen a tier; an errand goes low, trouble goes up; then the session may stay where
it is, never below that. All of it happens inside what rules leave, what is there, and what a budget allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from policies.schema import PolicyBody
from router.core.affinity import Memory, Stay, recall, settle, staying_pays
from router.core.turns import Turn
from router.types import Price, Reason, Score, TierName


class Choice(msgspec.Struct, frozen=True):
    """What a turn may choose from.

    Attributes:
        may: tiers that rules leave and that can serve this request, cheapest first.
        costs: tier -> predicted nano-dollars without a cache.
    """

    body: PolicyBody
    may: Sequence[TierName]
    score: Score | None
    input_tokens: int
    prices: Mapping[str, Price]
    costs: Mapping[str, int]

    def within_budget(self) -> list[TierName]:
        """Of ``may``, what the policy's budget allows; all of it where there is no budget."""
        if self.body.budget is None:
            return list(self.may)
        limit = int(self.body.budget.usd_per_request * 1e9)
        return [tier for tier in self.may if tier in self.costs and self.costs[tier] <= limit]


def stay_of(body: PolicyBody, memory: Memory | None, now: float, messages: int) -> Stay:
    """A session as a policy lets it be remembered, for a request of so many messages.

    ``now`` is in seconds of the clock that wrote the memory.
    """
    said = body.session
    kept = recall(memory, now, said.ttl_seconds, messages) if said.affinity == "on" else None
    return Stay(memory=kept, now=now, hysteresis=said.hysteresis, cache_seconds=said.cache_seconds)


def in_session(
    wanted: TierName,
    why: Reason,
    turn: Turn | None,
    stay: Stay | None,
    choice: Choice,
    again: Callable[[Score], TierName],
    reasons: list[Reason],
) -> TierName:
    """The tier of this turn; its reasons are added, the one that decided last."""
    low = turn is not None and turn.low and choice.body.session.errands == "on"
    if turn is not None:
        reasons += turn.notes
    if turn is not None and turn.why is not None and low and choice.may:
        wanted, why = choice.may[0], turn.why
    reasons.append(why)
    if turn is not None and turn.up and turn.why is not None:
        higher = _above(wanted, turn.up, choice.within_budget())
        if higher != wanted:
            wanted = higher
            reasons.append(turn.why)
    if stay is None:
        return wanted
    tier, moved = settle(
        stay,
        wanted,
        choice.within_budget(),
        low=low,
        inside=turn is not None and turn.inside,
        score=choice.score,
        again=again,
        saved=lambda here, lower: staying_pays(stay, here, lower, choice.input_tokens, choice.score, choice.prices),
    )
    if moved is not None:
        reasons.insert(len(reasons) if tier != wanted else len(reasons) - 1, moved)
    return tier


def _above(tier: TierName, steps: int, tiers: Sequence[TierName]) -> TierName:
    """``steps`` tiers above, as far as there are any."""
    if tier not in tiers:
        return tier
    return tiers[min(tiers.index(tier) + steps, len(tiers) - 1)]
