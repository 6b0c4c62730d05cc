"""Fits the heads of the attack rail. Needs scikit-learn; the rest of the rail does not."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.rails.export import Fitted
from guardrails.learned.hashing import PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.rails.attacks.rows import Row
    from evals.rails.features import Stretches

#: How much a signal counts beside an n-gram before anything is learned.
SIGNAL_SCALE: Final = 0.2
#: Inverse of the strength of the ridge, for a mean weight of 1.
C: Final = 2.0
#: A source's weight is its number of texts to this power: large ones count more, but not in proportion.
POWER: Final = 0.5
#: What a document with an order in it counts among the attacks of users.
INDIRECT: Final = 0.3


def weights_of(rows: Sequence[Row], stretches: Stretches, used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for every stretch: sources balanced, attacks and others alike in sum, 0 where not ``used``."""
    source = np.array([row.source for row in rows])[stretches.text]
    label = np.array([row.label for row in rows])[stretches.text]
    own = np.array([row.weight for row in rows])[stretches.text]
    weights = np.zeros(len(label))
    for name in np.unique(source[used]):
        for value in (0, 1):
            here = np.flatnonzero(used & (source == name) & (label == value))
            if not len(here):
                continue
            texts = stretches.text[here]
            share = own[here] / np.sqrt(np.bincount(texts)[texts])
            weights[here] = share / share.sum() * len(np.unique(texts)) ** POWER
    for value in (0, 1):
        weights[label == value] *= used.sum() / 2 / max(weights[label == value].sum(), 1e-9)
    return weights


def design(stretches: Stretches) -> Any:
    """(stretches, PLACES + signals) CSR."""
    from scipy.sparse import csr_matrix, hstack

    return hstack([stretches.matrix, csr_matrix(stretches.signals * SIGNAL_SCALE)], format="csr")


def fit(x: Any, label: NDArray[np.int64], weights: NDArray[np.float64], c: float = C) -> Fitted:
    """A logistic regression on the stretches with a weight."""
    from sklearn.linear_model import LogisticRegression

    used = np.flatnonzero(weights > 0)
    model = LogisticRegression(C=c, solver="liblinear", dual=True, tol=0.1, max_iter=15, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge to the last digit
        model.fit(x[used], label[used], sample_weight=weights[used] / weights[used].mean())
    row = model.coef_[0]
    return Fitted(row[:PLACES], row[PLACES:] * SIGNAL_SCALE, model.intercept_)


def widest(stretches: Stretches) -> NDArray[np.bool_]:
    """Which stretches are the widest that end with their window."""
    order = np.lexsort((stretches.reach, stretches.window, stretches.text))
    text, window = stretches.text[order], stretches.window[order]
    best = np.ones(len(order), dtype=bool)
    best[order[:-1][(text[1:] == text[:-1]) & (window[1:] == window[:-1])]] = False
    return best
