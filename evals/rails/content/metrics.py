"""How well scores tell two classes apart, with intervals by resampling texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.intervals import wilson_share
from evals.metrics import auc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DRAWS: Final = 300
_SEED: Final = 20261124


def recall_at(label: NDArray[np.int64], score: NDArray[np.float64], rate: float) -> float:
    """Share of ones above the score that at most ``rate`` of the zeros exceed."""
    zeros = np.sort(score[label == 0])
    limit = zeros[min(len(zeros) - 1, int(np.ceil((1 - rate) * len(zeros))))]
    return float((score[label == 1] > limit).mean())


def judged(label: NDArray[np.int64], score: NDArray[np.float64]) -> dict[str, Any]:
    """AUC and recall at 1 and 5 % of false alarms, each with its 95 % interval, and the counts."""
    told: dict[str, Any] = {"n": len(label), "positives": int((label == 1).sum())}
    measures: dict[str, Callable[..., float]] = {
        "auc": lambda one, two: auc(one == 1, two),
        "recall_at_1": lambda one, two: recall_at(one, two, 0.01),
        "recall_at_5": lambda one, two: recall_at(one, two, 0.05),
    }
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    rng = np.random.default_rng(_SEED)
    for _ in range(DRAWS):
        at = rng.integers(0, len(label), len(label))
        if 0 < label[at].sum() < len(at):
            for name, of in measures.items():
                drawn[name].append(of(label[at], score[at]))
    for name, of in measures.items():
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        told[name] = [round(float(value), 4) for value in (of(label, score), low, high)]
    return told


def share(found: NDArray[np.bool_]) -> list[float]:
    """A share with its 95 % Wilson interval."""
    share = float(found.mean())
    return [round(value, 4) for value in (share, *wilson_share(share, len(found)))]
