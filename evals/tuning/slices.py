"""Where a policy does worst: its parts by tenant, language, task, source and tag, with intervals that hold together."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from evals.tuning.clusters import LEVEL, Groups, Spread
from evals.tuning.result import Said, Slice, Slices
from evals.tuning.table import Codes, Floats, Ints, Labels, Mask, Table

#: A slice of fewer rows, questions or effective rows says nothing of its own.
LEAST_ROWS: Final = 50
LEAST_STEMS: Final = 30
LEAST_ESS: Final = 50.0
#: Dimensions in which the worst slice is looked for.
DIMENSIONS: Final = ("tenant", "language", "task", "source", "tag")
#: What a person can read; the JSON of more would be as long as the rows.
MOST_LISTED: Final = 1_000


class Compared(NamedTuple):
    """Two policies' outcomes over k rows.

    Attributes:
        rows: (k,), which rows of the table.
        one, other: (k,), the candidate's and the reference's quality, estimated row by row.
        moved: (k,), where their decisions differ.
        weight: (k,), by which a log's rows speak of the candidate; None where all outcomes are known.
    """

    rows: Ints
    one: Floats
    other: Floats
    moved: Mask
    weight: Floats | None = None


class _Cut(NamedTuple):
    """One dimension, cut and counted."""

    dimension: str
    labels: Labels
    quality: Floats
    change: Spread
    thick: Mask


def dimensions_of(table: Table) -> tuple[str, ...]:
    """The dimensions in which the rows differ at all."""
    return tuple(d for d in DIMENSIONS if d in table.slices and len(table.slices[d].names) > 1)


def slices_of(table: Table, compared: Compared, by: str = "") -> tuple[Slices, ...]:
    """The worst slice of every dimension, and all of those of ``by``."""
    wanted = dimensions_of(table)
    if by and by not in wanted and by in table.slices:
        wanted = (*wanted, by)
    cuts = [_cut(dimension, table, compared) for dimension in wanted]
    looked_at = max(1, sum(int(np.count_nonzero(cut.thick)) for cut in cuts))
    return tuple(_described(cut, looked_at, listed=cut.dimension == by) for cut in cuts)


def _cut(dimension: str, table: Table, compared: Compared) -> _Cut:
    labels = table.slices[dimension]
    group: Codes = labels.codes[compared.rows]
    count = len(labels.names)
    groups = Groups.of(table.stem[compared.rows], group, count)
    touched = np.bincount(group, compared.moved, count) > 0
    change = groups.spread(compared.one - compared.other, np.where(touched, 1.0, 0.0))
    quality = np.bincount(group, compared.one, count) / np.maximum(change.n, 1)
    thick = (change.n >= LEAST_ROWS) & (change.clusters >= LEAST_STEMS)
    if compared.weight is not None:
        total = np.bincount(group, compared.weight, count)
        square = np.bincount(group, compared.weight**2, count)
        thick &= total**2 >= LEAST_ESS * np.maximum(square, 1e-300)
    return _Cut(dimension, labels, quality, change, thick)


def _described(cut: _Cut, looked_at: int, *, listed: bool) -> Slices:
    half = cut.change.reach(1 - (1 - LEVEL) / looked_at)
    order = sorted(np.flatnonzero(cut.thick).tolist(), key=lambda g: (cut.change.mean[g], cut.labels.names[g]))
    there = cut.change.n > 0
    thin = there & ~cut.thick
    each = [_slice(cut, g, float(half[g])) for g in (order[:MOST_LISTED] if listed else order[:1])]
    return Slices(
        dimension=cut.dimension,
        looked_at=looked_at,
        worst=each[0] if each else None,
        thin=int(np.count_nonzero(thin)),
        thin_share=_short(float(cut.change.n[thin].sum() / max(1, cut.change.n.sum()))),
        each=tuple(each) if listed else (),
    )


def _slice(cut: _Cut, g: int, half: float) -> Slice:
    value, n, stems = float(cut.change.mean[g]), int(cut.change.n[g]), int(cut.change.clusters[g])
    change = Said(value=_short(value), low=_short(value - half), high=_short(value + half), n=n, stems=stems)
    return Slice(
        dimension=cut.dimension,
        name=cut.labels.names[g] or "(none)",
        n=n,
        stems=stems,
        quality=_short(float(cut.quality[g])),
        change=change,
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}")
