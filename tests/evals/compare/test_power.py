"""What a suite can see: the published table, the exact test's own power, and power really reached."""

from math import inf

import numpy as np
import pytest

from evals.compare import power, proportions, worlds
from evals.compare.paired import compare
from evals.compare.power import needed, needed_about, power_of, visible
from tests.support.outcomes import multinomial

#: Paired rows needed at 80 % power by Connor's formula with deviates rounded to 1.96 and 0.84, as usually printed.
PRINTED = {
    (0.05, 0.01): 3918, (0.05, 0.02): 978, (0.05, 0.03): 434, (0.05, 0.05): 155,
    (0.10, 0.01): 7838, (0.10, 0.02): 1958, (0.10, 0.03): 869, (0.10, 0.05): 312,
    (0.20, 0.01): 15678, (0.20, 0.02): 3918, (0.20, 0.03): 1740, (0.20, 0.05): 625,
}  # fmt: skip


@pytest.mark.parametrize(("differ", "d"), PRINTED)
def test_the_printed_table_is_met(differ, d):
    printed = PRINTED[differ, d]
    assert needed_about(d, differ) == pytest.approx(printed, rel=0.002, abs=1)
    exact = needed(d, discordant=differ)
    assert printed < exact < 1.1 * printed


@pytest.mark.parametrize(("differ", "d"), [(0.05, 0.05), (0.1, 0.05), (0.2, 0.05)])
def test_as_many_rows_as_needed_see_that_much(differ, d):
    n = needed(d, discordant=differ)
    assert power_of(n, d, differ) >= 0.8 > power_of(n - 1, d, differ)
    assert visible(n, discordant=differ) == pytest.approx(d, rel=0.01)


def test_the_power_is_the_sum_over_every_outcome():
    n, differ, d = 18, 0.5, 0.3
    better, worse = (differ + d) / 2, (differ - d) / 2
    whole = sum(
        multinomial((b, c, n - b - c), (better, worse, 1 - differ))
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if proportions.exact_p(b, c) <= 0.05
    )
    assert power_of(n, d, differ) == pytest.approx(whole, abs=1e-9)


def test_the_exact_power_and_its_limit_meet():
    exact, about = power_of(19_990, 0.009, 0.2), power_of(20_010, 0.009, 0.2)
    assert about == pytest.approx(exact, abs=0.003)


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_fewest_rows_that_reject_are_found_at_once(alpha):
    plain = [
        next((k for k in range(-(-m // 2), m + 1) if proportions.exact_p(k, m - k) <= alpha), m + 1)
        for m in range(1, 61)
    ]
    assert power._least(1, 61, alpha).tolist() == plain


def test_five_rows_show_nothing_and_six_show_only_everything():
    assert visible(5, discordant=0.1) == inf
    assert visible(6, discordant=0.1) > 0.9


def test_a_difference_larger_than_what_differs_is_all_that_differs():
    assert power_of(200, 0.3, 0.05) == power_of(200, 0.3, 0.3)


@pytest.mark.parametrize("d", [0.04, 0.1])
def test_the_stated_power_is_reached_on_right_and_wrong(d):
    n = needed(d, discordant=0.2)
    seen = 0
    for seed in range(400):
        candidate, incumbent, _ = worlds.better_by(np.random.default_rng([11, seed]), n, d, 0.2)
        better, worse = int((candidate > incumbent).sum()), int((candidate < incumbent).sum())
        seen += better > worse and proportions.exact_p(better, worse) <= 0.05
    # 400 draws of 80 %: fewer than 295 happen once in a thousand times
    assert 295 <= seen <= 345


@pytest.mark.parametrize(("spread", "d"), [(0.2, 0.1)])
def test_the_stated_power_is_reached_on_continuous_scores(spread, d):
    n = needed(d, spread=spread)
    seen = 0
    for seed in range(200):
        rng = np.random.default_rng([13, seed])
        incumbent = np.full(n, 0.5)
        candidate = np.clip(0.5 + d + rng.uniform(-1, 1, n) * spread * np.sqrt(3), 0, 1)
        seen += compare(candidate, incumbent, seed=seed, draws=999).shown
    # 200 draws of 80 %: fewer than 142 happen once in a thousand times
    assert seen >= 142


def test_the_spread_of_stems_gives_the_power_of_clustered_rows():
    seen, d = 0, 0.08
    found = [clustered_pair(np.random.default_rng([17, seed]), 400, d) for seed in range(100)]
    spread = float(np.mean([compare(*one, draws=9).spread for one in found]))
    expected = visible(400, spread=spread)
    seen = sum(compare(*one, draws=499).shown for one in found)
    assert expected == pytest.approx(d, abs=0.02)
    assert seen >= 66  # 100 draws of about 80 %


def clustered_pair(rng, questions, d):
    left, right, _ = worlds.right_and_wrong(rng, questions, 0.7)
    raised = np.where(rng.random(questions) < d / 0.3, 1.0, left)
    return np.repeat(raised, 2), np.repeat(right, 2), np.repeat(np.arange(questions), 2)


@pytest.mark.parametrize("wrong", [{}, {"discordant": 0.1, "spread": 0.2}, {"discordant": 1.5}])
def test_power_wants_one_measure_of_noise(wrong):
    with pytest.raises(ValueError, match="share"):
        visible(100, **wrong)


def test_no_rows_show_no_difference():
    with pytest.raises(ValueError, match="above 0"):
        needed(0, discordant=0.1)
