"""How unlike anything known a prompt is: its words, and how its form lies among known forms.

Five numbers are read off a prompt: the mean surprise of its words (over all sources, and in the source that
knows each word best), the share of words never seen, the distance of its structure to the nearest of a few
dozen known forms, and how far its structure lies from the average. A logistic model learned by leaving whole
sources out weighs them; *novelty* is then the share of known prompts that look less strange than this one, so a
limit on novelty is the share of known ground that would be given up.
"""

from __future__ import annotations

import math
import operator
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Surprise of a word of no training prompt, in either table.
SMOOTHING: Final = 1e-4
UNSEEN: Final = -math.log(2 * SMOOTHING)
#: Standardised structure is cut here before distances are taken.
REACH: Final = 6.0
#: Numbers as numpy keeps them: a quotient rounded so is the quotient of single precision.
_SINGLE: Final = struct.Struct("2f")
SIGNS: Final = ("surprise", "surprise_best", "unseen", "distance", "size")


class Novelty(NamedTuple):
    """What is learned.

    Attributes:
        surprise: buckets by 2: minus log of the share of prompts holding the word, over all sources and in
            the source where it is most common.
        centres: known forms, standardised structure.
        weights: offset, then one number for each of ``SIGNS``.
        quantiles: logit below which 0, 1/n, 2/n ... 1 of known prompts lie.
        mean, scale: standardisation of the structure.
    """

    surprise: NDArray[Any]
    centres: NDArray[Any]
    weights: NDArray[Any]
    quantiles: NDArray[Any]
    mean: NDArray[Any]
    scale: NDArray[Any]


class Known:
    """The known ground, laid out to judge one prompt after the other. Safe to share."""

    def __init__(self, learned: Novelty) -> None:
        # A third column counts the words never seen, so that one sum brings all three.
        surprise = learned.surprise
        self._surprise = np.column_stack([surprise, surprise[:, 1] > UNSEEN]).astype(surprise.dtype)
        # A last form in the middle of everything: the distance to it is the size of the structure.
        self._centres = np.vstack([learned.centres, np.zeros_like(learned.centres[:1])])
        self._offset, *self._weights = learned.weights.tolist()
        self._quantiles: list[float] = learned.quantiles.tolist()

    def novelty(self, words: NDArray[np.int64], form: NDArray[np.float32]) -> float:
        """0 like what is known .. 1 unlike any of it.

        Args:
            words: bucket of each word.
            form: standardised structure, cut at ``REACH``.
        """
        count = len(words)
        if not count:
            return 1.0
        # The ufuncs' own reductions: for so few numbers numpy's wrappers around them cost more than the sums.
        apart = self._centres - form
        np.multiply(apart, apart, out=apart)
        *squares, size = np.add.reduce(apart, 1).tolist()
        often, best, unseen = np.add.reduce(self._surprise.take(words, 0), 0).tolist()
        often, best = _SINGLE.unpack(_SINGLE.pack(often / count, best / count))
        signs = (often, best, unseen / count, distance(min(squares)), math.sqrt(size / len(form)))
        return _share_below(self._offset + sum(map(operator.mul, self._weights, signs)), self._quantiles)


def _share_below(logit: float, quantiles: list[float]) -> float:
    """Where a logit lies among the quantiles, 0..1, linear between them."""
    above = bisect_right(quantiles, logit)
    last = len(quantiles) - 1
    if above == 0 or above > last:
        return float(above > 0)
    low, high = quantiles[above - 1], quantiles[above]
    return (above - 1 + (logit - low) / (high - low)) / last


def distance(squared: float) -> float:
    """The distance as the model sees it: its logarithm, flat near zero."""
    return math.log(math.sqrt(max(squared, 0.0)) + 0.3)
