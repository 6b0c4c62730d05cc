"""What an unfamiliar prompt looks like: words rarely seen, judged against whole sources left out.

A bucket's surprise is minus the log of the share of training prompts that hold a word of it, every
source weighing the same. A prompt's surprise is the mean over its words. How much surprise means
"unlike anything known" is learned by leaving things out: rows judged without their own fold are
known ground, rows judged without their own source are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from router.score.features import BITS, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.importers.outcomes import Outcome

_SMOOTHING: Final = 1e-4
_PENALTY: Final = 1e-3


class Familiarity(NamedTuple):
    """``surprise`` per bucket; ``novelty`` = offset and slope from mean surprise to a logit."""

    surprise: NDArray[np.float64]
    novelty: NDArray[np.float64]


def fit(rows: Sequence[Outcome], fold: NDArray[np.int64]) -> Familiarity:
    """Learn surprise and novelty from rows and their folds. One source alone gives a flat novelty."""
    words = _words(rows)
    source = np.array([row.source for row in rows])
    names = sorted(set(source))
    surprise = _surprise(words, source, names)
    if len(names) < 2:
        return Familiarity(surprise, np.array([0.0, 0.0]))
    known = np.zeros(len(rows))
    for k in np.unique(fold):
        known[fold == k] = words[fold == k] @ _surprise(words[fold != k], source[fold != k], names)
    unknown = np.zeros(len(rows))
    for name in names:
        left = source == name
        unknown[left] = words[left] @ _surprise(words[~left], source[~left], names)
    balance = 1.0 / np.array([np.count_nonzero(source == name) for name in source])
    return Familiarity(surprise, _logistic(known, unknown, balance))


def _words(rows: Sequence[Outcome]) -> Any:
    """Rows by buckets: the share of the row's words that fall into the bucket."""
    from scipy import sparse

    found = []
    for row in rows:
        reading = read(row.prompt)
        found.append(reading.grams[: reading.sizes[0]])
    sizes = np.array([len(grams) for grams in found])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    shares = np.repeat(1.0 / np.maximum(sizes, 1), sizes)
    matrix = sparse.csr_array((shares, np.concatenate(found), ends), shape=(len(rows), 1 << BITS))
    matrix.sum_duplicates()
    return matrix


def _surprise(words: Any, source: NDArray[Any], names: Sequence[str]) -> NDArray[np.float64]:
    present = words.sign()
    rates = [present[source == name].mean(axis=0) for name in names if (source == name).any()]
    return np.asarray(-np.log(np.mean(rates, axis=0) + _SMOOTHING))


def _logistic(
    known: NDArray[np.float64], unknown: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Offset and slope that tell unknown from known surprise, by Newton's method."""
    surprise = np.concatenate([known, unknown])
    label = np.repeat([0.0, 1.0], len(known))
    weights = np.tile(weight, 2)
    basis = np.column_stack([np.ones(len(surprise)), surprise - surprise.mean()])
    fitted = np.zeros(2)
    for _ in range(30):
        chance = 1.0 / (1.0 + np.exp(-np.clip(basis @ fitted, -30, 30)))
        slope = basis.T @ (weights * (chance - label)) + _PENALTY * fitted
        bend = (basis.T * (weights * chance * (1 - chance))) @ basis + _PENALTY * np.eye(2)
        fitted -= np.linalg.solve(bend, slope)
    return np.array([fitted[0] - fitted[1] * surprise.mean(), fitted[1]])
