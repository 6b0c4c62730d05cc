"""What a log says of decisions it did not make: IPS, self-normalised IPS, and doubly robust.

A log holds, of each request, the tier that answered, the probability with which it was chosen, and what came of it.
For a candidate that takes tier t with share ``s(t)``, a row has the weight ``w = s(taken) / propensity`` and

- IPS (Horvitz and Thompson 1952): the mean of ``w · y``;
- self-normalised IPS (Hajek 1971): the same over the sum of the weights;
- doubly robust (Dudik, Langford and Li 2011): the mean of ``sum_t s(t)·m(t) + w·(y - m(taken))``, with the scorer's
  chances as the model ``m``; right where either the propensities or the model are.

Where the log took its tier with certainty (propensity 1), another decision has no support: there doubly robust says
what the model says, and no number of rows corrects it. The share of such decisions is reported, never hidden.
Comparing only the rows where log and candidate agree is not among the estimators: it is biased at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from evals.tuning.clusters import effective
from evals.tuning.table import Floats, Ints, Mask, Table

#: Below this effective sample size nothing is said.
LEAST_ESS: Final = 200.0
#: Rows whose decision did not change say nothing of those that did, however many they are; so many must.
LEAST_EXPLORED: Final = 5
#: Changed decisions up to this share cannot move the quality by more, and need not be shown.
NEGLIGIBLE: Final = 0.005
_EXPLORE: Final = "let the policy in force explore ('explore:', docs/policies.md) and come back"
#: A propensity this near to 1 was no chance.
_CERTAIN: Final = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Support:
    """How well a log supports a candidate's decisions, over the rows whose outcome is known.

    Attributes:
        rows: whose outcome is known.
        ess: Kish's effective sample size of the weights.
        changed: share of decisions that differ from what the log would have taken most often.
        unsupported: share of decisions that the log could not have taken; there the model's word stands.
        unknown: share of rows whose propensity is unknown (answered by a cascade, or by a tier that stood in).
        explored: rows that show a changed decision's outcome: taken with a small chance, and the candidate's choice.
        mean_weight: 1 where every decision has support.
    """

    rows: int
    ess: float
    changed: float
    unsupported: float
    unknown: float
    explored: int
    mean_weight: float

    @property
    def refusal(self) -> str:
        """Why nothing can be said, and how many rows are missing; empty where something can."""
        if not self.rows:
            return "no row's outcome is known"
        changed = self.changed > NEGLIGIBLE
        shown = (
            f"{self.changed:.1%} of the decisions differ from the log's, and it shows the outcome of {self.explored}"
        )
        if changed and not self.explored:
            return f"{shown}; {_EXPLORE}"
        if self.ess < LEAST_ESS:
            words = f"the effective sample size is {self.ess:,.0f}, and {LEAST_ESS:.0f} are needed"
            missing = self._missing(LEAST_ESS / max(self.ess, 1.0))
            return f"{words}: about {missing} more rows with a known outcome are missing"
        if changed and self.explored < LEAST_EXPLORED:
            return f"{shown}: about {self._missing(LEAST_EXPLORED / self.explored)} more rows are missing"
        return ""

    def _missing(self, times: float) -> str:
        return f"{int(np.ceil(self.rows * (times - 1))):,}"


@dataclass(frozen=True, slots=True)
class Logged:
    """The rows of a log with one known outcome, under a candidate.

    Attributes:
        rows: (k,), which rows of the table.
        outcome: (k,), what came of the tier that was taken.
        weight: (k,); 0 where the propensity is unknown.
        direct: (k,), what the model says of the candidate's decision.
        taken: (k,), what the model says of the tier that was taken.
    """

    rows: Ints
    outcome: Floats
    weight: Floats
    direct: Floats
    taken: Floats
    support: Support

    @property
    def ips(self) -> Floats:
        """Row by row; the mean is the estimate."""
        return self.weight * self.outcome

    @property
    def dr(self) -> Floats:
        """Row by row; the mean is the estimate."""
        return self.direct + self.weight * (self.outcome - self.taken)


def logged(table: Table, shares: Floats, outcome: Floats, model: Floats, within: Mask | None = None) -> Logged:
    """Weigh a log's rows for a candidate.

    Args:
        table: a ledger's.
        shares: (n, T), the candidate's.
        outcome: (n, T), known where taken; rows where it is not are left out.
        model: (n, T), what is expected of each tier; where that is unknown, the mean of the tier's known outcomes
            stands in, or of all where the tier has none.
        within: (n,), the rows that count; all by default.
    """
    n = len(table)
    seen = outcome[np.arange(n), table.taken]
    here = (table.taken >= 0) & ~np.isnan(seen)
    rows = np.flatnonzero(here if within is None else here & within)
    taken, seen = table.taken[rows].astype(np.int64), seen[rows]
    place = np.arange(len(rows))
    expected = _whole(model[rows], taken, seen)
    chosen = shares[rows]
    mine = chosen[place, taken]
    propensity = table.propensity[rows]
    known = ~np.isnan(propensity)
    weight = np.where(known, mine / np.where(known, propensity, 1.0), 0.0)
    support = _support(weight, mine, propensity)
    return Logged(rows, seen, weight, (chosen * expected).sum(axis=1), expected[place, taken], support)


def _whole(model: Floats, taken: Ints, seen: Floats) -> Floats:
    if not np.isnan(model).any():
        return model
    tiers = model.shape[1]
    count = np.bincount(taken, minlength=tiers)
    overall = seen.mean() if len(seen) else 0.0
    mean = np.where(count > 0, np.bincount(taken, seen, tiers) / np.maximum(count, 1), overall)
    return np.where(np.isnan(model), mean, model)


def _support(weight: Floats, mine: Floats, propensity: Floats) -> Support:
    rows = len(weight)
    if not rows:
        return Support(0, 0.0, 0.0, 0.0, 0.0, 0, 0.0)
    unknown = np.isnan(propensity)
    certain = propensity >= _CERTAIN
    return Support(
        rows=rows,
        ess=effective(weight),
        changed=_changed(mine, propensity),
        unsupported=float(np.mean(np.where(unknown, 1.0, np.where(certain, 1.0 - mine, 0.0)))),
        unknown=float(np.mean(unknown)),
        explored=int(np.count_nonzero((mine > 0) & (propensity < 0.5))),
        mean_weight=float(weight.mean()),
    )


def _changed(mine: Floats, propensity: Floats) -> float:
    """Over the rows that took the log's likely tier, each standing for those of its kind that did not."""
    likely = ~(propensity < 0.5)
    standing = np.where(likely, 1.0 / np.where(np.isnan(propensity) | ~likely, 1.0, propensity), 0.0)
    total = standing.sum()
    return float((standing * (1.0 - mine)).sum() / total) if total else 1.0
