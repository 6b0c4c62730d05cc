import numpy as np
import pytest

from evals.routing import baselines


@pytest.mark.parametrize("tiers", [2, 3])
def test_mixes_cover_the_corners_and_add_up(tiers):
    mixes = baselines.mixes(tiers, step=0.25)
    assert all(mix.sum() == pytest.approx(1) for mix in mixes)
    for corner in np.eye(tiers):
        assert any(np.array_equal(mix, corner) for mix in mixes)


def test_low_scores_go_to_small_and_equal_scores_share_by_lot():
    settings = {s.name: s.shares for s in baselines.by_score(np.array([3.0, 1.0, 2.0, 2.0]), 2)}
    half = settings[f"mix {np.array([0.5, 0.5])}"]
    assert half[:, 0].tolist() == [0.0, 1.0, 0.5, 0.5]


def test_every_setting_shares_out_every_row():
    chance, cost = np.random.default_rng(0).random((2, 6, 3))
    for settings in (
        baselines.by_score(chance[:, 0], 3),
        baselines.by_dial(chance, cost),
        baselines.by_keep(chance),
        baselines.by_worth(chance, cost),
        baselines.random_mix(6, 3),
        baselines.constant(6, 3),
    ):
        assert all(s.shares.sum(axis=1) == pytest.approx(np.ones(6)) for s in settings)


def test_keeping_everything_asks_the_best_tier_and_little_the_first():
    chance = np.array([[0.5, 0.9, 0.8]])
    settings = baselines.by_keep(chance)
    assert settings[0].shares.tolist() == [[1.0, 0.0, 0.0]]
    assert settings[-1].shares.tolist() == [[0.0, 1.0, 0.0]]


def test_the_dial_agrees_with_the_routers_own_decision():
    chance, cost = np.array([[0.5, 0.6, 0.9]]), np.array([[1.0, 3.0, 10.0]])
    picks = [s.shares.argmax() for s in baselines.by_dial(chance, cost)]
    assert picks[0] == 0
    assert picks[-1] == 2
    assert picks == sorted(picks)


def test_litellms_router_runs_offline_and_says_simple_to_hello():
    scores = baselines.litellm_scores(["hello", "Prove step by step that the distributed cache is consistent"])
    assert set(scores) == {"v1 tiers", "v1 raw score", "v2 tiers"}
    assert scores["v1 tiers"][0] == 0
    assert scores["v1 raw score"][0] < scores["v1 raw score"][1]
