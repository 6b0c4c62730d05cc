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
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Surprise of a word of no training prompt, in either table.
SMOOTHING: Final = 1e-4
UNSEEN: Final = -math.log(2 * SMOOTHING)
#: Standardised structure is cut here before distances are taken.
REACH: Final = 6.0
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

    def of(self, words: NDArray[np.int64], structure: NDArray[np.float32]) -> float:
        """0 like what is known .. 1 unlike any of it."""
        if not len(words):
            return 1.0
        # The ufuncs' own reductions: for so few numbers numpy's wrappers around them cost more than the sums.
        known = self.surprise.take(words, axis=0)
        form = np.minimum(np.maximum((structure - self.mean) / self.scale, -REACH), REACH)
        nearest = float(np.minimum.reduce(np.add.reduce(np.square(self.centres - form), axis=1)))
        often, best = (np.add.reduce(known, axis=0) / len(words)).tolist()
        signs = (
            often,
            best,
            np.count_nonzero(known[:, 1] > UNSEEN) / len(words),
            distance(nearest),
            math.sqrt(float(np.add.reduce(np.square(form))) / len(form)),
        )
        offset, *weights = self.weights.tolist()
        return _share_below(offset + sum(map(operator.mul, weights, signs)), self.quantiles)


def _share_below(logit: float, quantiles: NDArray[Any]) -> float:
    """Where a logit lies among the quantiles, 0..1, linear between them."""
    above = int(quantiles.searchsorted(logit, side="right"))
    last = len(quantiles) - 1
    if above == 0 or above > last:
        return float(above > 0)
    low, high = float(quantiles[above - 1]), float(quantiles[above])
    return (above - 1 + (logit - low) / (high - low)) / last


def distance(squared: float) -> float:
    """The distance as the model sees it: its logarithm, flat near zero."""
    return math.log(math.sqrt(max(squared, 0.0)) + 0.3)
