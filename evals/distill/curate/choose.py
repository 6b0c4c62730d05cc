"""Which rows are learned from: most from the clusters where the small tier fails, and as many at random beside them.

After RouteNLP (arXiv 2604.23577): rows of the clusters in which answers had to be escalated teach a small model more
than as many rows from everywhere. The random choice is the control that says by how much.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]


def targeted(
    cluster: Index, route: Index, failed: npt.NDArray[np.bool_], rates: npt.NDArray[np.float64], budget: int
) -> Index:
    """Rows, at most ``budget`` of them, given in the order in which they should be taken.

    A cluster's part grows with its rows times how much more often it fails than the best cluster; inside a cluster
    routes take turns, and of a route the rows that failed come first.

    Args:
        cluster: (n,) of each row, rows in the order of preference among equals.
        route: (n,).
        failed: (n,) whether the small tier did.
        rates: (k,) how often each cluster fails.
        budget: rows.
    """
    n = len(cluster)
    if n <= budget:
        return np.arange(n)
    sizes = np.bincount(cluster, minlength=len(rates))
    parts = quotas(sizes, sizes * np.maximum(rates - rates[sizes > 0].min(), 1e-9), budget)
    chosen: list[Index] = []
    by_cluster = np.argsort(cluster, kind="stable")
    ends = np.cumsum(sizes)
    for c in np.flatnonzero(parts):
        rows = by_cluster[ends[c] - sizes[c] : ends[c]]
        rows = rows[np.argsort(~failed[rows], kind="stable")]
        chosen.append(rows[_turns(route[rows])][: parts[c]])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)


def _turns(labels: Index) -> Index:
    """An order in which the labels take turns: the first of each, then the second of each."""
    order = np.argsort(labels, kind="stable")
    sizes = np.unique(labels[order], return_counts=True)[1]
    turn = np.empty(len(labels), dtype=np.int64)
    turn[order] = np.concatenate([np.arange(size) for size in sizes]) if len(sizes) else order
    return np.lexsort((np.arange(len(labels)), turn))


def quotas(sizes: Index, weights: npt.NDArray[np.float64], budget: int) -> Index:
    """(k,) how many rows of each cluster: by weight, never more than it has, ``budget`` in all (largest remainders)."""
    parts = np.zeros(len(sizes), dtype=np.int64)
    left, open_ = min(budget, int(sizes.sum())), sizes > 0
    while left > 0 and open_.any():
        share = np.where(open_, weights, 0.0)
        wanted = left * share / share.sum()
        more = np.minimum(np.floor(wanted).astype(np.int64), sizes - parts)
        if more.sum() == 0:  # less than one row each: the largest remainders take one
            first = np.argsort(-np.where(open_, wanted, -1.0), kind="stable")[:left]
            more = np.zeros_like(parts)
            more[first] = np.minimum(1, (sizes - parts)[first])
        parts += more
        left -= int(more.sum())
        open_ = parts < sizes
    return parts
