"""What is said of a policy where every tier's outcome is recorded: it is looked up."""

from __future__ import annotations

import numpy as np

from evals.tuning import clusters
from evals.tuning.result import Evidence, Said
from evals.tuning.saying import LEAST_ROWS, NO_OTHER, money, said
from evals.tuning.side import Side, Told, TooFew, moved_share
from evals.tuning.slices import Compared
from evals.tuning.table import Floats


def recorded(candidate: Side, against: Side | None) -> Told:
    """Look it up.

    Raises:
        TooFew: hardly any row knows what the policy would get.
    """
    table = candidate.table
    mine, best = quality_of(candidate), table.quality[:, -1]
    theirs = None if against is None else quality_of(against)
    known = ~np.isnan(mine) & ~np.isnan(best) & (True if theirs is None else ~np.isnan(theirs))
    if np.count_nonzero(known) < LEAST_ROWS:
        words = f"{np.count_nonzero(known)} rows know the quality of the tiers that the policy would take"
        raise TooFew(f"{words}, and at least {LEAST_ROWS} are needed")
    stem = table.stem[known]
    reference = best if theirs is None else theirs
    always = np.zeros_like(candidate.made.shares)
    always[:, -1] = 1.0
    moved = moved_share(candidate.made.shares, always if against is None else against.made.shares)
    if candidate.climbed is not None or (against is not None and against.climbed is not None):
        moved = np.maximum(moved, (mine != reference).astype(np.float64))
    return Told(
        reference="always-large" if against is None else against.policy.name,
        quality=said(clusters.share(mine[known], stem)),
        large=said(clusters.share(best[known], stem)),
        current=Said(why=NO_OTHER) if theirs is None else said(clusters.share(theirs[known], stem)),
        change=said(clusters.paired(mine[known], reference[known], stem, same=not moved[known].any())),
        moved=said(clusters.share(moved, table.stem)),
        evidence=Evidence(method="recorded", rows=int(known.sum())),
        compared=Compared(np.flatnonzero(known), mine[known], reference[known], moved[known] > 0),
        money=money(
            cost_of(candidate),
            table.cost[:, -1],
            None if against is None else cost_of(against),
            table,
        ),
    )


def quality_of(side: Side) -> Floats:
    """(n,): what a side's choice came to; NaN where a tier that is taken is unknown."""
    return _of(side.made.shares, side.table.quality) if side.climbed is None else side.climbed.quality


def cost_of(side: Side) -> Floats:
    """(n,): what it cost, nano-dollars; likewise."""
    return _of(side.made.shares, side.table.cost) if side.climbed is None else side.climbed.cost


def _of(shares: Floats, outcome: Floats) -> Floats:
    """(n,): what comes of the shares; NaN where a tier that is taken is unknown, 0 where none can serve."""
    taken = shares > 0
    value: Floats = np.where(taken, shares * np.where(taken, outcome, 0.0), 0.0).sum(axis=1)
    return value
