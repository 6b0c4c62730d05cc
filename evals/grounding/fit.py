"""Fitting a logistic rule whose weights may not cross 0: a wrong number can never speak for an answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: What counts for an answer (1) and against it (-1), by name.
AGAINST = ("lack_values", "lack_names", "denial", "nothing_shared", "lack_kind")


def fit(
    X: NDArray[np.float64], y: NDArray[Any], weight: NDArray[np.float64], names: Sequence[str]
) -> NDArray[np.float64]:
    """Weights and the offset, by projected Newton-like steps (accelerated gradient) on the penalised log-loss.

    Args:
        X: (rows, names).
        y: 0 or 1.
        weight: of each row.
        names: what the columns are; the signs of their weights follow.
    """
    signs = np.array([-1.0 if name in AGAINST else 1.0 for name in names])
    full = np.hstack([X * signs, np.ones((len(X), 1))])
    weight = weight / weight.sum()
    step = 4.0 / np.linalg.norm((full * weight[:, None]).T @ full, 2)
    beta, ahead, pace = np.zeros(full.shape[1]), np.zeros(full.shape[1]), 1.0
    penalty = np.append(np.full(len(names), 1e-3), 0.0)
    for _ in range(3000):
        p = 1 / (1 + np.exp(-full @ ahead))
        moved = ahead - step * (full.T @ (weight * (p - y)) + penalty * ahead)
        moved[:-1] = np.maximum(moved[:-1], 0.0)
        following = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = moved + (pace - 1) / following * (moved - beta)
        beta, pace = moved, following
    return np.append(beta[:-1] * signs, beta[-1])


def balanced(sources: Sequence[str], labels: Sequence[int], kinds: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Weights that give every label of every source the same say, and within it every kind."""
    pairs = list(zip(sources, labels, strict=True))
    fine = list(zip(pairs, kinds, strict=True)) if kinds is not None else [(pair, "") for pair in pairs]
    counts = Counter(fine)
    several = Counter(pair for pair, _ in counts)
    return np.array([1.0 / (counts[each] * several[each[0]]) for each in fine])


def auc(score: NDArray[np.float64], y: NDArray[Any]) -> float:
    """Area under the ROC curve, ties halved."""
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    values, inverse, counts = np.unique(score[order], return_inverse=True, return_counts=True)
    ranks[order] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(y.sum())
    negatives = len(y) - positives
    if not len(values) or not positives or not negatives:
        return float("nan")
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
