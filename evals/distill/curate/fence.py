"""What nothing to learn from may resemble: every pair is compared exactly, no estimate stands between.

A row is too close to a held-out one where the share of shingles that both have (Jaccard's index) reaches ``near``, or
where one of them holds nearly all of the other (its containment; Broder, "On the resemblance and containment of
documents", 1997): a question with a few words before and after it is still that question. Containment counts only what
few held-out rows have, so that a template which all prompts of a task share does not make them one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from evals.distill.curate.signs import bare, shingles

CONTAINED: Final = 0.9
_FEWEST: Final = 16  # shingles of a row's own; fewer are in many texts by chance
_COMMON: Final = 0.02  # share of the held-out rows from which on a shingle is a template's

Ints = npt.NDArray[np.int64]


class Fence:
    """Held-out texts, ready to be compared with any number of others.

    Args:
        texts: folded.
        near: the share of shingles from which on two texts are one.
    """

    def __init__(self, texts: Sequence[str], near: float) -> None:
        marks = [_marks(text) for text in texts]
        self._near = near
        self._sizes = np.array([len(found) for found in marks], dtype=np.int64)
        whose = np.repeat(np.arange(len(marks), dtype=np.int32), self._sizes)
        every = np.concatenate(marks) if marks else np.zeros(0, dtype=np.uint64)
        order = np.argsort(every, kind="stable")
        self._whose = whose[order]
        self._known, self._begin, counts = np.unique(every[order], return_index=True, return_counts=True)
        self._end = self._begin + counts
        self._common = counts > max(3, _COMMON * len(marks))
        rare = ~np.repeat(self._common, counts)
        self._own = np.bincount(self._whose[rare], minlength=len(marks))

    def close(self, text: str) -> bool:
        """Whether a folded text is too close to one of them."""
        marks = _marks(text)
        at = np.searchsorted(self._known, marks)
        at = at[at < len(self._known)] if len(at) and at[-1] == len(self._known) else at
        at = at[self._known[at] == marks[: len(at)]]
        if not len(at):
            return False
        common = self._common[at]
        if len(at) >= self._near * len(marks):  # with fewer in all of them, no one of them has so many
            shared = self._counts(at)
            if bool((shared >= self._near * (len(marks) + self._sizes - shared)).any()):
                return True
        own = self._counts(at[~common])
        mine = len(marks) - int(common.sum())
        theirs_in_mine = (self._own >= _FEWEST) & (own >= CONTAINED * self._own)
        mine_in_theirs = own >= CONTAINED * mine if mine >= _FEWEST else np.zeros(len(own), dtype=np.bool_)
        return bool((theirs_in_mine | mine_in_theirs).any())

    def _counts(self, at: Ints) -> Ints:
        """(held,) how many of these shingles each held-out text has."""
        begin, sizes = self._begin[at], self._end[at] - self._begin[at]
        first = np.cumsum(sizes) - sizes
        places = np.repeat(begin - first, sizes) + np.arange(int(sizes.sum()))
        return np.bincount(self._whose[places], minlength=len(self._sizes))


def _marks(text: str) -> npt.NDArray[np.uint64]:
    return np.unique(shingles(bare(text), None))
