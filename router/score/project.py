"""From a reading to the inputs of the linear map: how grams are weighed and structure is bent.

Shared by fitting and serving, so that both see the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from router.score.features import Reading

#: Standardised structure is cut here, so that no prompt lies further out than training reached.
REACH: Final = 4.0
#: Where the piecewise-linear response to a structural number may bend, in standard deviations.
KNOTS: Final = (-0.7, 0.0, 0.7)


def gram_weights(reading: Reading) -> NDArray[np.float32]:
    """The weight of each gram: one over the root of how many of its kind there are."""
    scales = [size**-0.5 if size else 0.0 for size in reading.sizes]
    return np.array(scales, dtype=np.float32).repeat(reading.sizes)


def hinges(
    structure: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    knots: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The standardised numbers, then ``max(standardised - knot, 0)`` of them all for every knot.

    ``structure`` is one row or many; the result has ``(1 + len(knots)) * len(STRUCTURE)`` columns.
    """
    straight = np.minimum(np.maximum((structure - mean) / scale, -REACH), REACH)
    columns = np.empty((*structure.shape[:-1], 1 + len(knots), structure.shape[-1]), dtype=straight.dtype)
    columns[..., 0, :] = straight
    bent = columns[..., 1:, :]
    np.subtract(straight[..., None, :], knots[:, None], out=bent)
    np.maximum(bent, 0, out=bent)
    return columns.reshape(*structure.shape[:-1], -1)
