"""What kinds of prompts there are, and in which of them the small tier fails.

A prompt is the idf-weighted mean of random directions of its words' buckets (a random projection keeps angles: Johnson
and Lindenstrauss, 1984), on the unit sphere; kinds are the clusters of k-means over them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from evals.distill.curate.signs import BUCKETS

DIMENSIONS: Final = 48
_SAMPLE: Final = 20_000  # prompts that the clusters are found on; all others take the nearest
_A_CLUSTER: Final = 40  # rows that make a cluster of its own worth while
_BLOCK: Final = 1 << 15  # prompts that are placed at once
_PRIOR: Final = 10  # rows of the average that every cluster begins with

Floats = npt.NDArray[np.float32]


def directions(counts: npt.NDArray[np.int64], total: int) -> Floats:
    """(buckets, 48) a direction for each bucket, as long as it is rare."""
    rarity = np.log((1 + total) / (1 + counts)).astype(np.float32)
    rng = np.random.default_rng(7)
    found: Floats = rng.standard_normal((BUCKETS, DIMENSIONS), dtype=np.float32) * rarity[:, None]
    return found


def placed(
    words: npt.NDArray[np.uint16], ends: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], ways: Floats
) -> Floats:  # fmt: skip
    """(m, 48) where prompts lie; the origin where one has no words.

    Args:
        words: buckets of all prompts, one after the other.
        ends: where each prompt's end.
        rows: which prompts.
        ways: ``directions``.

    Raises:
        ImportError: SciPy is not installed.
    """
    from scipy.sparse import csr_array

    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends])
    found = np.empty((len(rows), ways.shape[1]), dtype=np.float32)
    for at in range(0, len(rows), _BLOCK):
        some = rows[at : at + _BLOCK]
        sizes = ends[some] - begins[some]
        cuts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        where = np.repeat(begins[some] - cuts[:-1], sizes) + np.arange(int(cuts[-1]))
        ones = np.ones(len(where), dtype=np.float32)
        placed_ = csr_array((ones, words[where].astype(np.int32), cuts), shape=(len(some), len(ways))) @ ways
        lengths = np.linalg.norm(placed_, axis=1, keepdims=True)
        found[at : at + _BLOCK] = placed_ / np.where(lengths > 0, lengths, 1)
    return found


def clustered(places: Floats, order: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """(n,) the cluster of each row. ``order`` says which rows the clusters are found on, whatever order they lie in.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.cluster import MiniBatchKMeans

    k = int(min(most, max(1, len(places) // _A_CLUSTER)))
    if k == 1:
        return np.zeros(len(places), dtype=np.int64)
    model = MiniBatchKMeans(n_clusters=k, random_state=0, n_init=1, batch_size=2048, max_iter=50)
    model.fit(places[order[:_SAMPLE]])
    found = [model.predict(places[at : at + 65_536]) for at in range(0, len(places), 65_536)]
    return np.concatenate(found).astype(np.int64)


def failure_rates(cluster: npt.NDArray[np.int64], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(k,) how often the small tier failed in each cluster, drawn towards the mean where there are few rows."""
    k = int(cluster.max()) + 1 if len(cluster) else 0
    sizes, fails = np.bincount(cluster, minlength=k), np.bincount(cluster, weights=failed, minlength=k)
    return np.asarray((fails + _PRIOR * (failed.mean() if len(failed) else 0.0)) / (sizes + _PRIOR), dtype=np.float64)
