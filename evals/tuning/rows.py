"""Tables from what was recorded: outcome rows with their prompts, and (``ledger``) what a gateway served.

Money in a table is nano-dollars. What each tier *would* have cost is billed as every other figure of this project
(input tokens from bytes); what the policy *expects* beforehand is computed as the gateway does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.importers.outcomes import Outcome, OutcomeError
from evals.routing.parts import bill
from evals.tuning.choose import patterns_of
from evals.tuning.table import Labels, Mask, Table, signed
from policies.patterns import compile_pattern
from policies.policy import Policy
from router.core.cost import predicted_costs
from router.core.features import language_of
from router.core.tokens import estimate_tokens
from router.types import Price

if TYPE_CHECKING:
    from evals.targets import Family
    from router.score import Scorer

NANO_A_MICRO: Final = 1_000
NANO_A_DOLLAR: Final = 1_000_000_000
#: Tokens that a message costs beyond its text, as ``router.core.features`` counts them.
MESSAGE_TOKENS: Final = 4


def prices_of(family: Family) -> dict[str, Price]:
    """A family's prices as the gateway keeps them."""
    return {
        tier: Price(input=round(given * NANO_A_DOLLAR), output=round(made * NANO_A_DOLLAR), source="families")
        for tier, (given, made) in family.prices.items()
    }


def from_outcomes(
    rows: Sequence[Outcome],
    family: Family,
    scorer: Scorer | None,
    *,
    profile: str | None = None,
    policy: Policy | None = None,
) -> Table:
    """A table of the rows that all tiers of the family answered. Cost is unknown where a tier's tokens are.

    Args:
        rows: outcome rows.
        family: which model is which tier, and what they cost.
        scorer: gives chances and expected costs; None leaves them unknown, and a policy its fallback tier.
        profile: the family profile to score by; by default the family's own name.
        policy: whose patterns are looked for and whose guards read the prompts, so that its rules can be asked.

    Raises:
        OutcomeError: no row holds all tiers.
        UnknownFamily: the scorer has no such profile.
    """
    models = list(family.tiers.values())
    held = [row for row in rows if all(row.scores.get(model) is not None for model in models)]
    if not held:
        seen = ", ".join(sorted({model for row in rows for model in row.scores})[:8])
        raise OutcomeError(
            f"no row has the scores of {', '.join(models)}, the tiers of family {family.name!r}; "
            f"the rows score {seen or 'nothing'}. Name another family, or write one of your own (--families)"
        )
    profile = profile or family.name
    scores = scorer.score_many([row.prompt for row in held], profile) if scorer else [None] * len(held)
    languages = [language_of(row.prompt) for row in held]
    tokens = [
        estimate_tokens(row.prompt, language) + MESSAGE_TOKENS for row, language in zip(held, languages, strict=True)
    ]
    prices = prices_of(family)
    guess = [predicted_costs(count, score, prices) for count, score in zip(tokens, scores, strict=True)]
    n, tiers = len(held), tuple(family.tiers)
    found, facts = _read_texts(held, policy)
    missing = len(rows) - n
    return signed(
        Table(
            tiers=tiers,
            quality=np.array([[row.scores[model] for model in models] for row in held], dtype=np.float64),
            cost=np.array([_bill(row, family) for row in held], dtype=np.float64),
            chance=_matrix([score.p_right if score else {} for score in scores], tiers),
            guess=_matrix(guess, tiers),
            latency=np.full((n, len(tiers)), np.nan),
            novelty=np.array([score.novelty if score else np.nan for score in scores], dtype=np.float64),
            input_tokens=np.array(tokens, dtype=np.int64),
            stem=_codes(row.stem for row in held),
            slices={
                "tenant": Labels.of([str(row.meta.get("tenant", "default")) for row in held]),
                "tag": Labels.of([str(row.meta.get("tag", "")) for row in held]),
                "language": Labels.of(languages),
                "task": Labels.of([row.task for row in held]),
                "source": Labels.of([row.source for row in held]),
                "findings": Labels.of(found),
            },
            at_ms=np.arange(n, dtype=np.int64),
            taken=np.full(n, -1, dtype=np.int8),
            propensity=np.ones(n),
            source=f"{n:,} outcome rows, family {family.name}",
            fingerprint="",
            facts={"tools": np.zeros(n, dtype=bool), "images": np.zeros(n, dtype=bool), **facts},
            profile=profile,
            left_out={"not answered by every tier": missing} if missing else {},
        )
    )


def _read_texts(rows: Sequence[Outcome], policy: Policy | None) -> tuple[list[str], dict[str, Mask]]:
    """What the policy's guards find in each prompt, in the words of rules; and what else it asks of the texts."""
    if policy is None:
        return [""] * len(rows), {}
    facts: dict[str, Mask] = {}
    for text in patterns_of(policy):
        pattern = compile_pattern(text)
        facts[f"pattern:{text}"] = np.array([pattern.search(row.prompt) is not None for row in rows], dtype=bool)
    rails = policy.rails["input"]
    if rails.empty:
        return [""] * len(rows), facts
    from guardrails import Action, Placeholders
    from guardrails.catalog import names

    verdicts = [rails.check(row.prompt, Placeholders(), role="user") for row in rows]
    facts["blocked"] = np.array([verdict.action is Action.BLOCK for verdict in verdicts], dtype=bool)
    found = [",".join(names((f.guard, f.category, f.confidence) for f in verdict.findings)) for verdict in verdicts]
    return found, facts


def _bill(row: Outcome, family: Family) -> list[float]:
    """What each tier's answer cost; NaN where its tokens are unknown."""
    output = [row.output_tokens.get(model) for model in family.tiers.values()]
    return [
        cost * NANO_A_MICRO if tokens else np.nan
        for cost, tokens in zip(bill(row, family, [tokens or 0.0 for tokens in output]), output, strict=True)
    ]


def _matrix(rows: Sequence[Mapping[str, float]], tiers: Sequence[str]) -> Any:
    return np.array([[row.get(tier, np.nan) for tier in tiers] for row in rows], dtype=np.float64)


def _codes(names: Iterable[str]) -> Any:
    place: dict[str, int] = {}
    return np.array([place.setdefault(name, len(place)) for name in names], dtype=np.int32)
