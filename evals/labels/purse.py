"""Money for judging: reserved before a call, settled after it, never overspent.

A call is only made where the most that it can cost still fits: as many input tokens as the request has bytes (no
tokenizer makes more) and all the output that it may have. What it really cost is known afterwards; an answer that does
not say counts with the whole reserve.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from router.core.cost import cost_of
from router.types import Price, Usage

_NANO: Final = 1_000_000_000
_FORM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:usd|\$)", re.IGNORECASE)
_OVERHEAD: Final = 64
"""Tokens that a provider's own frame may add to a request."""


class BudgetError(ValueError):
    """A budget that cannot be read, or that cannot be kept."""


def read_budget(text: str) -> int:
    """Nano-dollars of ``5usd`` or ``0.50usd``.

    Raises:
        BudgetError: it has another form.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise BudgetError(f"{text!r} is no budget. Write an amount of money, e.g. 5usd or 0.50usd")
    return int(Decimal(form[1]) * _NANO)


def most(body: bytes, output_tokens: int, price: Price) -> int:
    """The most that a call can cost.

    Raises:
        BudgetError: the price is not known, so no budget can be kept.
    """
    cost = cost_of(Usage(input_tokens=len(body) + _OVERHEAD, output_tokens=output_tokens), price)
    if cost is None:
        raise BudgetError(
            "the judge's price is not known, so no budget can be kept: give its tier a price in the settings"
        )
    return cost


class Purse:
    """What is left of a budget.

    Attributes:
        budget: nano-dollars.
        spent: settled. held: reserved for calls under way.
    """

    def __init__(self, budget: int, spent: int = 0) -> None:
        self.budget = budget
        self.spent = spent
        self.held = 0

    def reserve(self, amount: int) -> bool:
        """Hold ``amount`` back; False, and nothing held, where it does not fit."""
        if self.spent + self.held + amount > self.budget:
            return False
        self.held += amount
        return True

    def settle(self, reserved: int, cost: int | None) -> int:
        """Give a reserve back for what was really spent; returns that."""
        self.held -= reserved
        real = reserved if cost is None else cost
        self.spent += real
        return real
