"""Texts as the matrix that the learned rails' weights are fitted on: the very code that serves, as rows and columns.

A row is a stretch of a text (``guardrails.learned.measure``), a column a place in the table of weights, then the
signals. A value is the n-gram's count over the root of how many its part has, as in the bank's formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from guardrails.learned.bank import DAMP
from guardrails.learned.hashing import NOWHERE, PLACES
from guardrails.learned.measure import REACHES, measure
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from guardrails.learned.bank import Signals
    from guardrails.learned.measure import Measured

#: Only so much of a text is read for fitting, in code points.
READ = 6000
#: Of a text's single windows about so many are fitted on.
MOST = 8


@dataclass(frozen=True)
class Stretches:
    """The stretches of many texts.

    Attributes:
        matrix: (stretches, PLACES) CSR of float32.
        signals: (stretches, names) integers; no columns without signals.
        text: which text each stretch belongs to.
        reach: index of its reach.
        window: the index, within its text, of the window it ends with; ``last`` whether that is the text's last.
    """

    matrix: Any
    signals: NDArray[np.int64]
    text: NDArray[np.intp]
    reach: NDArray[np.intp]
    window: NDArray[np.intp]
    last: NDArray[np.bool_]

    def take(self, rows: NDArray[Any]) -> Stretches:
        """Some of them."""
        return Stretches(
            self.matrix[rows],
            self.signals[rows],
            self.text[rows],
            self.reach[rows],
            self.window[rows],
            self.last[rows],
        )


def stretches(texts: Sequence[str], signals: Signals | None = None) -> Stretches:
    """The stretches of ``texts`` that are fitted on; one that is the same at two reaches is kept at the shorter."""
    from scipy.sparse import csr_matrix

    kept: list[tuple[int, _Spans]] = []
    for number, text in enumerate(texts):
        spans = _of_text(text, signals)
        if spans is not None:
            kept.append((number, spans))
    sizes = np.concatenate([spans.sizes for _, spans in kept])
    matrix = csr_matrix(
        (
            np.concatenate([spans.values for _, spans in kept]),
            np.concatenate([spans.places for _, spans in kept]),
            np.concatenate([[0], np.cumsum(sizes)]),
        ),
        shape=(len(sizes), PLACES),
    )
    matrix.sum_duplicates()
    return Stretches(
        matrix,
        np.concatenate([spans.signals for _, spans in kept]),
        np.concatenate([np.full(len(spans.sizes), number) for number, spans in kept]),
        np.concatenate([spans.reach for _, spans in kept]),
        np.concatenate([spans.window for _, spans in kept]),
        np.concatenate([spans.last for _, spans in kept]),
    )


class _Spans(NamedTuple):
    """The chosen stretches of one text: places and values one stretch after the other, ``sizes`` of each."""

    places: NDArray[np.int32]
    values: NDArray[np.float32]
    sizes: NDArray[np.intp]
    signals: NDArray[np.int64]
    reach: NDArray[np.intp]
    window: NDArray[np.intp]
    last: NDArray[np.bool_]


def _of_text(text: str, signals: Signals | None) -> _Spans | None:
    folded = normalize(text)[0][:READ]
    starts, end = cut(folded, 0, last=True)
    if not starts:
        return None
    measured = measure(folded, starts, end, len(starts))
    windows = len(starts)
    firsts = measured.firsts()
    spans = [
        (first, own, reach)
        for reach in range(len(REACHES))
        for own, first in enumerate(firsts[reach].tolist())
        if (reach == 0 or first != firsts[reach - 1][own]) and _chosen(own, reach, windows)
    ]
    held = [_places(measured, first, own) for first, own, _ in spans]
    counted = np.zeros((len(spans), 0), dtype=np.int64)
    if signals is not None:
        counts = signals.count(folded, starts, end)
        counted = signals.features(np.stack([counts[first : own + 1].sum(axis=0) for first, own, _ in spans]))
    window = np.asarray([own for _, own, _ in spans])
    return _Spans(
        np.concatenate([places for places, _ in held]),
        np.concatenate([values for _, values in held]),
        np.asarray([len(places) for places, _ in held]),
        counted,
        np.asarray([reach for _, _, reach in spans]),
        window,
        window == windows - 1,
    )


def _places(measured: Measured, first: int, own: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The places of one stretch's n-grams, with repeats, and what each weighs."""
    places, values, at = [], [], 0
    long = measured.lengths[first : own + 1].sum(axis=0)
    for size, found in measured.batches:
        low, high = max(first - at, 0), min(own + 1 - at, size)
        if low < high:
            for block in found:
                some = block.places[:, block.bounds[low] : block.bounds[high]].ravel()
                some = some[some != NOWHERE]
                places.append(some)
                values.append(np.full(len(some), 1 / np.sqrt(long[block.part] + DAMP), dtype=np.float32))
        at += size
    return np.concatenate(places), np.concatenate(values)


def _chosen(own: int, reach: int, windows: int) -> bool:
    """Whether a stretch is fitted on: of a long text some single windows, and wide stretches that hardly overlap."""
    if own == windows - 1:
        return True
    every = max(1, windows // MOST) if reach == 0 else 3 if reach == 1 else 12
    return own % every == every - 1
