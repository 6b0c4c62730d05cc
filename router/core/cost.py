"""Money, in integer nano-dollars. An unknown price gives ``None``, never zero."""

from __future__ import annotations

from collections.abc import Mapping

from router.types import TIER_NAMES, Price, Score, TierName, Usage

PER_MILLION = 1_000_000


def cost_of(usage: Usage, price: Price) -> int | None:
    """Nano-dollars for ``usage`` at ``price``, rounded up; cached input at its own price where one is known."""
    return money_for(usage.input_tokens, usage.output_tokens, usage.cached_tokens, price)


def money_for(input_tokens: int, output_tokens: int, cached_tokens: int, price: Price) -> int | None:
    """The same for counts that are no ``Usage`` yet."""
    if price.input is None or price.output is None:
        return None
    cached_price = price.input if price.cached_input is None else price.cached_input
    cached = min(cached_tokens, input_tokens)
    total = (input_tokens - cached) * price.input + cached * cached_price + output_tokens * price.output
    return -(-total // PER_MILLION)


def predicted_costs(input_tokens: int, score: Score | None, prices: Mapping[str, Price]) -> dict[str, int]:
    """Nano-dollars each tier would probably cost; tiers without a price or a forecast are left out."""
    costs: dict[str, int] = {}
    if score is None:
        return costs
    for tier in TIER_NAMES:
        price, tokens = prices.get(tier), score.output_tokens.get(tier)
        if price is None or tokens is None:
            continue
        cost = money_for(input_tokens, round(tokens), 0, price)
        if cost is not None:
            costs[tier] = cost
    return costs


# Where a price is unknown, tiers are taken to cost a tenth and a third of large: the usual steps between
# the tiers of the 13 three-tier families whose list prices we know.
_USUAL_SHARE: Mapping[str, float] = {"small": 0.1, "medium": 0.3, "large": 1.0}


def cost_shares(tiers: tuple[TierName, ...], costs: Mapping[str, int]) -> dict[str, float]:
    """Each tier's predicted cost as a share of the dearest's."""
    known = [costs[t] for t in tiers if t in costs]
    dearest = max(known) if len(known) == len(tiers) else 0
    if not dearest:
        return {t: _USUAL_SHARE[t] for t in tiers}
    return {t: costs[t] / dearest for t in tiers}
