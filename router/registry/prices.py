"""The price book: what a token costs, dated and named by its own hash.

The shipped book is drawn from litellm's table by ``evals/pricebook.py`` (see docs/prices.md). A model that is
not in it has no price: ``None``, never zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import msgspec

from router.types import Price

SHIPPED = Path(__file__).with_name("prices-2026-11.json")
UNIT = "nano-dollars per million tokens"
OVERLAY = "config"

# Providers whose models stand in the book under their bare ids; callers may write the provider before them.
_BARE = ("openai/", "anthropic/", "bedrock/converse/", "bedrock/", "converse/")
# Providers whose models stand in the book behind the provider's name; an official endpoint calls them bare.
_PREFIXED = ("gemini/", "mistral/", "deepseek/", "xai/")

_Nano = Annotated[int, msgspec.Meta(ge=0)]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: _Nano
    output: _Nano
    cached_input: _Nano | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    date: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    unit: str
    source: str
    license: str
    prices: dict[str, _Row]


@dataclass(frozen=True)
class PriceBook:
    """Model id -> price. Immutable; ``overlay`` gives a new book with another hash.

    Attributes:
        date: the day the prices were drawn, ``YYYY-MM-DD``.
        prices: by the exact id.
    """

    date: str
    prices: Mapping[str, Price]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The shipped book, or the one at ``path``.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not a price book; the message says where and why.
        """
        path = path or SHIPPED
        try:
            book = msgspec.json.decode(path.read_bytes(), type=_File)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path.name} is not a price book: {error}") from None
        if book.unit != UNIT:
            raise ValueError(f"{path.name} is not a price book: its unit is {book.unit!r}, not {UNIT!r}")
        source = f"book:{book.date}"
        prices = {
            model: Price(input=row.input, output=row.output, cached_input=row.cached_input, source=source)
            for model, row in book.prices.items()
        }
        return cls(book.date, MappingProxyType(prices))

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the date and every price."""
        rows = [[m, p.input, p.output, p.cached_input, p.source] for m, p in sorted(self.prices.items())]
        return hashlib.sha256(msgspec.json.encode([self.date, rows])).hexdigest()

    def price(self, model: str) -> Price:
        """The price of ``model``; all ``None`` when it is unknown.

        Tried in order: the exact id; in any case of letters; without a provider that the book
        leaves out (``openai/gpt-4o``); with the one provider that has a model of this bare name
        (``gemini-2.5-flash``). Nothing else is guessed: another provider, region, date or size of
        the same weights has another price.
        """
        exact = self.prices.get(model)
        if exact is not None:
            return exact
        lower = model.lower()
        bare = next((lower.removeprefix(prefix) for prefix in _BARE if lower.startswith(prefix)), lower)
        behind = [prefix + lower for prefix in _PREFIXED if prefix + lower in self._folded]
        for name in (lower, bare, *(behind if len(behind) == 1 else ())):
            price = self._folded.get(name)
            if price is not None:
                return price
        return Price()

    def overlay(self, prices: Mapping[str, Price]) -> PriceBook:
        """A book in which ``prices`` win; those without a source of their own are marked ``config``."""
        own = {
            model: msgspec.structs.replace(price, source=OVERLAY) if price.source == "unknown" else price
            for model, price in prices.items()
        }
        return PriceBook(self.date, MappingProxyType({**self.prices, **own}))

    @cached_property
    def _folded(self) -> Mapping[str, Price]:
        return {model.lower(): price for model, price in self.prices.items()}
