"""A router learned on one pair of models' own outcomes: the mean of a few unlike regressions of the gain.

For published protocols and as a mark of what the text can tell; never part of the shipped artefact. The target
is the gain ``score of strong - score of weak``. Members: ridge regression on weighed words and pairs, on
character runs, on bent structure (and on an encoder's vectors where given), and boosted trees on structure.
Their predictions are averaged as they are; penalties were set once and are the same for every target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from router.score.project import KNOTS, hinges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Of every ridge, for rows of about unit length.
PENALTY: Final = 5.0
_TOLERANCE: Final = 2e-3
_ROUNDS: Final = 40


def out_of_fold(
    texts: Sequence[str],
    structure: NDArray[np.float32],
    gain: Floats,
    fold: NDArray[np.int64],
    vectors: NDArray[np.float32] | None = None,
) -> dict[str, Floats]:
    """Each member's prediction for every row from the other folds, and their mean under ``ours``.

    An encoder's member stays out of ``ours`` and has a mean of its own, so that its worth can be read off.

    Vocabularies are taken from all texts, outcomes only from the other folds.
    """
    blocks = _blocks(texts, structure, vectors)
    found = {name: np.zeros(len(gain)) for name in (*blocks, "boosted structure")}
    for k in np.unique(fold):
        seen, left = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        for name, block in blocks.items():
            found[name][left] = _ridge(block[seen], gain[seen], block[left])
        found["boosted structure"][left] = _boosted(structure[seen], gain[seen], structure[left])
    everything = np.mean(list(found.values()), axis=0)
    ours = np.mean([member for name, member in found.items() if name != "encoder"], axis=0)
    means = {"ours": ours} if vectors is None else {"ours": ours, "ours with encoder": everything}
    return {**means, **{f"{name} alone": member for name, member in found.items()}}


def within_sources(
    structure: NDArray[np.float32], gain: Floats, source: NDArray[Any], asked: NDArray[np.float32]
) -> Floats:
    """The gain that the form of a prompt alone tells, for prompts of a source never seen.

    What one source gains more than another says little about a third, so every source's mean is taken out
    first and sources weigh by the root of their rows. Rows of unknown gain (NaN) are passed over.
    """
    known = ~np.isnan(gain)
    away, weight = np.zeros(len(gain)), np.zeros(len(gain))
    for name in sorted(set(source[known])):
        mine = known & (source == name)
        away[mine] = gain[mine] - gain[mine].mean()
        weight[mine] = mine.sum() ** -0.5
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=150, l2_regularization=20.0, random_state=0
    )
    trees.fit(structure[known], away[known], sample_weight=weight[known])
    return np.asarray(trees.predict(asked), dtype=np.float64)


def _blocks(
    texts: Sequence[str], structure: NDArray[np.float32], vectors: NDArray[np.float32] | None
) -> dict[str, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=3, dtype=np.float32)
    runs = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(3, 4), analyzer="char_wb", min_df=5, max_features=30000, dtype=np.float32
    )
    mean, scale = structure.mean(axis=0), np.maximum(structure.std(axis=0), 1e-3)
    bent = hinges(structure, mean, scale, np.array(KNOTS, dtype=np.float32))
    blocks: dict[str, Any] = {
        "words": words.fit_transform(texts).tocsr(),
        "characters": runs.fit_transform(texts).tocsr(),
        "structure": bent / np.sqrt(bent.shape[1], dtype=np.float32),
    }
    if vectors is not None:
        away = vectors - vectors.mean(axis=0)
        blocks["encoder"] = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return blocks


def _ridge(seen: Any, gain: Floats, left: Any) -> Floats:
    """Ridge regression in its dual, by conjugate gradients."""
    from scipy.sparse.linalg import LinearOperator, cg

    mean = gain.mean()
    turned = seen.T.tocsr() if hasattr(seen, "tocsr") else seen.T
    size = len(gain)
    kernel = LinearOperator((size, size), matvec=lambda v: seen @ (turned @ v) + PENALTY * v, dtype=np.float32)
    weights, _ = cg(kernel, (gain - mean).astype(np.float32), rtol=_TOLERANCE, maxiter=_ROUNDS)
    return np.asarray(left @ (turned @ weights) + mean, dtype=np.float64)


def _boosted(seen: NDArray[np.float32], gain: Floats, left: NDArray[np.float32]) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=120, learning_rate=0.05, max_leaf_nodes=12, min_samples_leaf=60, l2_regularization=5.0, random_state=0
    )
    return np.asarray(trees.fit(seen, gain).predict(left), dtype=np.float64)
