"""From windows to what banks say of them, each n-gram hashed once however many banks read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from guardrails.learned.bank import DAMP
from guardrails.learned.hashing import BATCH, PARTS, Block, add_up, blocks, lengths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from guardrails.learned.bank import Bank, Signals

#: The stretches that end with each window: itself, and as many whole windows before it as fit in so many code points.
REACHES: Final = (0, 320, 1024)
#: At most so many windows before one belong to its stretches.
BEFORE: Final = 16
#: How far to the left a stretch begins at most.
LEFT: Final = max(REACHES)


@dataclass(frozen=True, slots=True)
class Measured:
    """Windows side by side, hashed.

    Attributes:
        text: normalised.
        starts: where each window begins; ``end``: where the last one ends.
        fresh: how many of them, at the end, are to be judged; those before are context.
        batches: for each batch its number of windows and their n-grams.
        lengths: (windows, parts) how many n-grams each window has.
    """

    text: str
    starts: NDArray[np.intp]
    end: int
    fresh: int
    batches: tuple[tuple[int, list[Block]], ...]
    lengths: NDArray[np.int64]
    _counted: dict[int, NDArray[np.int64]] = field(default_factory=dict, repr=False, compare=False)

    def counts(self, signals: Signals) -> NDArray[np.int64]:
        """(windows, counters) of the hand-made evidence, counted once however many ask."""
        if id(signals) not in self._counted:
            self._counted[id(signals)] = signals.count(self.text, self.starts.tolist(), self.end)
        return self._counted[id(signals)]

    @property
    def ends(self) -> NDArray[np.intp]:
        """Where each window ends."""
        return np.append(self.starts[1:], self.end)

    def firsts(self) -> NDArray[np.intp]:
        """(reaches, fresh): the first window of each stretch."""
        total = len(self.starts)
        own = np.arange(total - self.fresh, total)
        ends = self.ends[own]
        return np.stack([np.clip(self.starts.searchsorted(ends - reach), own - BEFORE, own) for reach in REACHES])

    def logits(self, bank: Bank, heads: Sequence[int]) -> NDArray[np.float64]:
        """(heads, reaches, fresh): what ``bank`` says of each stretch."""
        firsts = self.firsts()
        own = np.arange(len(self.starts) - self.fresh, len(self.starts))
        long = _over(self.lengths, firsts, own)
        weights = 1.0 / np.sqrt(long + DAMP)
        sums = _over(self._sums(bank).reshape(len(self.starts), -1), firsts, own)
        sums = sums.reshape(*firsts.shape, PARTS, len(bank.heads))
        # (reaches, fresh, heads), part by part: each stretch by itself, whatever stands beside it.
        z = np.repeat(bank.offsets.T[:, None, :], self.fresh, axis=1)
        for part in range(PARTS):
            z += bank.steps[:, part] * (sums[..., part, :] * weights[..., part, None])
        signals = self._signals(bank, firsts, own)
        if signals is not None:
            z += bank.signal_steps * (signals @ bank.signal_weights.T)
        out = np.moveaxis(z, -1, 0)[list(heads)]
        for reach in range(1, len(firsts)):
            out[:, reach, firsts[reach] == firsts[reach - 1]] = -np.inf  # the same stretch, already judged
        return out

    def _sums(self, bank: Bank) -> NDArray[np.int64]:
        parts = [add_up(bank.by_place, found, windows) for windows, found in self.batches]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _signals(self, bank: Bank, firsts: NDArray[np.intp], own: NDArray[np.intp]) -> NDArray[np.int64] | None:
        if bank.signals is None:
            return None
        counts = _over(self.counts(bank.signals), firsts, own)
        features = bank.signals.features(counts.reshape(-1, counts.shape[-1]))
        return features.reshape(*firsts.shape, -1)


def measure(text: str, starts: Sequence[int], end: int, fresh: int) -> Measured:
    """Hash the windows of ``text`` that begin at ``starts``, the last of them ending at ``end``."""
    edges = np.asarray([*starts, end], dtype=np.intp)
    batches = [
        (stop - begin, blocks(text, starts[begin:stop], int(edges[stop]))) for begin, stop in _slices(edges.tolist())
    ]
    counts = [lengths(found, windows) for windows, found in batches]
    return Measured(text, edges[:-1], end, fresh, tuple(batches), np.concatenate(counts))


def _slices(edges: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of windows that fit in a batch."""
    cuts = [0]
    for index in range(1, len(edges)):
        if edges[index] - edges[cuts[-1]] > BATCH:
            cuts.append(index - 1)
    yield from pairwise([*cuts, len(edges) - 1])


def _over(values: NDArray[np.int64], firsts: NDArray[np.intp], own: NDArray[np.intp]) -> NDArray[np.int64]:
    """(reaches, fresh, ...): sums of ``values`` (windows, ...) over each stretch."""
    running = np.zeros((len(values) + 1, values.shape[1]), dtype=np.int64)
    np.cumsum(values, axis=0, out=running[1:])
    return running[own + 1] - running[firsts]
