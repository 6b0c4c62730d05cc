"""Every setting of a policy's thresholds at once: what it loses, gains and costs on recorded rows.

A row goes to the first tier whose *stake* in it lies at or below the tier's threshold, else to the best. So two
thresholds cut the plane of two stakes into three regions, and sums over regions are differences of prefix sums: n rows
and G breakpoints an axis cost n + G² steps, not n · G². With as many breakpoints as rows the sweep is exact; with
fewer it is exact at those it looks at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Grid(NamedTuple):
    """Breakpoints, and the cell of each row: row i goes to the low tier from threshold ``low[cell[i, 0]]`` on.

    ``low`` and ``high`` ascend and begin below every finite stake. With two tiers ``high`` is one entry that no row
    reaches, so that the middle region is empty.
    """

    low: Floats
    high: Floats
    cell: Ints


def grid(stakes: Floats, most: int) -> Grid:
    """Breakpoints of rows by lower tiers (one or two): all of them where there are at most ``most``, else quantiles.

    Stakes are -inf where the tier takes the row always, inf where never.
    """
    axes, cells = [], []
    for column in range(2):
        if column >= stakes.shape[1]:
            axes.append(np.array([-np.inf]))
            cells.append(np.ones(len(stakes), dtype=np.int64))
            continue
        values = stakes[:, column]
        points = np.unique(values[np.isfinite(values)])
        if len(points) > most:
            points = np.unique(np.quantile(points, np.linspace(0, 1, most), method="higher"))
        axis = np.concatenate([[-np.inf], points])
        axes.append(axis)
        cells.append(np.searchsorted(axis, values, side="left"))
    return Grid(axes[0], axes[1], np.stack(cells, axis=1))


class Sums(NamedTuple):
    """Sums over rows for every pair of thresholds, (low, high)."""

    losses: Floats
    gains: Floats
    cost: Floats


def sums(on: Grid, loss: Floats, gain: Floats, cost: Floats, weight: Floats | None = None) -> Sums:
    """What every setting comes to.

    Args:
        on: breakpoints and cells.
        loss: rows by tiers, what is lost by each against the measure; the last column is the best tier.
        gain: the same of what is gained.
        cost: the same of money.
        weight: how often each row counts; once by default.
    """
    return Sums(_settled(on, loss, weight), _settled(on, gain, weight), _settled(on, cost, weight))


def _settled(on: Grid, value: Floats, weight: Floats | None) -> Floats:
    """The sum of ``value`` over all rows, each at the tier that a pair of thresholds sends it to."""
    once = np.ones(len(value)) if weight is None else weight
    best = value[:, -1] * once
    low = _histogram(on, value[:, 0] * once - best)
    region = np.cumsum(low.sum(axis=1))[: len(on.low)]
    total = best.sum() + np.repeat(region[:, None], len(on.high), axis=1)
    if value.shape[1] == 3:
        middle = np.cumsum(_histogram(on, value[:, 1] * once - best), axis=1)
        # Rows beyond the low threshold and within the high one: all within the high one, less those of both.
        both = np.cumsum(middle, axis=0)
        total = total + both[-1, : len(on.high)] - both[: len(on.low), : len(on.high)]
    return np.asarray(total)


def _histogram(on: Grid, weight: Floats) -> Floats:
    shape = len(on.low) + 1, len(on.high) + 1
    flat = on.cell[:, 0] * shape[1] + on.cell[:, 1]
    found: Floats = np.bincount(flat, weight, shape[0] * shape[1]).astype(np.float64).reshape(shape)
    return found


def front(risk: Floats, cost: Floats) -> Ints:
    """The settings that none other beats on both, safest first; of equal ones the first. Arguments are flat."""
    order = np.lexsort((np.arange(len(cost)), cost, risk))
    best = np.minimum.accumulate(cost[order])
    first = np.concatenate([[True], best[1:] < best[:-1]])
    return np.asarray(order[first], dtype=np.int64)


def knee(risk: Floats, cost: Floats) -> int:
    """Where a front lies furthest below the line between its ends, both axes scaled to 0..1 (Satopaa et al., 2011)."""
    if len(risk) < 3 or risk[-1] == risk[0] or cost[-1] == cost[0]:
        return len(risk) - 1
    across, up = (risk - risk[0]) / (risk[-1] - risk[0]), (cost - cost[-1]) / (cost[0] - cost[-1])
    # Rounded, so that the last bit of a sum, which machines differ in, does not choose among equals.
    return int(np.argmax(np.round(1.0 - across - up, 9)))


def assigned(stakes: Floats, thresholds: Sequence[float]) -> Ints:
    """The tier of each row, as a column; what ``sums`` adds up."""
    taken = stakes <= np.array(thresholds)
    return np.asarray(np.where(np.any(taken, axis=1), np.argmax(taken, axis=1), stakes.shape[1]), dtype=np.int64)


class Ray(NamedTuple):
    """Settings along a line through the origin of the thresholds, safest first, and where each row moves.

    At step k the thresholds are ``low[k]`` and ``high[k]``; row i is at the low tier from step ``to_low[i]`` on, and
    before that at the middle one from ``to_high[i]`` on (a number behind the last step: never). Every step moves rows
    down and none up, so what is lost hardly ever falls along the ray: a bound met late is met early.
    """

    ratio: float
    low: Floats
    high: Floats
    to_low: Ints
    to_high: Ints


def ray(stakes: Floats, ratio: float, steps: int) -> Ray:
    """The ray of thresholds (ratio · t, t): t runs through quantiles of where rows move. Stakes as in ``grid``.

    A ratio of 0 never moves a row to the low tier by its stake, an infinite one none to the middle tier.
    """
    low = stakes[:, 0]
    high = stakes[:, 1] if stakes.shape[1] == 2 else np.full(len(stakes), np.inf)
    if np.isinf(ratio):
        down, middle, scale = low, np.where(np.isfinite(high), np.inf, high), (1.0, 0.0)
    else:
        moved = np.where(np.isfinite(low), np.inf if ratio == 0 else low / max(ratio, 1e-9), low)
        down, middle, scale = moved, high, (ratio, 1.0)
    first = np.minimum(down, middle)
    first = first[np.isfinite(first)]
    points = np.zeros(1)
    if len(first):
        # Written with five digits, so that what is certified is what the policy will say.
        points = np.unique(np.ceil(np.quantile(first, np.linspace(0, 1, steps), method="higher") * 1e5) / 1e5)
        points = np.minimum(np.concatenate([[0.0], points]), 1.0)
    thresholds = [np.round(points * part, 5) for part in scale]
    return Ray(
        ratio,
        thresholds[0],
        thresholds[1],
        np.searchsorted(thresholds[0], low, side="left") if scale[0] else _ends(low, len(points)),
        np.searchsorted(thresholds[1], high, side="left") if scale[1] else _ends(high, len(points)),
    )


def _ends(stakes: Floats, steps: int) -> Ints:
    return np.where(stakes == -np.inf, 0, steps)


def along(on: Ray, value: Floats, weight: Floats | None = None) -> Floats:
    """The sum of ``value`` (rows by tiers, the best last) at each step, each row at the tier it has come to."""
    steps = len(on.low)
    each = value if weight is None else value * weight[:, None]
    size = steps + 1
    change = np.bincount(on.to_low, each[:, 0] - each[:, -1], size)
    if value.shape[1] == 3:
        between = each[:, 1] - each[:, -1]
        between = np.where(on.to_high < on.to_low, between, 0.0)
        change = change + np.bincount(on.to_high, between, size) - np.bincount(on.to_low, between, size)
    return np.asarray(each[:, -1].sum() + np.cumsum(change)[:steps])
