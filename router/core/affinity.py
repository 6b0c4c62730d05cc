"""Staying on a tier through a session: a pure state machine. Clock and memory come in as arguments.

Laws, each tested:

1. Affinity never lowers. The tier is at or above what the decision without a memory would choose, so a
   hard turn gets what it needs at once and a promise of the policy is never weakened.
2. It stays only where it may: on a tier that rules allow, that is there for this request, and whose own
   chance of a right answer is not worse by more than the hysteresis.
3. Same memory, same turn, same time: same tier.

It stays above the chosen tier while one of these holds:

- a model is in the middle of work with tools: the exchange ends where it began;
- the score does not clear the lower tier by ``hysteresis`` (its chance less that much would not have been chosen);
- going down would not pay: the cache of the conversation so far is lost, and the lower tier reads it all
  at the full input price. With ``HORIZON`` turns expected to come, it stays when

      cost(lower, now) + (HORIZON - 1) · cost(lower, warm)  >=  cost(here, now) + (HORIZON - 1) · cost(here, warm)

  where "now" knows what each has cached and "warm" has all input cached.

``HORIZON`` is set by judgement: sessions of agents are long, and nobody knows where they end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from router.core.cost import cost_of
from router.types import Price, Reason, Score, TierName, Usage

HORIZON = 4


class Warm(msgspec.Struct, frozen=True):
    """What a tier's model has read of a session, and when: its prompt cache, as far as we know."""

    tier: TierName
    deployment: str
    upstream: str
    tokens: int
    at: float


class Memory(msgspec.Struct, frozen=True):
    """What is remembered of a session: the tiers that served it, the last one first. No text, no id.

    ``messages`` is how many the last request held. A conversation only grows: a request of as many or
    fewer is another one that began alike, or the same turn asked once more, and is judged afresh.
    """

    warm: tuple[Warm, ...]
    messages: int

    @property
    def last(self) -> Warm:
        """Who served the turn before."""
        return self.warm[0]


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the present turn finds it.

    Attributes:
        memory: None on a first turn, or where too much time has passed.
        now: seconds, of the clock that wrote the memory.
        hysteresis: by how much a lower tier's chance must clear what the aim asks.
        cache_seconds: how long an upstream keeps a prompt cache.
        horizon: turns over which a lost cache must pay for itself.
    """

    memory: Memory | None
    now: float
    hysteresis: float
    cache_seconds: float
    horizon: int = HORIZON


def settle(
    stay: Stay,
    wanted: TierName,
    may: Sequence[TierName],
    *,
    low: bool,
    inside: bool,
    score: Score | None,
    again: Callable[[Score], TierName],
    saved: Callable[[TierName, TierName], bool],
) -> tuple[TierName, Reason | None]:
    """The tier of this turn, at or above ``wanted``, and why it is not simply that.

    Args:
        stay: the session.
        wanted: the tier that the decision without a memory chose.
        may: tiers that may be stayed on, cheapest first.
        low: an errand: only the price can make it stay.
        inside: in the middle of work with tools.
        score: the scorer's opinion of this turn.
        again: the policy's aim, asked with another score.
        saved: whether staying on the first tier costs no more than going down to the second.
    """
    if stay.memory is None:
        return wanted, None
    here = stay.memory.last.tier
    rank = {tier: place for place, tier in enumerate(("small", "medium", "large"))}
    if here == wanted:
        return wanted, None
    if rank[here] < rank[wanted]:
        words = f"The session was on {here}; this turn needs {wanted}."
        return wanted, Reason(id="session-rises", text=words)
    if here in may and not _loses(score, here, wanted, stay.hysteresis):
        why = ""
        if inside:
            why = "is in the middle of work with tools"
        elif saved(here, wanted):
            why = f"keeps its prompt cache, without which {wanted} would cost as much"
        elif not low and score is not None and rank[again(_doubted(score, here, stay.hysteresis))] >= rank[here]:
            why = f"gains too little by {wanted}"
        if why:
            return here, Reason(id="session-stays", text=f"The session stays on {here}: it {why}.")
    return wanted, Reason(id="session-falls", text=f"The session was on {here}; {wanted} will do and pays.")


def _loses(score: Score | None, here: TierName, wanted: TierName, hysteresis: float) -> bool:
    """Whether staying would itself cost quality: bigger is not always better."""
    if score is None or here not in score.p_right or wanted not in score.p_right:
        return False
    return score.p_right[here] < score.p_right[wanted] - hysteresis


def _doubted(score: Score, here: TierName, hysteresis: float) -> Score:
    """The score with every tier below ``here`` a little less sure."""
    p: dict[str, float] = {}
    below = True
    for tier, chance in score.p_right.items():
        below = below and tier != here
        p[tier] = max(0.0, chance - hysteresis) if below else chance
    return msgspec.structs.replace(score, p_right=p)


def cached_tokens(memory: Memory | None, tier: str, input_tokens: int, now: float, cache_seconds: float) -> int:
    """How many of a turn's input tokens the tier's model has probably still cached."""
    for warm in memory.warm if memory else ():
        if warm.tier == tier and now - warm.at <= cache_seconds:
            return min(warm.tokens, input_tokens)
    return 0


def staying_pays(
    stay: Stay, here: TierName, lower: TierName, input_tokens: int, score: Score | None, prices: Mapping[str, Price]
) -> bool:
    """Whether ``stay.horizon`` turns here cost no more than going down now. Unknown prices never make it stay."""
    if score is None:
        return False
    costs: list[int] = []
    for tier in (lower, here):
        price, output = prices.get(tier), score.output_tokens.get(tier)
        if price is None or output is None:
            return False
        cached = cached_tokens(stay.memory, tier, input_tokens, stay.now, stay.cache_seconds)
        for tokens in (cached, input_tokens):
            usage = Usage(input_tokens=input_tokens, output_tokens=round(output), cached_tokens=tokens)
            cost = cost_of(usage, price)
            if cost is None:
                return False
            costs.append(cost)
    lower_now, lower_later, here_now, here_later = costs
    later = stay.horizon - 1
    return lower_now + later * lower_later >= here_now + later * here_later


def remember(memory: Memory | None, warm: Warm, messages: int) -> Memory:
    """The session after a turn of ``messages`` messages: ``warm`` served it."""
    others = tuple(w for w in memory.warm if w.tier != warm.tier) if memory else ()
    return Memory((warm, *others), messages)


def recall(memory: Memory | None, now: float, ttl_seconds: float, messages: int) -> Memory | None:
    """What is still remembered: nothing once the last turn is too long ago, or is not of this conversation."""
    if memory is None or now - memory.last.at > ttl_seconds or messages <= memory.messages:
        return None
    return memory
