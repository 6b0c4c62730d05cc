"""From many thousands of gram buckets to a few hundred directions: a truncated singular value decomposition.

Latent semantic analysis (Deerwester et al., 1990) with the randomised range finder of Halko, Martinsson and
Tropp (2011). It sees no outcome. An orthonormal basis leaves an L2 penalty what it was, so learning on the
directions is learning on the grams, restricted to what many prompts share, at a fraction of the cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MORE = 20


def basis(grams: Any, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Orthonormal columns, gram buckets by at most ``width``: where the rows of ``grams`` vary most."""
    rows, columns = grams.shape
    wide = min(width + _MORE, rows, columns)
    sketch = grams @ rng.standard_normal((columns, wide), dtype=np.float32)
    back = grams.T.tocsr() @ np.linalg.qr(sketch)[0]
    found, _ = np.linalg.qr(back.astype(np.float32))
    projected = grams @ found
    values, turns = np.linalg.eigh((projected.T @ projected).astype(np.float64))
    best = np.argsort(-values)[: min(width, wide)]
    columns_of: NDArray[np.float32] = (found @ turns[:, best]).astype(np.float32)
    return columns_of
