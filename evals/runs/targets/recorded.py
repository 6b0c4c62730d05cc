"""Recorded outcomes: one model's, or those of the tiers that a policy chooses. No model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evals.runs.asking import AskError, ConfigError
from evals.runs.places import digest
from evals.runs.reply import Reply
from evals.runs.targets.request import input_tokens
from router.core.cost import cost_of
from router.types import Price, Usage

if TYPE_CHECKING:
    from evals.runs.targets.deciding import Deciding
    from evals.suites.rows import Row
    from evals.suites.target_kinds import Outcomes
    from router.types import TierName


class Recorded:
    """Takes the recorded score of a model.

    Args:
        deciding: chooses the tier; None where one model is named.
    """

    calls = False
    learns = False

    def __init__(self, name: str, outcomes: Outcomes, deciding: Deciding | None) -> None:
        self.name = name
        self._outcomes = outcomes
        self._deciding = deciding
        self._tier_of: dict[str, TierName] = {model: tier for tier, model in outcomes.family.items()}

    async def open(self) -> None:
        if self._deciding is not None:
            await self._deciding.open()
        missing = sorted(set(self._outcomes.prices) - set(self._outcomes.family))
        if missing and self._outcomes.family:
            raise ConfigError(f"target {self.name!r}: prices of {', '.join(missing)}, which the family lacks")

    def key(self, row: Row, sample: int) -> str:
        decided = self._deciding.key(row, sample) if self._deciding else ""
        said = self._outcomes.model_dump(mode="json")
        return digest("outcomes", said, decided, row.messages or row.text, row.scores, row.tokens)

    def foretell(self, row: Row) -> int:  # noqa: ARG002
        return 0

    async def ask(self, row: Row, sample: int) -> Reply:
        if self._deciding is None:
            model = self._outcomes.model
            assert model is not None
            return self._of(row, model, Reply(tier=self._tier_of.get(model)))
        decided = await self._deciding.ask(row, sample)
        if decided.tier not in self._outcomes.family:
            raise AskError(f"the policy chose {decided.tier}, for which the family names no model")
        return self._of(row, self._outcomes.family[decided.tier], decided)

    def _of(self, row: Row, model: str, decided: Reply) -> Reply:
        score = row.scores.get(model)
        if score is None:
            raise AskError(f"the row has no recorded outcome of {model!r}")
        tokens, given = row.tokens.get(model), input_tokens(row, None)
        large = self._outcomes.family.get("large", "")
        return msgspec.structs.replace(
            decided, text=f"recorded outcome of {model}: {score:g}", model=model, recorded=score, tokens_in=given,
            tokens_out=None if tokens is None else round(tokens),
            cost_nano=self._cost(given, tokens, decided.tier),
            baseline_nano=self._cost(given, row.tokens.get(large), "large"),
        )  # fmt: skip

    def _cost(self, given: int, made: float | None, tier: TierName | None) -> int | None:
        price = self._outcomes.prices.get(tier) if tier else None
        if price is None or made is None:
            return None
        nano = Price(input=round(price.input * 1e9), output=round(price.output * 1e9))
        return cost_of(Usage(input_tokens=given, output_tokens=round(made)), nano)

    def priced(self, reply: Reply) -> Reply:
        """Its prices are part of its key."""
        return reply

    async def close(self) -> None:
        """Nothing is held."""
