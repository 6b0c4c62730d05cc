"""What is certified holds, as often as it says."""

import numpy as np
import pytest

from evals.tuning import certify
from router.core.stats.bounds import net_certified, upper_rate

N, LIMIT, SURE = 400, 0.05, 0.95


def nested(rng, steps=60, n=N):
    """Settings whose true loss grows from 0 to 12 %, each row failing from some setting on."""
    falls = rng.random(n)
    return np.linspace(0, 0.12, steps), np.array([(falls < rate).sum() for rate in np.linspace(0, 0.12, steps)], float)


def test_along_a_sequence_a_broken_promise_is_certified_at_most_one_time_in_twenty():
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(600):
        true, losses = nested(rng)
        steps = certify.certified([certify.Sums(N, losses, np.zeros_like(losses))], LIMIT, SURE, net=False)
        wrong += steps > 0 and true[steps - 1] > LIMIT
    assert wrong / 600 <= 0.07


def test_several_slices_are_certified_together_without_more_errors():
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(400):
        parts = [nested(rng) for _ in range(4)]
        sums = [certify.Sums(N, losses, np.zeros_like(losses)) for _, losses in parts]
        steps = certify.certified(sums, LIMIT, SURE, net=False)
        assert steps <= min(certify.certified([one], LIMIT, SURE, net=False) for one in sums)
        wrong += steps > 0 and parts[0][0][steps - 1] > LIMIT
    assert wrong / 400 <= 0.07


def test_testing_ends_at_the_first_setting_that_fails():
    losses = np.array([0, 5, 40, 1], float)
    assert certify.certified([certify.Sums(N, losses, np.zeros(4))], LIMIT, SURE, net=False) == 2


def test_net_sequences_are_certified_as_one_by_one():
    rng = np.random.default_rng(3)
    losses, gains = np.sort(rng.integers(0, 60, 40)).astype(float), rng.integers(0, 30, 40).astype(float)
    one_by_one = [net_certified(int(lost), int(won), N, LIMIT, SURE) for lost, won in zip(losses, gains, strict=True)]
    expected = certify.first_failure(np.array(one_by_one))
    known: certify.Limits = {}
    for _ in range(2):
        assert certify.certified([certify.Sums(N, losses, gains)], LIMIT, SURE, net=True, known=known) == expected


def test_losses_of_any_size_are_certified_by_betting():
    rng = np.random.default_rng(4)
    small, large = rng.random(N) * 0.04, rng.random(N) * 0.4
    assert certify.certified_by_betting([np.stack([small, small, large])], LIMIT, SURE, net=False) == 2
    assert certify.certified_by_betting([np.stack([small - 0.02, large])], LIMIT, SURE, net=True) == 1


@pytest.mark.parametrize(
    ("losses", "gains", "net", "method"),
    [([0, 1, 0], [0, 0, 0], False, "Clopper-Pearson"), ([0, 1, 0], [1, 0, 0], True, "exact, of differences"),
     ([0, 0.5, 0], [0, 0, 0], False, "betting"), ([0, 0.5, 0], [0.2, 0, 0], True, "betting")],
)  # fmt: skip
def test_the_bound_follows_the_kind_of_losses(losses, gains, net, method):
    seen = certify.shown(np.array(losses * 50, float), np.array(gains * 50, float), SURE, net=net)
    assert seen.method == method
    assert seen.mean <= seen.upper <= 1
    assert seen.n == 150


def test_rows_that_are_missing_are_those_that_would_do():
    assert certify.least_rows(0.02, 0.95, net=False) == 149
    seen = certify.Shown(300, 4, 0, 4 / 300, upper_rate(4, 300, SURE), "")
    more = certify.rows_missing(seen, 0.02, SURE, net=False)
    total = 300 + more
    assert upper_rate(round(seen.mean * total), total, SURE) <= 0.02
    assert certify.rows_missing(seen, 0.01, SURE, net=False) is None  # it loses more than that already
    assert certify.rows_missing(certify.Shown(0, 0, 0, 0, 1, ""), 0.02, SURE, net=False) == 149
    least = certify.least_rows(0.02, 0.95, net=True)
    assert net_certified(0, 0, least, 0.02, SURE)
    assert not net_certified(0, 0, least - 1, 0.02, SURE)
