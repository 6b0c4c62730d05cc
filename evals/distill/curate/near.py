"""Which rows say the same as an earlier one: over signatures alone, by bands (locality-sensitive hashing).

Two texts with the share J of shingles in common meet in one of ``b`` bands of ``r`` places with the chance
1 - (1 - J^r)^b (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evals.distill.curate.signs import PLACES, Signs

Index = npt.NDArray[np.int64]


def repeats(signs: Signs, near: float) -> Index:
    """For each row the earlier row that it repeats, or -1. Rows come in the order in which they should be kept.

    Args:
        signs: (n, 32).
        near: the share of equal places from which two rows are one.
    """
    of = np.full(len(signs), -1, dtype=np.int64)
    for order, first in _bands(signs, rows=4):
        others = order[first != order]
        heads = first[first != order]
        alike = _alike(signs, others, heads, near)
        new = alike & (of[others] < 0)
        of[others[new]] = heads[new]
    return of


def _alike(signs: Signs, rows: Index, others: Index, near: float, most: int = 1 << 16) -> npt.NDArray[np.bool_]:
    """(m,) whether each row has at least the share ``near`` of places in common with its partner, block by block."""
    blocks = [slice(at, at + most) for at in range(0, len(rows), most)]
    found = [(signs[rows[block]] == signs[others[block]]).mean(axis=1) >= near for block in blocks]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.bool_)


def _bands(signs: Signs, rows: int) -> Iterator[tuple[Index, Index]]:
    """For each band: the rows ordered by its value, and beside each the first row with the same value."""
    for start in range(0, PLACES, rows):
        keys = _key(signs[:, start : start + rows])
        order = np.argsort(keys, kind="stable")  # stable: within a value the rows stay in their order
        ordered = keys[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(order) else np.zeros(0, dtype=bool)
        heads = order[np.flatnonzero(begins)]
        yield order, heads[np.cumsum(begins) - 1]


def _key(part: Signs) -> npt.NDArray[np.uint64]:
    key = np.zeros(len(part), dtype=np.uint64)
    for column in part.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key
