"""Money, in integer nano-dollars. An unknown price gives ``None``, never zero."""

from __future__ import annotations

from collections.abc import Mapping

from router.types import TIER_NAMES, Price, Score, Usage

PER_MILLION = 1_000_000


def cost_of(usage: Usage, price: Price) -> int | None:
    """Nano-dollars for ``usage`` at ``price``, rounded up; cached input at its own price where one is known."""
    if price.input is None or price.output is None:
        return None
    cached_price = price.input if price.cached_input is None else price.cached_input
    cached = min(usage.cached_tokens, usage.input_tokens)
    total = (usage.input_tokens - cached) * price.input + cached * cached_price + usage.output_tokens * price.output
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
        cost = cost_of(Usage(input_tokens=input_tokens, output_tokens=round(tokens), source="estimated"), price)
        if cost is not None:
            costs[tier] = cost
    return costs
