import numpy as np
import pytest

from router.score.project import KNOTS, Bends, hinges
from router.score.unknown import REACH, UNSEEN, Known, Novelty


def learned(**changes):
    """Ten buckets, the first five known; one known form at the origin; only unseen words and distance count."""
    surprise = np.where(np.arange(10) < 5, 2.0, UNSEEN + 1)[:, None].repeat(2, axis=1)
    fields = {
        "surprise": surprise.astype(np.float32),
        "centres": np.zeros((1, 3), dtype=np.float32),
        "weights": np.array([0.0, 0, 0, 4.0, 1.0, 0]),
        "quantiles": np.linspace(-2.0, 6.0, 101),
        "mean": np.zeros(3),
        "scale": np.ones(3),
    }
    return Known(Novelty(**(fields | changes)))


AT_HOME = np.zeros(3, dtype=np.float32)


def test_no_words_at_all_is_as_novel_as_can_be():
    assert learned().novelty(np.array([], dtype=np.int64), AT_HOME) == 1.0


def test_unseen_words_and_a_strange_form_raise_it():
    known = learned().novelty(np.array([0, 1, 2]), AT_HOME)
    half = learned().novelty(np.array([0, 9]), AT_HOME)
    strange = learned().novelty(np.array([0, 1, 2]), AT_HOME + 3)
    assert known < half < learned().novelty(np.array([8, 9]), AT_HOME)
    assert known < strange


def test_it_is_the_share_of_known_prompts_that_look_less_strange():
    quantiles = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    weights = np.array([1.0, 0, 0, 0, 0, 0])
    assert learned(weights=weights, quantiles=quantiles).novelty(np.array([0]), AT_HOME) == pytest.approx(0.25)


def test_structure_is_cut_so_that_no_prompt_is_infinitely_far():
    bends = Bends(np.zeros(3, np.float32), np.ones(3, np.float32), np.array(KNOTS, np.float32), REACH)
    far, farther = (bends.of(AT_HOME + np.float32(k))[0] for k in (1e3, 1e9))
    assert far.tolist() == farther.tolist() == [REACH] * 3
    assert learned().novelty(np.array([0]), far) > learned().novelty(np.array([0]), AT_HOME)


def test_one_row_bends_as_many_do_and_to_the_last_bit():
    draw = np.random.default_rng(4)
    mean, scale = draw.normal(size=36).astype(np.float32), draw.uniform(0.1, 3, 36).astype(np.float32)
    bends = Bends(mean, scale, np.array(KNOTS, np.float32), REACH)
    rows = (9 * draw.normal(size=(50, 36))).astype(np.float32)
    for row, bent in zip(rows, hinges(rows, mean, scale, np.array(KNOTS, np.float32)), strict=True):
        assert bends.of(row)[1].ravel().tolist() == bent.ravel().tolist()
