"""A policy beside the rows that it is tried on, and what the two ways of knowing say of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evals.tuning.choose import Decided, decided
from evals.tuning.climbs import Climbed
from evals.tuning.result import Evidence, Money, Said
from evals.tuning.saying import LEAST_ROWS
from evals.tuning.slices import Compared
from evals.tuning.table import Floats, Table
from policies.policy import Policy
from router.core.decide import Fleet


class TooFew(ValueError):
    """There are not enough rows to say anything; says how many there are and how many are needed."""


@dataclass(frozen=True, slots=True)
class Side:
    """A policy with the table that was made for it (its chances are of the policy's family, its findings of its
    guards) and its decisions. Tables of two sides hold the same rows in the same order. ``climbed`` is what came of
    the policy's cascade, where the rows can show it.
    """  # noqa: D205

    policy: Policy
    table: Table
    made: Decided
    climbed: Climbed | None = None


def side(policy: Policy, table: Table, *, fleet: Fleet | None = None) -> Side:
    """Decide for every row.

    Raises:
        Unanswerable: a rule asks what the rows do not know.
        TooFew: there are hardly any rows.
    """
    if len(table) < LEAST_ROWS:
        left = "".join(f"; {count:,} were left out: {why}" for why, count in sorted(table.left_out.items()))
        raise TooFew(f"{len(table)} rows can be used, and at least {LEAST_ROWS} are needed{left}")
    return Side(policy, table, decided(policy, table, fleet=fleet))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one of the two ways of knowing says."""

    reference: str
    quality: Said
    large: Said
    current: Said
    change: Said
    money: Money
    moved: Said
    evidence: Evidence
    compared: Compared | None
    notes: tuple[str, ...] = ()


def all_known(table: Table) -> bool:
    """Whether every tier's outcome is recorded, rather than that of the one which answered."""
    return bool(np.all(table.taken < 0))


def moved_share(one: Floats, other: Floats) -> Floats:
    """(n,): the share of each decision that differs."""
    moved: Floats = np.abs(one - other).sum(axis=1) / 2
    return np.clip(moved, 0.0, 1.0)
