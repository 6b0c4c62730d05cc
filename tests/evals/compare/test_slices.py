"""Slices with multiplicity held down, pairs of runs, and verdicts of *no worse*."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.compare.paired import compare
from evals.compare.pairs import pair
from evals.compare.slices import benjamini_hochberg, by_slice, holm
from evals.compare.verdict import no_worse, seen_by
from evals.runs.record import Item


def test_holm_and_benjamini_hochberg_on_a_worked_example():
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_is_never_smaller_and_keeps_the_order(p):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert all(a >= raw - 1e-12 and a <= 1 for a, raw in zip(adjusted, p, strict=True))
        order = np.argsort(p, kind="stable")
        assert all(adjusted[i] <= adjusted[j] + 1e-12 for i, j in zip(order, order[1:], strict=False))
    assert all(h >= b - 1e-12 for h, b in zip(holm(p), benjamini_hochberg(p), strict=True))


def test_twenty_equal_slices_raise_an_alarm_in_one_run_of_twenty_at_most():
    alarmed = 0
    for seed in range(25):
        rng = np.random.default_rng([19, seed])
        left, right = (rng.random(640) < 0.7 for _ in "AB")
        slices = {"tag": [str(i % 20) for i in range(640)]}
        alarmed += any(found.shown() for found in by_slice(left, right, None, slices))
    # 25 draws of 5 %: more than 5 happen once in a thousand times
    assert alarmed <= 5


def test_a_slice_that_got_worse_is_found_among_good_ones():
    rng = np.random.default_rng(1)
    language = np.where(np.arange(1200) % 4 == 0, "ko", "en")
    incumbent = rng.random(1200) < 0.8
    candidate = np.where((language == "ko") & (rng.random(1200) < 0.3), False, incumbent)
    found = by_slice(candidate, incumbent, None, {"language": language, "task": ["qa"] * 1200})
    shown = {(one.slice, one.value): one.shown() for one in found}
    assert shown == {("language", "en"): False, ("language", "ko"): True, ("task", "qa"): True}


def test_thin_slices_are_shown_and_not_judged():
    found = by_slice([1.0] * 40, [0.0] * 40, None, {"tag": ["a"] * 35 + ["b"] * 5})
    assert [(one.value, one.p is None) for one in found] == [("a", False), ("b", True)]
    assert "5 questions" in found[1].thin
    assert found[1].difference.value == 1.0
    assert not found[1].shown()


def test_a_slice_without_scores_says_so():
    found = by_slice([1.0, float("nan")], [1.0, 1.0], ["x", "y"], {"tag": ["a", "b"]}, thin=1)
    assert [one.thin for one in found] == ["", "no row of it has a score of both sides"] or found[1].difference is None


def test_rows_pair_by_id_and_sample():
    def items(*rows):
        return [Item(target="t", id=i, sample=s, quality=q, scores={"exact": q}, slices={"l": i}) for i, s, q in rows]

    pairs = pair(items(("a", 0, 1.0), ("a", 1, 0.0), ("b", 0, 1.0)), items(("a", 1, 1.0), ("a", 0, 1.0), ("c", 0, 0.0)))
    assert [(item.id, item.sample) for item in pairs.candidate] == [("a", 0), ("a", 1)]
    assert (pairs.only_candidate, pairs.only_incumbent) == (1, 1)
    assert pairs.stems == ["a", "a"]
    assert [list(side) for side in pairs.quality] == [[1.0, 0.0], [1.0, 1.0]]
    assert [list(side) for side in pairs.score("exact")] == [[1.0, 0.0], [1.0, 1.0]]
    assert np.isnan(pairs.score("other")).all()
    assert pairs.labels("l") == ["a", "a"]


def sides(n, worse):
    incumbent = np.ones(n)
    candidate = np.ones(n)
    candidate[: round(worse * n)] = 0
    return candidate, incumbent


@pytest.mark.parametrize(
    ("n", "worse", "d", "verdict", "says"),
    [
        (1000, 0.0, 0.01, "pass", "no worse than 1 points"),
        (2000, 0.01, 0.05, "pass", "no worse than 5 points"),
        (2000, 0.10, 0.05, "fail", "worse by more than 5 points"),
        (2000, 0.05, 0.05, "fail", "worse, by"),
        (100, 0.0, 0.01, "error", "refused: 100 questions"),
        (4, 0.0, 0.02, "error", "no difference at all"),
    ],
)
def test_no_worse_is_shown_refuted_or_refused(n, worse, d, verdict, says):
    judged = no_worse(compare(*sides(n, worse)), d)
    assert judged.verdict == verdict
    assert says in judged.why


def test_a_refusal_names_the_rows_that_would_do():
    rng = np.random.default_rng(2)
    left, right = ((rng.random(200) < 0.8).astype(float) for _ in "AB")
    found = compare(left, right)
    judged = no_worse(found, 0.02)
    assert judged.verdict == "error"
    assert seen_by(found) > 0.02
    assert "would show 2" in judged.why


def test_no_worse_is_wrongly_granted_at_most_one_time_in_forty():
    granted = 0
    for seed in range(200):
        rng = np.random.default_rng([23, seed])
        draw = rng.random(600)
        candidate, incumbent = (draw >= 0.09).astype(float), ((draw < 0.06) | (draw >= 0.09)).astype(float)
        # the candidate loses 6 %, gains none; of what is accepted it is exactly at the edge
        granted += no_worse(compare(candidate, incumbent), 0.06).verdict == "pass"
    # 200 draws of 2.5 %: more than 13 happen once in a thousand times
    assert granted <= 13


def test_a_loss_of_nothing_is_no_question():
    with pytest.raises(ValueError, match="above 0"):
        no_worse(compare([1.0], [1.0]), 0.0)
