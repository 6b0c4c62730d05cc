"""What kinds of prompts there are, and in which of them the small tier fails.

A prompt is the idf-weighted mean of random directions of its words' buckets (a random projection keeps angles: Johnson
and Lindenstrauss, 1984), on the unit sphere; kinds are the clusters of k-means over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from evals.distill.curate.signs import BUCKETS

DIMENSIONS: Final = 48
_SAMPLE: Final = 20_000  # prompts that the clusters are found on; all others take the nearest
_A_CLUSTER: Final = 40  # rows that make a cluster of its own worth while
_PRIOR: Final = 10  # rows of the average that every cluster begins with

Floats = npt.NDArray[np.float32]


def frequencies(rows: Sequence[npt.NDArray[np.uint16]]) -> npt.NDArray[np.int64]:
    """(buckets,) in how many rows each bucket occurs."""
    if not rows:
        return np.zeros(BUCKETS, dtype=np.int64)
    return np.bincount(np.concatenate(rows), minlength=BUCKETS)


def directions(counts: npt.NDArray[np.int64], total: int) -> Floats:
    """(buckets, 48) a direction for each bucket, as long as it is rare."""
    rarity = np.log((1 + total) / (1 + counts)).astype(np.float32)
    rng = np.random.default_rng(7)
    found: Floats = rng.standard_normal((BUCKETS, DIMENSIONS), dtype=np.float32) * rarity[:, None]
    return found


def placed(words: npt.NDArray[np.uint16], ways: Floats) -> Floats:
    """(48,) where a prompt lies; the origin where it has no words."""
    if not len(words):
        return np.zeros(DIMENSIONS, dtype=np.float32)
    at: Floats = ways[words].sum(axis=0)
    size = float(np.linalg.norm(at))
    return at / np.float32(size) if size > 0 else at


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
