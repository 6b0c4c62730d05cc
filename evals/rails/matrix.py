"""Many texts at once as the matrices that weights are fitted on: the code that serves, one call for all windows.

``features`` gives every stretch of a text; this gives the two that short texts need, a hundred times faster: the
text as one stretch, and each of its windows. N-grams never reach over a window's edge, so texts laid side by side
do not touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.learned.bank import DAMP
from guardrails.learned.hashing import NOWHERE, PARTS, PLACES
from guardrails.learned.measure import measure
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from guardrails.learned.bank import Signals
    from guardrails.learned.measure import Measured

#: Only so much of a text is read for fitting, in code points: the longest stretch that serving judges.
READ = 1000
#: Windows whose signals are counted in one call.
_AT_ONCE = 2000


@dataclass(frozen=True)
class Texts:
    """Texts as rows.

    Attributes:
        whole: (texts, PLACES) CSR of float32, each text as one stretch; ``signals`` (texts, names) beside it.
        windows: the same for each window of the texts that have several; ``window_signals`` beside it.
        owner: which text each of those windows is of.
    """

    whole: Any
    signals: NDArray[np.int64]
    windows: Any
    window_signals: NDArray[np.int64]
    owner: NDArray[np.intp]


def matrix(texts: Sequence[str], signals: Signals) -> Texts:
    """The matrices of ``texts``, which must not be empty."""
    from scipy.sparse import csr_matrix

    joined, starts, owner = _joined(texts)
    measured = measure(joined, starts, len(joined), len(starts))
    counts = _counts(measured)
    counted = np.concatenate(
        [
            signals.count(joined, starts[at : at + _AT_ONCE], (starts[at + _AT_ONCE :] or [len(joined)])[0])
            for at in range(0, len(starts), _AT_ONCE)
        ]
    )
    over = csr_matrix(
        (np.ones(len(starts), dtype=np.float32), (owner, np.arange(len(starts)))), shape=(len(texts), len(starts))
    )
    several = np.flatnonzero(np.bincount(owner, minlength=len(texts))[owner] > 1)
    return Texts(
        _scaled([over @ part for part in counts], over @ measured.lengths),
        signals.features(np.asarray(over.astype(np.int64) @ counted)),
        _scaled([part[several] for part in counts], measured.lengths[several]),
        signals.features(counted[several]),
        owner[several],
    )


def _joined(texts: Sequence[str]) -> tuple[str, list[int], NDArray[np.intp]]:
    pieces, starts, owner, at = [], [], [], 0
    for number, text in enumerate(texts):
        folded = normalize(text)[0][:READ]
        begins, end = cut(folded, 0, last=True)
        pieces.append(folded[:end])
        starts += [at + begin for begin in begins]
        owner += [number] * len(begins)
        at += end
    return "".join(pieces), starts, np.asarray(owner)


def _counts(measured: Measured) -> list[Any]:
    """For each part (windows, PLACES) counts of n-grams."""
    from scipy.sparse import csr_matrix, vstack

    batches: list[list[Any]] = [[] for _ in range(PARTS)]
    for windows, found in measured.batches:
        blank = csr_matrix((windows, PLACES), dtype=np.float32)
        of_part = dict.fromkeys(range(PARTS), blank)
        for block in found:
            owner = np.repeat(np.arange(windows), np.diff(block.bounds))
            held = block.places[:, block.bounds[0] : block.bounds[-1]]
            there = held != NOWHERE
            rows = np.broadcast_to(owner, held.shape)[there]
            ones = np.ones(len(rows), dtype=np.float32)
            of_part[block.part] = csr_matrix((ones, (rows, held[there])), shape=(windows, PLACES))
        for part, counted in of_part.items():
            batches[part].append(counted)
    return [vstack(batch, format="csr") for batch in batches]


def _scaled(counts: list[Any], lengths: NDArray[np.int64]) -> Any:
    from scipy.sparse import diags

    total = sum(diags(1 / np.sqrt(lengths[:, part] + DAMP)) @ counted for part, counted in enumerate(counts))
    return total.tocsr().astype(np.float32)
