import math

import numpy as np
import pytest

from router.score import ProfileError, Scorer, fit_profile, load
from router.score.profile import Prior

DIRECTIONS = 4


def prior(width=DIRECTIONS, ability=0.0):
    return Prior(np.r_[ability, np.zeros(width)], np.eye(1 + width), 5.0, 1.0)


def rows(count, seed=0):
    """Places and outcomes of a model whose chances follow the first direction and its ability of -1."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(count, DIRECTIONS)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(2.0 * places[:, 0] - 1.0)))
    return places, (rng.random(count) < chance).astype(float), chance


def test_many_rows_find_the_ability_and_the_loading():
    places, outcome, _ = rows(5000)
    head = fit_profile(places, {"small": outcome}, {"small": prior()})["small"]
    assert head.ability == pytest.approx(-1.0, abs=0.15)
    assert head.loading == pytest.approx([2.0, 0, 0, 0], abs=0.15)


def test_fifty_rows_do_better_than_the_prior_and_than_their_mean():
    places, outcome, _ = rows(50)
    head = fit_profile(places, {"small": outcome}, {"small": prior()})["small"]
    fresh, truth, chance = rows(4000, seed=1)
    guess = 1 / (1 + np.exp(-(head.ability + fresh @ head.loading)))
    assert np.square(guess - chance).mean() < 0.5 * np.square(outcome.mean() - chance).mean()
    assert np.square(guess - chance).mean() < 0.5 * np.square(0.5 - chance).mean()
    assert abs(guess.mean() - truth.mean()) < 0.1


def test_a_tighter_prior_moves_less():
    places, outcome, _ = rows(60)
    loose, tight = prior(), prior()._replace(precision=1e4 * np.eye(1 + DIRECTIONS))
    moved = [
        np.abs(fit_profile(places, {"small": outcome}, {"small": p})["small"].loading).sum() for p in (loose, tight)
    ]
    assert moved[1] < 0.1 * moved[0]


def test_mean_tokens_come_out_right_and_unknown_ones_stay_the_priors():
    places, outcome, _ = rows(200)
    tokens = np.exp(4.0 + 0.5 * places[:, -1].astype(float))
    tokens[::3] = np.nan
    heads = fit_profile(
        places, {"small": outcome, "large": outcome}, {"small": prior(), "large": prior()}, {"small": tokens}
    )
    known = ~np.isnan(tokens)
    forecast = np.exp(heads["small"].token_level + heads["small"].token_slope * places[known, -1])
    assert forecast.mean() == pytest.approx(tokens[known].mean(), rel=1e-6)
    assert (heads["large"].token_level, heads["large"].token_slope) == (5.0, 1.0)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda y: y[:-1], "59 scores for 60 prompts"),
        (lambda y: np.where(np.arange(60) < 49, y, np.nan), "49 rows with a score; a profile needs at least 50"),
        (lambda y: y * 100, r"outside 0\.\.1"),
        (lambda y: y * 0, "all 60 scores are 0"),
    ],
)
def test_rows_that_cannot_teach_are_refused_by_tier(spoil, words):
    places, outcome, _ = rows(60)
    with pytest.raises(ProfileError, match=f"tier medium: .*{words}"):
        fit_profile(places, {"medium": spoil(outcome)}, {"medium": prior()})


@pytest.fixture(scope="module")
def scorer():
    return load()


def test_a_place_is_what_the_score_is_read_off(scorer: Scorer):
    known = scorer.prior("large", "llama-3.1")
    logit = known.mean[0] + scorer.place("How many primes are below 100?") @ known.mean[1:]
    score = scorer.score("How many primes are below 100?", "llama-3.1")
    assert score.p_right["large"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_a_new_family_scores_beside_the_old_ones_under_a_new_digest(scorer: Scorer):
    prompts = [f"Add {k} and {k * k}, then name a river." for k in range(80)]
    outcome = np.arange(80) % 4 > 0
    heads = fit_profile(
        np.stack([scorer.place(p) for p in prompts]), {"small": outcome.astype(float)}, {"small": scorer.prior("small")}
    )
    grown = scorer.with_family("ours", heads)
    assert grown.tiers("ours") == ("small",)
    assert grown.score(prompts[0], "ours").p_right["small"] == pytest.approx(0.75, abs=0.1)
    assert grown.score(prompts[0]).p_right == scorer.score(prompts[0]).p_right
    assert grown.digest != scorer.digest
    assert "ours" not in scorer.families
    assert scorer.with_family("ours", heads).digest == grown.digest
    parts = grown.explain(prompts[0], "ours")
    complexity = grown.score(prompts[0], "ours").complexity
    assert sum(push for _, push in parts) == pytest.approx(math.log(complexity / (1 - complexity)), abs=1e-3)


def test_an_unknown_tier_or_an_empty_family_is_refused(scorer: Scorer):
    with pytest.raises(KeyError, match="no tier 'huge'; it has small, medium, large"):
        scorer.prior("huge")
    with pytest.raises(ValueError, match="no head for any"):
        scorer.with_family("ours", {})
