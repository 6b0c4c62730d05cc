"""How structure is bent, against the plain way of writing it, to the last bit."""

import numpy as np
import pytest

from router.score.project import KNOTS, REACH, hinges


def plainly(structure, mean, scale, knots):
    straight = np.clip((structure - mean) / scale, -REACH, REACH)
    return np.concatenate([straight, *(np.maximum(straight - knot, 0) for knot in knots)], axis=-1)


@pytest.mark.parametrize("shape", [(36,), (1, 36), (50, 36)])
def test_bent_structure_is_what_it_says(shape):
    rng = np.random.default_rng(7)
    structure = (3 * rng.standard_normal(shape)).astype(np.float32)
    mean, scale = (rng.random(36).astype(np.float32) + part for part in (0, np.float32(0.1)))
    knots = np.array(KNOTS, dtype=np.float32)
    made = hinges(structure, mean, scale, knots)
    assert made.dtype == np.float32
    assert made.tobytes() == plainly(structure, mean, scale, knots).tobytes()
