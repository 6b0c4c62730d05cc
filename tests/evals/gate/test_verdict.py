"""From estimates to a verdict."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gate.columns import Column, estimate
from evals.gate.values import Estimate, Metric
from evals.gate.verdict import FEWEST, rule

QUALITY = Metric(name="quality", low=0, high=1, margin=0.02)


def known(low, high, *, margin=0.02, stems=1_000, p_worse=1.0, p_better=1.0, name="quality", where=""):
    metric = Metric(name=name, low=0, high=1, margin=margin)
    return Estimate(
        metric=metric, against="old", where=where, gain=(low + high) / 2, low=low, high=high, n=stems, stems=stems,
        p_worse=p_worse, p_better=p_better,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "p_worse", "verdict"),
    [
        (-0.019, 0.01, 0.3, "yes"),
        (-0.018, -0.002, 0.001, "yes"),  # worse for certain, and by less than what is put up with
        (-0.03, -0.01, 0.001, "no"),
        (-0.2, -0.1, 0.0, "no"),
        (-0.03, 0.01, 0.2, "untold"),
        (0.01, 0.05, 1.0, "yes"),
    ],
)
def test_a_metric_is_judged_by_its_interval_and_margin(low, high, p_worse, verdict):
    assert rule([known(low, high, p_worse=p_worse)]).verdict == verdict


def test_one_metric_that_says_no_is_enough_and_is_named():
    ruling = rule([known(0.05, 0.1, name="correctness"), known(-0.3, -0.2, p_worse=1e-9, name="faithfulness")])
    assert (ruling.verdict, ruling.says) == ("no", "worse in faithfulness")


def test_a_metric_that_cannot_be_told_is_never_a_yes():
    dark = Estimate(metric=QUALITY, against="old", why="the candidate has no figure")
    ruling = rule([known(0.05, 0.1, name="correctness"), dark])
    assert ruling.verdict == "untold"
    assert ruling.findings[1].says == "the candidate has no figure"


def test_from_a_handful_of_questions_nothing_is_said():
    ruling = rule([known(0.1, 0.2, stems=FEWEST - 1)])
    assert ruling.verdict == "untold"
    assert ruling.findings[0].needed == FEWEST


def test_a_gate_that_looked_at_nothing_does_not_open():
    with pytest.raises(ValueError, match="no metric"):
        rule([])


def test_a_slice_can_close_the_gate_but_never_open_it():
    whole = known(-0.01, 0.02)
    assert (
        rule([whole], [known(-0.4, -0.2, p_worse=1e-9, where="language=ko")]).says
        == "worse in quality where language=ko"
    )
    assert rule([known(-0.05, 0.02)], [known(0.1, 0.2, where="language=ko")]).verdict == "untold"


def test_thin_slices_are_counted_and_bar_nothing():
    ruling = rule([known(-0.01, 0.02)], [known(-0.2, 0.2, where="task=rare"), known(0.0, 0.1, where="task=usual")])
    assert (ruling.verdict, ruling.slices_seen, ruling.slices_thin) == ("yes", 2, 1)


def test_an_improvement_is_asked_for_and_shown_missing_or_excluded():
    same, better = known(-0.01, 0.01), known(0.01, 0.03, p_better=0.001)
    assert rule([same, better], improves=True).verdict == "yes"
    assert rule([same], improves=True).verdict == "no"  # a gain as large as the margin is excluded
    assert rule([known(-0.01, 0.04)], improves=True).verdict == "untold"


def test_many_metrics_do_not_make_an_equal_candidate_look_worse():
    chance = known(-0.05, -0.001, p_worse=0.02)
    others = [known(-0.01, 0.01, name=f"m{i}") for i in range(5)]
    assert rule([chance]).verdict == "no"
    assert rule([chance, *others]).verdict == "untold"


@given(st.floats(-0.5, 0.5), st.floats(0, 0.5), st.floats(0, 0.2), st.floats(0, 0.2))
def test_a_wider_margin_never_turns_a_yes_into_anything_else(middle, half, margin, more):
    p = 0.001 if middle + half < 0 else 0.5
    narrow = rule([known(middle - half, middle + half, margin=margin, p_worse=p)]).verdict
    wide = rule([known(middle - half, middle + half, margin=margin + more, p_worse=p)]).verdict
    assert not (narrow == "yes" and wide != "yes")
    assert not (wide == "no" and narrow == "yes")


def trial(rng, losses, error=0.008):
    """The verdict where each metric's gain is measured with that standard error."""
    family = []
    for number, loss in enumerate(losses):
        gain = rng.normal(-loss, error)
        z = NormalDist().cdf(gain / error)
        family.append(
            known(gain - 1.96 * error, gain + 1.96 * error, p_worse=z, p_better=1 - z, margin=0.03, name=f"m{number}")
        )
    return rule(family).verdict


@pytest.mark.parametrize("metrics", [1, 6, 20])
def test_an_equal_candidate_is_turned_down_in_at_most_one_trial_of_forty(metrics):
    rng = np.random.default_rng(1)
    verdicts = [trial(rng, [0.0] * metrics) for _ in range(2_000)]
    assert verdicts.count("no") <= 2_000 * 0.025 + 3 * np.sqrt(2_000 * 0.025)
    assert verdicts.count("yes") >= 2_000 * 0.96**metrics - 100  # each metric passes in 96 of 100, all of them in fewer


@pytest.mark.parametrize("metrics", [1, 6])
def test_a_loss_as_large_as_the_margin_passes_in_at_most_one_trial_of_forty(metrics):
    rng = np.random.default_rng(2)
    verdicts = [trial(rng, [0.03] + [0.0] * (metrics - 1)) for _ in range(2_000)]
    assert verdicts.count("yes") <= 2_000 * 0.025 + 3 * np.sqrt(2_000 * 0.025)


def test_with_as_many_questions_as_were_asked_for_an_equal_candidate_passes_in_four_of_five_trials():
    rng = np.random.default_rng(3)
    few = known(-0.06, 0.06, margin=0.03, p_worse=0.5, stems=400)
    wanted = rule([few]).findings[0].needed
    error = (0.06 / 1.96) * np.sqrt(400 / wanted)
    verdicts = [trial(rng, [0.0], error) for _ in range(2_000)]
    assert 0.76 <= verdicts.count("yes") / 2_000 <= 0.84


def of_coins(rng, rows, loss):
    """The verdict on a right-or-wrong metric, from its rows."""
    old = rng.random(rows) < 0.7
    new = np.where(rng.random(rows) < 0.1, rng.random(rows) < 0.7, old) & (rng.random(rows) >= loss / 0.7)
    return rule([estimate(Column(QUALITY, new.astype(float), old.astype(float)), np.arange(rows), "old")]).verdict


def test_a_real_loss_is_told_from_rows():
    rng = np.random.default_rng(4)
    assert [of_coins(rng, 600, 0.12) for _ in range(10)].count("no") >= 9
    assert [of_coins(rng, 600, 0.0) for _ in range(10)].count("no") <= 1
