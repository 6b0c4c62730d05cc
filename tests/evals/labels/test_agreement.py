"""How far two judgements agree, beyond chance."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.labels.agreement import agreement


def test_alpha_is_that_of_the_book():
    # Hayes and Krippendorff's two observers of interval data, computed by hand:
    # the mean squared difference is 0.5, the mean over all 56 pairs of different values 2 * 8 / 7 of the variance
    a, b = [1, 2, 3, 3], [1, 2, 3, 4]
    whole = np.array(a + b, dtype=float)
    pairs = np.array([(x - y) ** 2 for i, x in enumerate(whole) for j, y in enumerate(whole) if i != j])
    assert agreement(a, b).alpha == pytest.approx(1 - 0.25 / pairs.mean())


def test_kappa_is_that_of_the_contingency_table():
    # 20 both right, 15 both wrong, 5 and 10 apart: po = 0.7, pe = 0.5
    one = [1.0] * 20 + [1.0] * 5 + [0.0] * 10 + [0.0] * 15
    other = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    assert agreement(one, other).kappa == pytest.approx(0.4)


def test_judges_who_agree_are_believed_and_dice_are_not():
    rng = np.random.default_rng(1)
    scores = rng.choice([0.0, 0.5, 1.0], 80)
    assert agreement(scores, scores).enough
    assert not agreement(scores, rng.permutation(scores)).enough


def trials(flips, n, seed):
    """The share of judges believed who change their mind on a share of ``flips`` of the answers."""
    rng = np.random.default_rng(seed)
    believed = 0
    for _ in range(100):
        first = (rng.random(n) < 0.6).astype(float)
        believed += agreement(first, np.where(rng.random(n) < flips, 1 - first, first)).enough
    return believed / 100


def test_a_judge_who_wavers_on_a_quarter_is_hardly_ever_believed_and_a_steady_one_mostly():
    assert trials(0.25, 50, 2) <= 0.05
    assert trials(0.03, 50, 3) >= 0.9


def test_a_handful_is_not_enough_however_well_it_agrees():
    found = agreement([0.0, 1.0] * 4, [0.0, 1.0] * 4)
    assert found.alpha == pytest.approx(1)
    assert not found.known
    assert not found.enough


def test_where_all_verdicts_are_alike_nothing_is_known():
    found = agreement([1.0] * 40, [1.0] * 40)
    assert isnan(found.alpha)
    assert isnan(found.kappa)
    assert not found.enough
    assert found.same == 1


def test_nothing_judged_twice_is_no_agreement():
    assert agreement([], []).n == 0
    assert not agreement([], []).enough


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_alpha_does_not_ask_who_came_first_and_never_exceeds_one(pairs):
    one, other = zip(*pairs, strict=True)
    there, back = agreement(one, other).alpha, agreement(other, one).alpha
    assert isnan(there) == isnan(back)
    if not isnan(there):
        assert there == pytest.approx(back)
        assert there <= 1 + 1e-9
