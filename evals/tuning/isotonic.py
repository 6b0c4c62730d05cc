"""Isotonic regression: the non-decreasing step function nearest to outcomes (Ayer and others, 1955)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def isotonic(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Fit by pooling neighbours that fall; between two values of ``x`` the fit is a straight line, beyond them flat.

    Equal ``x`` share one value.
    """
    points, place, size = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, y) / size
    blocks: list[tuple[float, float, int]] = []  # mean, weight, number of points
    for mean, weight in zip(means.tolist(), size.tolist(), strict=True):
        block = (mean, float(weight), 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / total, total, before[2] + block[2])
        blocks.append(block)
    fitted = np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])

    def predict(values: Floats) -> Floats:
        return np.asarray(np.interp(values, points, fitted))

    return predict
