"""Fitting the heads of the content guard: logistic regression on n-grams scaled by how unevenly the classes use them.

The scaling is that of Wang and Manning (2012), "Baselines and Bigrams": an n-gram counts by its log-count ratio.
Each source's share is levelled, so that a large one does not decide alone. Of texts that lack a category every
sentence lacks it too, so their sentences are examples as well: serving takes the surest stretch of a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.rails.content.rows import CALIBRATE, MEASURE
from evals.rails.export import Fitted
from guardrails.content import HEADS
from guardrails.learned import logit
from guardrails.learned.measure import REACHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.rails.content.rows import Row
    from evals.rails.matrix import Texts

SEED: Final = 0
#: Inverse strength of the penalty; how much of a source's size is taken from it; weight of a signal; of a sentence.
PENALTY: Final = 1.0
LEVEL: Final = 0.5
SIGNAL: Final = 0.5
SENTENCE: Final = 0.3
#: Least weight of an n-gram that both classes use alike.
_FLAT: Final = 0.15
#: Share of ordinary texts that a head may find with LOW confidence; HIGH is a tenth of it, by the tail's slope.
#: Requests for misconduct are closest to ordinary ones, so they get most of what all heads together may err.
RATE: Final = 0.001
RATES: Final = {"misconduct": 0.004}
_TAIL: Final = 0.02
_LEAST_SLOPE: Final = 0.25


@dataclass(frozen=True)
class Model:
    """One head as fitted: z = weights . n-grams + signals . signals + bias."""

    weights: NDArray[np.float64]
    signals: NDArray[np.float64]
    bias: float

    def scaled(self, low: float, high: float) -> Model:
        """The same, so that ``low`` becomes a score of .5 and ``high`` one of .9."""
        by = logit(0.9) / (high - low)
        return Model(self.weights * by, self.signals * by, (self.bias - low) * by)

    def fitted(self) -> Fitted:
        """As it is written."""
        return Fitted(self.weights, self.signals, np.full(len(REACHES), self.bias))


def targets(rows: Sequence[Row], head: str) -> NDArray[np.int64]:
    """1 has it, 0 lacks it, -1 not known, for each row."""
    category = HEADS[head]
    _, _, lang = head.partition("-")
    known = np.full(len(rows), -1)
    for at, row in enumerate(rows):
        if row.ordinary and row.fold in {CALIBRATE, MEASURE}:
            continue
        if row.source == "routing-valid" or (lang and row.lang != lang and not row.ordinary):
            continue
        if category in row.has:
            known[at] = 1
        elif category in row.lacks:
            known[at] = 0
    return known


def fit(texts: Texts, rows: Sequence[Row], head: str, use: NDArray[np.bool_]) -> Model:
    """One head, from the rows of ``use`` that say something of it."""
    from scipy.sparse import csr_matrix, diags, hstack, vstack
    from sklearn.linear_model import LogisticRegression

    wanted = targets(rows, head)
    chosen = np.flatnonzero(use & (wanted >= 0))
    label = wanted[chosen]
    weight = np.zeros(len(rows))
    weight[chosen] = _levelled(np.array([rows[at].source for at in chosen.tolist()]), label)
    lacking = np.zeros(len(rows), dtype=bool)
    lacking[chosen[label == 0]] = True
    sentences = np.flatnonzero(lacking[texts.owner])
    np.random.default_rng(SEED).shuffle(sentences)
    sentences = sentences[: len(chosen) // 2]
    scale = _ratios(texts.whole[chosen], label)
    grams = vstack([texts.whole[chosen], texts.windows[sentences]]) @ diags(scale.astype(np.float32))
    counted = np.vstack([texts.signals[chosen], texts.window_signals[sentences]]) * SIGNAL
    model = LogisticRegression(C=PENALTY, max_iter=60, tol=1e-3)
    model.fit(
        hstack([grams, csr_matrix(counted.astype(np.float32))]).tocsr(),
        np.concatenate([label, np.zeros(len(sentences), dtype=label.dtype)]),
        sample_weight=np.concatenate([weight[chosen], SENTENCE * weight[texts.owner[sentences]]]),
    )
    found = model.coef_[0]
    return Model(found[: len(scale)] * scale, found[len(scale) :] * SIGNAL, float(model.intercept_[0]))


def score(texts: Texts, model: Model) -> NDArray[np.float64]:
    """The z of each text: of its surest stretch among itself and its windows."""
    best = texts.whole @ model.weights + texts.signals @ model.signals + model.bias
    parts = texts.windows @ model.weights + texts.window_signals @ model.signals + model.bias
    np.maximum.at(best, texts.owner, parts)
    return np.asarray(best)


def limits(z: NDArray[np.float64], langs: NDArray[Any], head: str) -> tuple[float, float]:
    """The z of LOW and of HIGH confidence, from the z of ordinary texts: the higher of each over the languages."""
    rate = RATES.get(head, RATE)
    low, slope = -np.inf, _LEAST_SLOPE
    for lang in ("en", "ko"):
        of_lang = z[langs == lang]
        at, tail = np.quantile(of_lang, [1 - rate, 1 - _TAIL])
        low = max(low, float(at))
        slope = max(slope, float(at - tail) / float(np.log10(_TAIL / rate)))
    return low, low + slope


def _levelled(sources: NDArray[Any], label: NDArray[np.int64]) -> NDArray[np.float64]:
    weight = np.ones(len(label))
    for source in np.unique(sources):
        for kind in (0, 1):
            same = (sources == source) & (label == kind)
            if same.any():
                weight[same] = float(same.sum()) ** -LEVEL
    return np.asarray(weight * len(label) / weight.sum())


def _ratios(grams: Any, label: NDArray[np.int64]) -> NDArray[np.float64]:
    there = (grams > 0).astype(np.float32)
    has = 1 + there.T @ (label == 1).astype(np.float64)
    lacks = 1 + there.T @ (label == 0).astype(np.float64)
    ratio = np.abs(np.log(has / has.sum()) - np.log(lacks / lacks.sum()))
    return np.asarray(np.where(has + lacks > 3, ratio + _FLAT, 0.0))
