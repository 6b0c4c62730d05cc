"""What a policy's thresholds decide of each row: the least threshold at which a tier takes it.

Rules, pins, unknown ground and what the caller asked for are the policy's word and stay: rows that they settle have
stakes of -inf (always) or inf (never), read off the policy's own decisions at the two ends of every threshold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from evals.importers.outcomes import OutcomeError
from evals.tuning.choose import ALL, left_by_rules, spread, tiers_of
from evals.tuning.table import Floats, Table, Tiers
from policies.policy import Policy
from policies.schema import TIERS, ByTier, Quality, TierName
from router.core.decide import Fleet

#: The tiers that have a threshold, as columns of what is simulated.
LOWER: Final[tuple[TierName, ...]] = TIERS[:-1]


class Stakes(NamedTuple):
    """``value``: rows by lower tiers. ``lower``: those. ``columns``: where they and the highest stand in a table."""

    value: Floats
    lower: tuple[TierName, ...]
    columns: tuple[int, ...]


def with_quality(policy: Policy, quality: Quality) -> Policy:
    """The policy with another aim. Its hash and files stay those of the one on disk."""
    body = policy.body.model_copy(update={"quality": quality, "cost_quality": None, "budget": None})
    return replace(policy, body=body)


def losing(figures: dict[TierName, float]) -> Quality:
    """``quality: {lose: ...}``."""
    return Quality(lose=ByTier(**figures))


def read_stakes(policy: Policy, table: Table, *, fleet: Fleet | None = None) -> Stakes:
    """The stakes of a policy's rows under ``quality: {lose: ...}``.

    Raises:
        OutcomeError: the policy has a single tier on these rows.
        Unanswerable: a rule asks what the rows do not know.
    """
    there = [tier for tier in TIERS if tier in policy.body.tiers and tier in table.tiers]
    lower = tuple(there[:-1])
    if not lower:
        raise OutcomeError(f"policy {policy.name!r} has one tier on these rows; there is nothing to tune")
    chance = spread(table, table.chance)
    known = left_by_rules(policy, table) & ~np.isnan(chance)
    top = ALL - 1 - np.argmax(known[:, ::-1], axis=1)
    best = np.take_along_axis(np.where(known, chance, 0.0), top[:, None], axis=1)
    risk = best * (1.0 - chance)

    def served(**figures: float) -> Tiers:
        return tiers_of(
            with_quality(policy, losing({tier: figures.get(tier, 0.0) for tier in lower})), table, fleet=fleet
        )

    nothing, everything = served(), served(**dict.fromkeys(lower, 1.0))
    value = np.full((len(table), len(lower)), np.inf)
    for place, tier in enumerate(lower):
        column = table.tiers.index(tier)
        loose = everything if place == 0 else served(**dict.fromkeys(lower[place:], 1.0))
        value[:, place] = np.where(loose == column, risk[:, TIERS.index(tier)], np.inf)
        value[nothing == column, place] = -np.inf
    return Stakes(value, lower, tuple(table.columns(there)))
