"""Texts as the matrix that the learned rails' weights are fitted on: the very code that serves, as rows and columns.

A row is a stretch of a text (``guardrails.learned.measure``), a column a place in the table of weights, then the
signals. A value is the n-gram's count over the root of how many its part has, as in the bank's formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

#: Only so much of a text is read for fitting, in code points.
READ = 6000


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
    """All stretches of ``texts``, each once: one that is the same at two reaches is kept at the shorter."""
    from scipy.sparse import csr_matrix, vstack

    matrices, counted, owner, reach, window, last = [], [], [], [], [], []
    for number, text in enumerate(texts):
        matrix, signal, reached, ending, final = _of_text(text, signals)
        matrices.append(matrix)
        counted.append(signal)
        owner.append(np.full(matrix.shape[0], number))
        reach.append(reached)
        window.append(ending)
        last.append(final)
    if not matrices:
        empty = np.zeros(0, dtype=np.intp)
        return Stretches(
            csr_matrix((0, PLACES)), np.zeros((0, 0), dtype=np.int64), empty, empty, empty, empty.astype(bool)
        )
    return Stretches(
        vstack(matrices, format="csr"),
        np.concatenate(counted),
        np.concatenate(owner),
        np.concatenate(reach),
        np.concatenate(window),
        np.concatenate(last),
    )


def _of_text(text: str, signals: Signals | None) -> tuple[Any, ...]:
    from scipy.sparse import csr_matrix

    folded = normalize(text)[0][:READ]
    starts, end = cut(folded, 0, last=True)
    if not starts:
        none = np.zeros(0, dtype=np.intp)
        width = len(signals.names) if signals else 0
        return csr_matrix((0, PLACES), dtype=np.float32), np.zeros((0, width), dtype=np.int64), none, none, none == 1
    measured = measure(folded, starts, end, len(starts))
    windows = len(starts)
    firsts = measured.firsts()
    spans = [
        (first, own, reach)
        for reach in range(len(REACHES))
        for own, first in enumerate(firsts[reach].tolist())
        if reach == 0 or first != firsts[reach - 1][own]
    ]
    rows = np.repeat(np.arange(len(spans)), [own - first + 1 for first, own, _ in spans])
    columns = np.concatenate([np.arange(first, own + 1) for first, own, _ in spans])
    over = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(len(spans), windows))
    matrix = csr_matrix((len(spans), PLACES), dtype=np.float32)
    for part, counts in _counts(measured, windows).items():
        long = np.asarray([measured.lengths[first : own + 1, part].sum() for first, own, _ in spans])
        scale = csr_matrix((1 / np.sqrt(long + DAMP), (range(len(spans)), range(len(spans)))))
        matrix = matrix + scale @ (over @ counts)
    counted = (
        signals.features(over.astype(np.int64) @ signals.count(folded, starts, end))
        if signals
        else np.zeros((len(spans), 0), dtype=np.int64)
    )
    reached = np.asarray([reach for _, _, reach in spans])
    ending = np.asarray([own for _, own, _ in spans])
    return matrix.astype(np.float32), counted, reached, ending, ending == windows - 1


def _counts(measured: Any, windows: int) -> dict[int, Any]:
    """Part -> (windows, PLACES) counts."""
    from scipy.sparse import csr_matrix

    found: dict[int, Any] = {}
    at = 0
    for size, found_blocks in measured.batches:
        for block in found_blocks:
            owner = np.repeat(np.arange(at, at + size), np.diff(block.bounds))
            held = block.places[:, block.bounds[0] : block.bounds[-1]]
            mask = held != NOWHERE
            rows = np.broadcast_to(owner, held.shape)[mask]
            one = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, held[mask])), shape=(windows, PLACES))
            found[block.part] = found[block.part] + one if block.part in found else one
        at += size
    return found


def texts_scores(owner: NDArray[np.intp], z: NDArray[np.float64], texts: int) -> NDArray[np.float64]:
    """The z of each text: that of its surest stretch; minus infinity for one without any."""
    best = np.full(texts, -np.inf)
    np.maximum.at(best, owner, z)
    return best
