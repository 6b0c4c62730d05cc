import numpy as np
import pytest

from router.score import adapt, together
from router.score.adapt import PLACE_RECIPES, RECIPES, Sample
from router.score.estimator import OutcomeModel
from router.score.features import STRUCTURE

SEED = 7


def sample(rows=90, seed=0, tiers=3):
    """Outcomes follow one word and the first structural number; the second never varies."""
    from scipy import sparse

    rng = np.random.default_rng(seed)
    place, structure = rng.normal(size=(rows, 4)), 3.0 * rng.normal(size=(rows, 4 * len(STRUCTURE))) + 1.0
    structure[:, 1] = 2.0
    word = rng.integers(0, 2, rows)
    grams = sparse.csr_array(np.column_stack([word, 1 - word, rng.random((rows, 6))]).astype(np.float32))
    logits = np.linspace(-1, 1, tiers) + structure[:, :1] / 3 + 2.0 * (word[:, None] - 0.5)
    scores = (rng.random((rows, tiers)) < 1 / (1 + np.exp(-logits))).astype(float)
    return Sample(place, np.zeros((rows, tiers)), scores, structure, grams)


def folds(rows=90):
    return np.arange(rows) % 3


def estimator(seen):
    """The estimator itself, and how it sees other rows."""
    spread = np.tile(seen.structure[:, : len(STRUCTURE)].std(axis=0), 4)
    unit = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0)

    def bent(rows):
        return ((rows.structure - seen.structure.mean(axis=0)) * unit).astype(np.float32)

    return OutcomeModel(seed=SEED).fit_bent(seen.grams, bent(seen), seen.scores.astype(np.float32)), bent


def test_the_second_learner_says_what_the_estimator_says_with_its_spread_drawn_in():
    seen, fresh = sample(), sample(seed=1)
    model, bent = estimator(seen)

    def logits(rows):
        return model.ability_ + (rows.grams @ model.table_ + bent(rows) @ model.structure_weights_) @ model.loading_.T

    middle = logits(seen).mean(axis=0)
    expected = middle + together.DRAW * (logits(fresh) - middle)
    assert np.allclose(together.alone(seen, SEED).logits(fresh), expected, atol=1e-4)


def test_the_blends_logits_are_the_blend_of_both_learners_logits_on_other_rows():
    seen, fresh = sample(), sample(seed=1)
    taught = together.learn(seen, folds(), RECIPES, SEED)
    recipes, _ = adapt.learn(seen, folds(), RECIPES)
    expected = 2 / 3 * recipes.logits(fresh) + 1 / 3 * together.alone(seen, SEED).logits(fresh)
    assert np.allclose(taught.change.logits(fresh), expected)
    assert np.ptp(expected[:, 0]) > 1


def test_the_parts_name_the_second_learner_and_add_up_to_one():
    parts = together.learn(sample(), folds(), RECIPES, SEED).parts
    assert parts[together.ALONE] == pytest.approx(1 / 3, abs=1e-4)
    assert sum(parts.values()) == pytest.approx(1, abs=1e-3)


def test_a_number_that_is_constant_here_carries_no_weight_elsewhere():
    bend = together.alone(sample(), SEED).bend
    assert not bend[1].any()
    assert bend[0].all()


def test_the_start_plays_no_part_in_the_second_learner():
    seen = sample()
    moved = seen._replace(start=seen.start + 5, place=-seen.place)
    one, other = together.alone(seen, SEED), together.alone(moved, SEED)
    assert one.keep == 0
    assert not one.slope.any()
    assert not one.loading.any()
    assert np.array_equal(one.logits(seen), other.logits(moved))


def test_the_same_rows_and_seed_teach_the_same():
    one, other = (together.alone(sample(), SEED) for _ in range(2))
    assert np.array_equal(one.table, other.table)
    assert np.array_equal(one.bend, other.bend)


def test_two_learners_lose_less_on_other_rows_than_the_start():
    seen, fresh = sample(), sample(300, seed=1)
    taught = together.learn(seen, folds(), RECIPES, SEED)
    losses = [np.mean(adapt.deviance(logits, fresh.scores)) for logits in (taught.change.logits(fresh), fresh.start)]
    assert losses[0] < losses[1] - 0.05


def test_places_alone_are_taught_by_the_recipes_alone():
    seen = sample()._replace(grams=None, structure=np.zeros((90, 0)))
    taught = together.learn(seen, folds(), PLACE_RECIPES, SEED)
    assert taught.alone is None
    assert taught.change is taught.recipes
    assert together.ALONE not in taught.parts


@pytest.mark.parametrize("outcome", [1.0, np.nan], ids=["all alike", "unknown"])
def test_a_tier_whose_outcomes_teach_nothing_leaves_the_recipes_alone(outcome):
    seen = sample()
    seen.scores[:, 2] = outcome
    assert not together.teaches(seen)
    taught = together.learn(seen, folds(), RECIPES, SEED)
    assert taught.alone is None
    assert sum(taught.parts.values()) == pytest.approx(1, abs=1e-3)


def test_rows_that_lack_a_tier_teach_it_from_the_others():
    seen, fresh = sample(), sample(seed=1)
    seen.scores[::3, 1] = np.nan
    taught = together.learn(seen, folds(), RECIPES, SEED)
    assert together.ALONE in taught.parts
    assert np.isfinite(taught.change.logits(fresh)).all()
