"""Fits what is said of pages (``guardrails.learned.pages``): whole texts as sets of n-grams. Needs scikit-learn.

An n-gram counts once, rare ones count more, and a text's length is divided out: as in TF-IDF, which holds on sources
that nobody trained on where sums over sentences do not. Rarity is that of the rows that are fitted on.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.rails.export import CLIP, packed, rounded
from guardrails.learned.hashing import PLACES
from guardrails.learned.measure import measure
from guardrails.learned.pages import Page, PageBank, different, pages_from_bytes, turned
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from guardrails.learned.bank import Signals

#: An n-gram that fewer rows have is not read.
FEWEST: Final = 2
#: Rarity is the inverse frequency's logarithm to this power: chosen on sources left out, as all here.
POWER: Final = 1.5
#: How much a signal counts beside all n-grams together.
SIGNAL_SCALE: Final = 0.03
C: Final = 1.0


@dataclass(frozen=True)
class Pages:
    """The first page of each text.

    Attributes:
        places: (texts, PLACES) CSR of ones.
        signals: (texts, names).
    """

    places: Any
    signals: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Pages:
        """Some of them."""
        return Pages(self.places[rows], self.signals[rows])


def pages(texts: Sequence[str], signals: Signals) -> Pages:
    """The first page of each text; a text without any is an empty row."""
    from scipy.sparse import csr_matrix

    found: list[NDArray[np.int32]] = []
    counted = np.zeros((len(texts), signals.counters), dtype=np.int64)
    for number, text in enumerate(texts):
        folded = normalize(text)[0]
        starts, end = cut(folded, 0, last=True)
        if not starts:
            found.append(np.zeros(0, dtype=np.int32))
            continue
        page = turned(starts, end, last=True)[0][0]
        begins, stop = starts[: page.last + 1], [*starts, end][page.last + 1]
        measured = measure(folded, begins, stop, len(begins))
        places = different(measured, Page(0, page.last))
        found.append(places[places < PLACES])
        counted[number] = measured.counts(signals).sum(axis=0)
    sizes = [len(places) for places in found]
    ones = np.ones(sum(sizes), dtype=np.float32)
    places = csr_matrix((ones, np.concatenate(found), np.concatenate([[0], np.cumsum(sizes)])), (len(texts), PLACES))
    return Pages(places, signals.features(counted))


@dataclass(frozen=True)
class FittedPages:
    """Weights of pages before they are rounded: of n-grams, of signals, the offset, and n-grams' squared rarity."""

    weights: NDArray[np.float64]
    rarity: NDArray[np.float64]
    signals: NDArray[np.float64]
    offset: float

    def moved(self, by: float) -> FittedPages:
        """The same with another offset."""
        return FittedPages(self.weights, self.rarity, self.signals, self.offset + by)


def fit_pages(made: Pages, label: NDArray[np.int64], weights: NDArray[np.float64]) -> FittedPages:
    """A logistic regression on sets of n-grams, each text scaled to length 1."""
    from scipy.sparse import csr_matrix, diags, hstack
    from sklearn.linear_model import LogisticRegression

    seen = np.bincount(made.places.indices, minlength=PLACES)
    rare = np.log((1 + len(label)) / (1 + seen)) + 1
    scale = np.where(seen >= FEWEST, rare**POWER, 0.0)
    length = 1 / np.sqrt(1 + made.places @ scale**2)
    x = (diags(length) @ made.places @ diags(scale)).tocsr().astype(np.float32)
    x.eliminate_zeros()
    x = hstack([x, csr_matrix((made.signals * SIGNAL_SCALE).astype(np.float32))], format="csr")
    model = LogisticRegression(C=C, solver="liblinear", dual=True, tol=0.05, max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge to the last digit
        model.fit(x, label, sample_weight=weights)
    row = model.coef_[0].astype(np.float64)
    return FittedPages(row[:PLACES] * scale, scale**2, row[PLACES:] * SIGNAL_SCALE, float(model.intercept_[0]))


def pages_file(fitted: FittedPages) -> bytes:
    """The bytes of ``page.npz``, the same whenever they are made."""
    table, step = rounded(fitted.weights, 127, CLIP)
    grain = float(fitted.rarity.max()) / 255
    rarity = np.where(fitted.rarity > 0, np.clip(np.rint(fitted.rarity / grain), 1, 255), 0)
    signals, signal_step = rounded(fitted.signals, 32767, 1.0)
    arrays: dict[str, NDArray[Any]] = {
        "rarity": np.append(rarity, 0).astype(np.uint8),
        "scales": np.array([step, grain, fitted.offset, signal_step]),
        "signal_weights": signals.astype(np.int16),
        "table": np.append(table, 0).astype(np.int8),
    }
    return packed(arrays)


def from_fitted_pages(fitted: FittedPages, signals: Signals) -> PageBank:
    """The bank as it will be read back: rounded like the shipped one."""
    return pages_from_bytes(pages_file(fitted), signals)
