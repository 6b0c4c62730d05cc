"""From a reading to the inputs of the linear map: how grams are weighed and structure is bent.

Shared by fitting and serving, so that both see the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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
    words, pairs = reading.sizes
    weights = np.empty(words + pairs, dtype=np.float32)
    if words:
        weights[:words] = words**-0.5
    if pairs:
        weights[words:] = pairs**-0.5
    return weights


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


class Bends:
    """``hinges`` of one row, and the row cut further out, in six calls of numpy: all rows take every step.

    A step that shall leave a row as it is takes nothing off it, or bounds it nowhere.

    Args:
        mean, scale: standardisation of the structure.
        knots: where it bends.
        reach: where the row for ``beside`` is cut.
    """

    def __init__(
        self, mean: NDArray[np.float32], scale: NDArray[np.float32], knots: NDArray[np.float32], reach: float
    ) -> None:
        self._mean, self._scale = mean, scale
        bent = len(knots)
        self._most = _column([reach, *[REACH] * (1 + bent)])
        self._least = -self._most
        self._knots = _column([0.0, 0.0, *knots.tolist()])
        self._floor = _column([-np.inf, -np.inf, *[0.0] * bent])

    def of(self, structure: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The standardised row cut at ``reach``, and the hinges as a column."""
        standard = structure - self._mean
        standard /= self._scale
        rows = np.maximum(standard, self._least)
        np.minimum(rows, self._most, out=rows)
        rows -= self._knots
        np.maximum(rows, self._floor, out=rows)
        return rows[0], rows[1:].reshape(-1, 1)


def _column(values: list[Any]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)[:, None]
