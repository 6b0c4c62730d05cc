"""Rows with values of both sides, and what they say of each metric. Pairs are rows; questions (stems) are draws.

Where one side alone lacks a value, the pair is not simply dropped: a candidate that fails on hard rows would look
better for it. On a scale, the limits are those of the worst and the best case of what is missing (Manski, Partial
Identification of Probability Distributions, 2003, ch. 1). Without a scale, more than ``MOST_MISSING`` of such rows
leave the metric untold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals import metrics
from evals.compare import clusters, paired
from evals.gate.values import Estimate, Metric

Floats = NDArray[np.float64]
Stems = NDArray[np.int64]
Measure = Callable[[Floats], float]

MOST_MISSING: Final = 0.02
DRAWS: Final = 1_999
DRAWS_A_FIGURE: Final = 22
MOST_DRAWS: Final = 19_999
SEED: Final = paired.SEED
_ALPHA: Final = 0.05
_HAIR: Final = 1e-9
_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(0.975)


class Column(NamedTuple):
    """One metric's values, row by row; NaN is unknown.

    ``measure`` makes one figure of a side's values where that is not their mean (a percentile). ``whole`` says that
    slices of it decide nothing: a policy that is tuned moves cost from one kind of request to another.
    """

    metric: Metric
    candidate: Floats
    current: Floats
    measure: Measure | None = None
    whole: bool = False


class Rows(NamedTuple):
    """Two sides on the same rows.

    Attributes:
        columns: the metrics.
        stems: (n,) codes, equal for rows that share a question.
        slices: name -> value of each row; empty where it has none.
        notes: what must be known of the rows.
    """

    columns: Sequence[Column]
    stems: Stems
    slices: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()


def estimate(
    column: Column, stems: Stems, against: str, where: str = "", *, seed: int = SEED, draws: int = DRAWS
) -> Estimate:
    """What the rows say of one metric."""
    new, old = np.isfinite(column.candidate), np.isfinite(column.current)
    both, one = new & old, new ^ old
    bare = Estimate(
        metric=column.metric,
        against=against,
        where=where,
        candidate=_figure(column, column.candidate[both if both.any() else new]),
        current=_figure(column, column.current[both if both.any() else old]),
        n=int(both.sum()),
        stems=len(np.unique(stems[both])),
        left_out=int((~both & ~one).sum()),
    )
    if not both.any():
        side = "the candidate" if not new.any() else against if not old.any() else ""
        return _with(bare, why=f"{side} has no figure" if side else "no row has a figure of both sides")
    if column.metric.span is not None and column.measure is None:
        return _on_a_scale(column, stems, bare, one, seed, draws)
    if one.sum() > MOST_MISSING * (both.sum() + one.sum()):
        return _with(bare, why=f"{int(one.sum())} of {int((both | one).sum())} rows have a figure of one side only")
    kept = Column(column.metric, column.candidate[both], column.current[both], column.measure)
    if column.metric.relative and not bare.current:
        return _of_nothing(kept, bare)
    if column.measure is not None:
        return _by_bootstrap(kept, stems[both], bare, seed)
    return _without_a_scale(kept, stems[both], bare, seed, draws)


def _on_a_scale(
    column: Column, stems: Stems, bare: Estimate, one: NDArray[np.bool_], seed: int, draws: int
) -> Estimate:
    """Scores between two ends: judged exactly where they are right or wrong, else by the bootstrap over stems."""
    metric = column.metric
    assert metric.low is not None
    assert metric.span is not None
    new, old = ((side - metric.low) / metric.span for side in (column.candidate, column.current))
    if not metric.higher_is_better:
        new, old = 1 - new, 1 - old
    drawn = stems.tolist()
    seen = paired.compare(new, old, drawn, seed=seed, draws=draws)
    worst = best = seen
    why = ""
    if one.any():
        worst, best = (paired.compare(*_filled(new, old, case), drawn, seed=seed, draws=draws) for case in (0.0, 1.0))
        why = f"{int(one.sum())} rows have a figure of one side only: the limits allow for what they may hide"
    unit = metric.span / (abs(bare.current) if metric.relative and bare.current else 1.0)
    if metric.relative and not bare.current:
        return _with(bare, why="the current value is zero: give the margin in the metric's own unit")
    return _with(
        bare,
        gain=seen.value * unit,
        low=min(seen.low, worst.low) * unit,
        high=max(seen.high, best.high) * unit,
        p_worse=max(_one_sided(-seen.value, seen.p), _one_sided(-best.value, best.p)),
        p_better=max(_one_sided(seen.value, seen.p), _one_sided(worst.value, worst.p)),
        why=why,
    )


def _filled(new: Floats, old: Floats, case: float) -> tuple[Floats, Floats]:
    """What one side lacks, at its worst (0) or best (1) for the candidate."""
    candidate = np.where(np.isnan(new) & ~np.isnan(old), case, new)
    current = np.where(np.isnan(old) & ~np.isnan(new), 1.0 - case, old)
    return candidate, current


def _without_a_scale(column: Column, stems: Stems, bare: Estimate, seed: int, draws: int) -> Estimate:
    """Money and time: amounts >= 0 without an upper end.

    The interval is that of the difference in units of the largest amount seen. Of a share of the current value, it is
    that of the ratio R, linearised: the spread of new - R * old (Fieller's, where the current mean is well known).
    Where a few rows hold most of the money such limits are too narrow. So they are never narrower than the tests by
    turned signs allow: they hold 0 where no difference is shown, and the margin where a loss of it is not excluded.
    """
    new, old = column.candidate, column.current
    plain = _scaled(new, old, stems, seed, draws)
    sign = 1.0 if column.metric.higher_is_better else -1.0
    gain, low, high = plain.value, plain.low, plain.high
    if column.metric.relative:
        mean = float(old.mean())
        ratio = float(new.mean()) / mean
        around = _scaled(new, ratio * old, stems, seed, draws, unit=float(np.abs(old).max()))
        gain, low, high = ratio - 1, ratio - 1 + around.low / mean, ratio - 1 + around.high / mean
    if sign < 0:
        gain, low, high = -gain, -high, -low
    if column.metric.relative:
        if plain.p > _ALPHA:
            low, high = min(low, 0.0), max(high, 0.0)
        margin = column.metric.margin
        if low > -margin and _turned(new - (1 - sign * margin) * old, stems, seed, draws) > _ALPHA:
            low = -margin - _HAIR
    return _with(
        bare, gain=gain, low=low, high=high, p_worse=_one_sided(-gain, plain.p), p_better=_one_sided(gain, plain.p)
    )


def _turned(difference: Floats, stems: Stems, seed: int, draws: int) -> float:
    """Two-sided p of no difference, by turning the signs of whole questions."""
    most = float(np.abs(difference).max())
    member = np.unique(stems, return_inverse=True)[1].astype(np.int64)
    found = clusters.gather(difference / most if most else difference, member)
    return clusters.sign_p(found, np.random.default_rng(seed), draws)


def _scaled(new: Floats, old: Floats, stems: Stems, seed: int, draws: int, unit: float = 1.0) -> paired.Difference:
    """``paired.compare`` of amounts, by way of their largest; where all are zero (a free candidate), of ``unit``."""
    base = min(0.0, float(new.min()), float(old.min()))
    most = max(float(new.max()), float(old.max())) - base
    if most <= 0:
        most = unit
    found = paired.compare(
        np.clip((new - base) / most, 0, 1), np.clip((old - base) / most, 0, 1), stems.tolist(), seed=seed, draws=draws
    )
    return found._replace(value=found.value * most, low=found.low * most, high=found.high * most)


def _by_bootstrap(column: Column, stems: Stems, bare: Estimate, seed: int) -> Estimate:
    """A figure that is no mean: the percentile bootstrap over stems, and p by its spread."""
    measure = column.measure
    assert measure is not None
    sign = 1.0 if column.metric.higher_is_better else -1.0

    def gain(index: NDArray[np.int64]) -> float:
        new, old = measure(column.candidate[index]), measure(column.current[index])
        unit = abs(old) if column.metric.relative else 1.0
        return sign * (new - old) / unit if unit else float("nan")

    found = metrics.bootstrap(gain, [str(stem) for stem in stems], np.random.default_rng(seed))
    if not all(np.isfinite(found)):
        return _with(bare, why="no interval can be drawn")
    error = (found.high - found.low) / (2 * _Z)
    z = found.value / error if error else 0.0
    return _with(
        bare, gain=found.value, low=min(found.low, found.value), high=max(found.high, found.value),
        p_worse=_NORMAL.cdf(z), p_better=_NORMAL.cdf(-z),
    )  # fmt: skip


def _of_nothing(column: Column, bare: Estimate) -> Estimate:
    """The current value is zero, so no share of it can be taken; two zeros are equal."""
    if not column.candidate.any() and not column.current.any():
        return _with(bare, gain=0.0, low=0.0, high=0.0)
    return _with(bare, why="the current value is zero: give the margin in the metric's own unit")


def _one_sided(gain: float, p: float) -> float:
    """The p of "no gain" from a two-sided one."""
    return p / 2 if gain > 0 else 1.0 - p / 2


def _figure(column: Column, values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    return column.measure(known) if column.measure is not None else float(known.mean())


def _with(estimate: Estimate, **changes: object) -> Estimate:
    return msgspec.structs.replace(estimate, **changes)


def within_slices(rows: Rows, against: str, fewest: int, seed: int = SEED) -> tuple[list[Estimate], int]:
    """Every mean in every slice with at least ``fewest`` questions, and how many slices are smaller.

    A drawn p is never below one over the draws, so there are as many as the number of figures asks for.
    """
    parts: list[tuple[str, NDArray[np.bool_]]] = []
    small = 0
    for name, values in rows.slices.items():
        words = np.asarray(values)
        for word in sorted(set(values) - {""}):
            here = words == word
            if len(np.unique(rows.stems[here])) < fewest:
                small += 1
            elif not here.all():
                parts.append((f"{name}={word}", here))
    means = [column for column in rows.columns if column.measure is None and not column.whole]
    draws = min(MOST_DRAWS, max(DRAWS, DRAWS_A_FIGURE * len(parts) * len(means)))
    found = [
        estimate(
            Column(column.metric, column.candidate[here], column.current[here]), rows.stems[here], against, where,
            seed=seed, draws=draws,
        )
        for where, here in parts
        for column in means
    ]  # fmt: skip
    return found, small
