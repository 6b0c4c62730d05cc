"""From figures to what is said: rounding, bounds, money."""

from __future__ import annotations

from typing import Final

import numpy as np

from evals.tuning import clusters
from evals.tuning.clusters import Figure
from evals.tuning.result import Money, Said
from evals.tuning.table import Codes, Floats, Table

NANO: Final = 1e-9
#: Fewer rows than this say nothing about a policy.
LEAST_ROWS: Final = 30
NO_OTHER: Final = "no other policy was named (--against)"


def said(figure: Figure) -> Said:
    """A figure as it is written down; nothing where all rows are of one question, for then there is no interval."""
    if not np.isfinite(figure.high - figure.low):
        return Said(n=figure.n, stems=figure.stems, why="all rows are of one question or session")
    return Said(
        value=short(figure.value),
        low=short(figure.low),
        high=short(figure.high),
        n=figure.n,
        stems=figure.stems,
    )


def bounded(figure: Figure) -> Said:
    """A mean of outcomes in 0..1, whose estimate may lie beyond; its interval does not."""
    value, low, high = (float(np.clip(v, 0.0, 1.0)) for v in figure[:3])
    return said(Figure(value, low, high, figure.n, figure.stems))


def short(value: float) -> float:
    """Six digits: what an estimate can mean, and the same on every machine."""
    return float(f"{value:.6g}")


def money(mine: Floats, large: Floats, theirs: Floats | None, table: Table) -> Money:
    """Costs and savings, nano-dollars a row, over the rows where all of them are known."""
    known = ~np.isnan(mine) & ~np.isnan(large) & (True if theirs is None else ~np.isnan(theirs))
    if np.count_nonzero(known) < LEAST_ROWS:
        words = f"the cost of only {np.count_nonzero(known)} rows is known, and at least {LEAST_ROWS} are needed"
        return Money.unknown(words)
    stem = table.stem[known]
    other = Said(why=NO_OTHER)
    return Money(
        cost=dollars(mine[known], stem),
        large=dollars(large[known], stem),
        current=other if theirs is None else dollars(theirs[known], stem),
        saving_large=saving(mine[known], large[known], stem),
        saving_current=other if theirs is None else saving(mine[known], theirs[known], stem),
    )


def dollars(nano: Floats, stem: Codes) -> Said:
    """The mean of nano-dollars, in dollars."""
    return said(clusters.mean(nano * NANO, stem))


def saving(mine: Floats, whole: Floats, stem: Codes) -> Said:
    """``1 - sum(mine) / sum(whole)``."""
    if not whole.sum() > 0:
        return Said(why="the reference costs nothing, so there is nothing to save")
    spent = clusters.ratio(mine, whole, stem)
    return said(Figure(1 - spent.value, 1 - spent.high, 1 - spent.low, spent.n, spent.stems))
