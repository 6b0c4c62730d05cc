"""What a log says of other decisions, tried on a world whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from evals.tuning import clusters, world
from evals.tuning.counterfactual import LEAST_ESS, LEAST_EXPLORED, logged

OLD, NEW = 0.45, 0.60


def estimate(rows, explored, seed):
    """The log's view of the new threshold: the estimator's rows and the truth."""
    table, score = world.log(rows, OLD, explored, seed)
    return logged(table, world.large_above(score, NEW), table.quality, table.chance), table


def agreeing(found):
    return found.outcome[found.weight > 0].mean()


@pytest.mark.parametrize("rows", [10_000, 100_000])
def test_comparing_only_agreeing_rows_is_wrong_by_more_than_three_points_at_any_size(rows):
    truth = world.truth(NEW)
    biases = [100 * (agreeing(estimate(rows, 0.05, seed)[0]) - truth) for seed in range(6)]
    assert 3.0 < np.mean(biases) < 4.5
    assert min(biases) > 2.0


def test_doubly_robust_with_five_percent_exploration_reaches_the_truth_within_a_point_at_100k_rows():
    truth = world.truth(NEW)
    halves, misses, held = [], [], 0
    for seed in range(12):
        found, table = estimate(100_000, 0.05, seed)
        figure = clusters.mean(found.dr, table.stem)
        halves.append(100 * (figure.high - figure.low) / 2)
        misses.append(100 * (figure.value - truth))
        held += figure.low <= truth <= figure.high
    assert 0.75 < np.mean(halves) < 0.92
    assert abs(np.mean(misses)) < 0.3
    assert held >= 10


def test_doubly_robust_is_tighter_than_ips_and_both_find_the_truth():
    truth = world.truth(NEW)
    found, table = estimate(100_000, 0.10, 3)
    robust, plain = clusters.mean(found.dr, table.stem), clusters.mean(found.ips, table.stem)
    normal = clusters.ratio(found.ips, found.weight, table.stem)
    width = {name: f.high - f.low for name, f in (("dr", robust), ("ips", plain), ("snips", normal))}
    assert width["ips"] > 1.2 * width["dr"]
    assert width["snips"] < width["ips"]
    for figure in (robust, plain, normal):
        assert abs(figure.value - truth) < 0.03


def test_a_policy_that_logs_itself_is_its_own_mean():
    table, score = world.log(5_000, OLD, 0.0, 1)
    found = logged(table, world.large_above(score, OLD), table.quality, table.chance)
    assert found.dr == pytest.approx(found.outcome)
    assert found.support.ess == pytest.approx(5_000)
    assert (found.support.changed, found.support.unsupported, found.support.refusal) == (0.0, 0.0, "")


def test_a_log_without_exploration_says_nothing_of_changed_decisions():
    table, score = world.log(5_000, OLD, 0.0, 1)
    found = logged(table, world.large_above(score, NEW), table.quality, table.chance)
    band = float(np.mean((score > OLD) & (score <= NEW)))
    assert found.support.unsupported == pytest.approx(band)
    assert found.support.mean_weight == pytest.approx(1 - band)
    assert "shows the outcome of 0" in found.support.refusal
    moved = (score > OLD) & (score <= NEW)
    assert found.dr[moved] == pytest.approx(table.chance[moved, 0])  # the model's word


def test_thin_evidence_is_refused_with_the_number_of_rows_that_are_missing():
    found, _ = estimate(300, 0.2, 1)
    about = found.support
    assert about.ess < LEAST_ESS
    assert about.explored >= LEAST_EXPLORED
    missing = int(about.refusal.split("about ")[1].split(" ")[0].replace(",", ""))
    assert missing == int(np.ceil(300 * (LEAST_ESS / about.ess - 1)))


def test_many_rows_that_did_not_change_do_not_hide_that_none_shows_the_change():
    found, _ = estimate(1_000, 0.01, 5)
    about = found.support
    assert about.ess > LEAST_ESS
    assert about.explored == 0
    assert about.changed == pytest.approx(0.18, abs=0.03)
    assert "let the policy in force explore" in about.refusal


def test_leaving_exploration_away_changes_no_decision():
    table, score = world.log(5_000, OLD, 0.2, 3)
    about = logged(table, world.large_above(score, OLD), table.quality, table.chance).support
    assert (about.changed, about.refusal) == (0.0, "")
    assert about.mean_weight == pytest.approx(1.0, abs=0.03)


def test_rows_of_unknown_propensity_correct_nothing_and_are_counted():
    table, score = world.log(4_000, OLD, 0.2, 2)
    odd = table.propensity.copy()
    odd[::4] = np.nan
    whole = {name: getattr(table, name) for name in table.__dataclass_fields__}
    found = logged(
        type(table)(**{**whole, "propensity": odd}), world.large_above(score, NEW), table.quality, table.chance
    )
    assert found.support.unknown == pytest.approx(0.25)
    assert found.support.unsupported == pytest.approx(0.25)
    assert not found.weight[::4].any()


def test_answers_that_nobody_judged_are_not_counted_as_wrong():
    table, score = world.log(4_000, OLD, 0.2, 2)
    quality = table.quality.copy()
    quality[1000:] = np.nan
    found = logged(table, world.large_above(score, NEW), quality, table.chance)
    assert found.support.rows == 1_000
    assert found.rows.max() < 1_000


def test_where_the_scorer_is_silent_the_tiers_mean_stands_in():
    table, score = world.log(50_000, OLD, 0.2, 2)
    blind = logged(table, world.large_above(score, NEW), table.quality, np.full((50_000, 2), np.nan))
    figure = clusters.mean(blind.dr, table.stem)
    assert figure.low <= world.truth(NEW) <= figure.high
