"""How unlike anything known a prompt is: its words, and how its form lies among known forms.

Five numbers are read off a prompt: the mean surprise of its words (over all sources, and in the source that
knows each word best), the share of words never seen, the distance of its structure to the nearest of a few
dozen known forms, and how far its structure lies from the average. A logistic model learned by leaving whole
sources out weighs them; *novelty* is then the share of known prompts that look less strange than this one, so a
limit on novelty is the share of known ground that would be given up.
"""

from __future__ import annotations

import math
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
        known = self.surprise.take(words, axis=0)
        form = np.clip((structure - self.mean) / self.scale, -REACH, REACH)
        nearest = float(np.square(self.centres - form).sum(axis=1).min())
        signs = (
            float(known[:, 0].mean()),
            float(known[:, 1].mean()),
            np.count_nonzero(known[:, 1] > UNSEEN) / len(words),
            distance(nearest),
            math.sqrt(float(np.square(form).mean())),
        )
        logit = float(self.weights[0]) + sum(w * s for w, s in zip(self.weights[1:].tolist(), signs, strict=True))
        return float(np.interp(logit, self.quantiles, np.linspace(0.0, 1.0, len(self.quantiles))))


def distance(squared: float) -> float:
    """The distance as the model sees it: its logarithm, flat near zero."""
    return math.log(math.sqrt(max(squared, 0.0)) + 0.3)
