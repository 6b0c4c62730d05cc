"""Two policies, or two scorers under one policy, on recorded outcomes: decisions are looked up, no model is asked.

Of two scorers more is judged than where they send each row, because a policy of tomorrow will read their chances anew:

    choice             the share of rows sent to the cheapest of the tiers that did best on the row
    log_loss           minus the mean log-likelihood of an outcome, nats
    calibration_error  expected calibration error over ten bins of equal mass
    saving             of always-large's cost, at the cheapest setting that keeps 95 % of its quality on other folds
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals import metrics
from evals.gate import margins
from evals.gate.columns import Column, Floats, Measure, Rows
from evals.gate.margins import Margin
from evals.gate.values import Estimate
from evals.tuning.known import cost_of, quality_of
from evals.tuning.result import Said
from evals.tuning.side import Side
from evals.tuning.simulate import simulate

KEPT: Final = 0.95
FOLDS: Final = 5
_NANO: Final = 1e9
_EDGE: Final = 1e-3
_BARS: Final = np.linspace(0.5, 1.0, 26)
_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(0.975)


class _Outcome(NamedTuple):
    """What a side got, row by row."""

    quality: Floats
    cost: Floats
    refused: Floats


def rows_of(candidate: Side, current: Side, said: Sequence[Margin], *, scorers: bool) -> Rows:
    """Both sides on rows whose outcome is known for every tier.

    Raises:
        ValueError: the sides hold different rows.
    """
    one, other = candidate.table, current.table
    if len(one) != len(other) or not np.array_equal(one.stem, other.stem):
        raise ValueError("the two sides were asked about different rows")
    new, old = _looked_up(candidate), _looked_up(current)
    found = [
        Column(margins.metric_of("quality", "", said, 0.0, 1.0), new.quality, old.quality),
        Column(margins.metric_of("refused", "", said, 0.0, 1.0, higher_is_better=False), new.refused, old.refused),
        Column(
            margins.metric_of("cost", "", said, higher_is_better=False), new.cost / _NANO, old.cost / _NANO, whole=True
        ),
    ]
    if scorers:
        found += _of_scorers(candidate, current, said)
    slices = {
        name: [labels.names[code] for code in labels.codes]
        for name, labels in one.slices.items()
        if name != "findings" and len(labels.names) > 1
    }
    stems = one.stem.astype(np.int64)
    notes = [f"{count:,} rows left out: {why}" for why, count in sorted(one.left_out.items())]
    if not np.isfinite(found[2].candidate).any() and not np.isfinite(found[2].current).any():
        found.pop(2)
        notes.append("cost unknown on both sides, so not judged")
    return Rows(found, stems, slices, tuple(notes))


def _looked_up(side: Side) -> _Outcome:
    return _Outcome(quality_of(side), cost_of(side), (side.made.served < 0).astype(np.float64))


# --- scorers -----------------------------------------------------------------------------------------


def _of_scorers(candidate: Side, current: Side, said: Sequence[Margin]) -> list[Column]:
    n = len(candidate.table)
    gap, at = _calibration(candidate, current), np.arange(n, dtype=np.float64)
    return [
        Column(margins.metric_of("choice", "", said, 0.0, 1.0), _choice(candidate), _choice(current)),
        Column(
            margins.metric_of("log_loss", "", said, higher_is_better=False), _log_loss(candidate), _log_loss(current)
        ),
        Column(margins.metric_of("calibration_error", "", said, higher_is_better=False), at, at + n, gap),
        Column(margins.metric_of("saving", "", said), _saving(candidate), _saving(current)),
    ]


def _choice(side: Side) -> Floats:
    """1 where a row went to the cheapest of its best tiers; tiers stand cheapest first."""
    quality, served = side.table.quality, side.made.served
    known = np.isfinite(quality).all(axis=1)
    best = np.argmax(np.where(np.isfinite(quality), quality, -1.0), axis=1)
    return np.where(known, (best == served).astype(np.float64), np.nan)


def _log_loss(side: Side) -> Floats:
    chance, outcome = np.clip(side.table.chance, _EDGE, 1 - _EDGE), side.table.quality
    loss: Floats = (-outcome * np.log(chance) - (1 - outcome) * np.log(1 - chance)).mean(axis=1)
    return loss


def _calibration(candidate: Side, current: Side) -> Measure:
    """The error of the rows whose numbers come in: the candidate's count from 0, the current one's from n."""
    chance = np.concatenate([candidate.table.chance, current.table.chance])
    outcome = np.concatenate([candidate.table.quality, current.table.quality])

    def of(numbers: Floats) -> float:
        rows = numbers.astype(np.int64)
        told, came = chance[rows].ravel(), outcome[rows].ravel()
        known = np.isfinite(told) & np.isfinite(came)
        return metrics.ece(told[known], came[known]) if known.any() else float("nan")

    return of


def _saving(side: Side) -> Floats:
    """What each row spares, as a share of the mean cost of always-large; its mean is the saving."""
    table = side.table
    known = np.isfinite(table.cost).all(axis=1) & np.isfinite(table.quality).all(axis=1)
    known &= np.isfinite(table.chance).all(axis=1)
    found = np.full(len(table), np.nan)
    if not known.any():
        return found
    chance = table.chance[known]
    settings = [metrics.Setting(f"keep {bar:g}", _sent(chance, bar)) for bar in _BARS]
    fold = _folds(table.stem[known].astype(np.int64))
    if len(np.unique(fold)) < 2:
        return found
    saved = metrics.held_out_saving(settings, table.quality[known], table.cost[known], fold, KEPT)
    whole = float(saved.always.mean())
    found[known] = (saved.always - saved.cost) / whole if whole else 0.0
    return found


def _sent(chance: Floats, bar: float) -> Floats:
    """(n, T): each row to the cheapest tier that has ``bar`` of the best one's chance."""
    first = np.argmax(chance >= bar * chance.max(axis=1, keepdims=True), axis=1)
    shares: Floats = np.eye(chance.shape[1])[first]
    return shares


def _folds(stem: NDArray[np.int64]) -> NDArray[np.int64]:
    """Questions in turn: the same rows have the same folds whichever scorer is looked at."""
    return np.unique(stem, return_inverse=True)[1].astype(np.int64) % FOLDS


# --- logs --------------------------------------------------------------------------------------------


def of_log(candidate: Side, current: Side, said: Sequence[Margin]) -> tuple[list[Estimate], list[str]]:
    """Both sides on a log that knows one tier's outcome a row: estimated doubly robustly, refused where it must be."""
    told = simulate(candidate, current)
    quality = margins.metric_of("quality", "", said, 0.0, 1.0)
    cost = margins.metric_of("cost", "", said, higher_is_better=False)
    refused = (told.evidence.refused, told.evidence.refused_money)
    against = current.policy.name
    found = [
        _said(Estimate(metric=quality, against=against, candidate=told.quality.value, current=told.current.value),
              told.change, refused[0]),
        _said(Estimate(metric=cost, against=against, candidate=told.money.cost.value, current=told.money.current.value),
              told.money.saving_current, refused[1] or ("" if cost.relative else "a log tells cost as a share only")),
    ]  # fmt: skip
    notes = [*told.notes, "the log knows only the tier that answered: outcomes are estimated, slices are in simulate"]
    return found, notes


def _said(bare: Estimate, figure: Said, refused: str) -> Estimate:
    if refused or figure.value is None or figure.low is None or figure.high is None:
        return msgspec.structs.replace(bare, why=refused or figure.why or "nothing can be said of it")
    error = (figure.high - figure.low) / (2 * _Z)
    z = figure.value / error if error else 0.0
    return msgspec.structs.replace(
        bare, gain=figure.value, low=figure.low, high=figure.high, p_worse=_NORMAL.cdf(z), p_better=_NORMAL.cdf(-z),
        n=figure.n, stems=figure.stems,
    )  # fmt: skip
