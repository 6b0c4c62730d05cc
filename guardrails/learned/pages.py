"""What is said of a page: a text as a whole, or some two thousand code points of a longer one.

Windows find an order that stands among other things. Of a short prompt the whole says more than its surest sentence,
and says it of wordings that nobody collected. Here an n-gram counts once however often it stands there, and the rare
ones count more:

    z = offset + step * (sum of the table over the page's different n-grams) / sqrt(1 + grain * (sum of their rarity))
        + signal_step * (signal_weights . signals)

Pages lie side by side: one begins where the one before ended, and ends with the first window that ends ``PAGE`` or more
after its start, or with the text. So what a page says does not depend on how the text came.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from guardrails.learned.hashing import PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from guardrails.learned.bank import Signals
    from guardrails.learned.measure import Measured

PAGE: Final = 2048


class Page(NamedTuple):
    """Windows ``first`` to ``last`` (inclusive), as indexes into ``Measured.starts``."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PageBank:
    """Weights of pages, loaded. Nothing changes after loading.

    Attributes:
        table: (PLACES + 1) int8, the last 0.
        rarity: (PLACES + 1) uint8, 0 where the table is 0 because the n-gram was never seen; the last 0.
        grain: what one unit of rarity is.
        signal_weights: (signal features), with ``signal_step``.
    """

    table: NDArray[np.int8]
    rarity: NDArray[np.uint8]
    step: float
    grain: float
    offset: float
    signal_weights: NDArray[np.int64]
    signal_step: float
    signals: Signals

    def logit(self, measured: Measured, page: Page) -> float:
        """The z of one page. All sums are of integers, hence exact."""
        places = different(measured, page)
        told = int(self.table.take(places).sum(dtype=np.int64))
        size = int(self.rarity.take(places).sum(dtype=np.int64))
        counts = measured.counts(self.signals)[page.first : page.last + 1].sum(axis=0)
        signals = int(self.signals.features(counts[None, :])[0] @ self.signal_weights)
        return float(
            self.offset + self.step * told / np.sqrt(1.0 + self.grain * size) + self.signal_step * signals,
        )


def different(measured: Measured, page: Page) -> NDArray[np.int32]:
    """The places of a page's n-grams, each once."""
    found, at = [], 0
    for windows, blocks in measured.batches:
        low, high = max(page.first - at, 0), min(page.last + 1 - at, windows)
        if low < high:
            found += [block.places[:, block.bounds[low] : block.bounds[high]].ravel() for block in blocks]
        at += windows
    places = np.sort(np.concatenate(found))  # a sixth of what ``np.unique`` takes here
    return places[np.concatenate(([True], places[1:] != places[:-1]))[: len(places)]]  # a page of blanks has none


def turned(starts: Sequence[int], end: int, *, last: bool) -> tuple[list[Page], int]:
    """The pages that are full.

    Args:
        starts: where windows begin, the first one where a page begins.
        end: where the last window ends.
        last: no more text comes, so the page that is left is full too.

    Returns:
        The pages, and how many windows they hold together.
    """
    pages: list[Page] = []
    first = 0
    edges = [*starts, end]
    for own in range(len(starts)):
        if edges[own + 1] - edges[first] >= PAGE or (last and own == len(starts) - 1):
            pages.append(Page(first, own))
            first = own + 1
    return pages, first


def load_pages(name: str, signals: Signals) -> PageBank:
    """The packaged ``guardrails/models/<name>/page.npz``.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    return pages_from_bytes((files("guardrails") / "models" / name / "page.npz").read_bytes(), signals)


def pages_from_bytes(raw: bytes, signals: Signals) -> PageBank:
    """A bank from the bytes of its file.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        arrays = {key: kept[key] for key in kept.files}
    table, rarity = arrays["table"], arrays["rarity"]
    step, grain, offset, signal_step = arrays["scales"].tolist()
    if (
        (table.dtype, table.shape) != (np.int8, (PLACES + 1,))
        or (rarity.dtype, rarity.shape) != (np.uint8, (PLACES + 1,))
        or arrays["signal_weights"].shape != (len(signals.names),)
        or table[-1]
        or rarity[-1]
    ):
        raise ValueError("the weights of pages do not fit this version: train them again")
    weights = arrays["signal_weights"].astype(np.int64)
    return PageBank(table, rarity, step, grain, offset, weights, signal_step, signals)
