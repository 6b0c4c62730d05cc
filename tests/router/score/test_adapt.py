import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.score import adapt
from router.score.adapt import NO_CHANGE, RECIPES, Sample


def sample(rows=80, tiers=3, seed=0, words=True):
    """Outcomes follow the first direction, and one word that the start knows nothing of."""
    from scipy import sparse

    rng = np.random.default_rng(seed)
    place = rng.normal(size=(rows, 4))
    structure = rng.normal(size=(rows, 100))
    word = rng.integers(0, 2, rows)
    grams = sparse.csr_array(np.column_stack([word, 1 - word, rng.random((rows, 6))]).astype(np.float32))
    logits = np.linspace(-1, 1, tiers) + place[:, :1] + 2.0 * (word[:, None] - 0.5)
    scores = (rng.random((rows, tiers)) < 1 / (1 + np.exp(-logits))).astype(float)
    start = np.zeros((rows, tiers))
    return Sample(place, start, scores, structure if words else np.zeros((rows, 0)), grams if words else None)


def folds(rows):
    return np.arange(rows) % 3


def test_no_change_leaves_the_starts_logits_alone():
    seen = sample()
    assert np.array_equal(adapt.fit(seen, NO_CHANGE).logits(seen), seen.start)


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.common and r.structure <= 1], ids=lambda r: r.name)
def test_every_recipe_learns_something_that_holds_for_other_rows(recipe):
    change, fresh = adapt.fit(sample(300), recipe), sample(300, seed=1)
    before = np.nanmean(adapt.deviance(fresh.start, fresh.scores))
    assert np.nanmean(adapt.deviance(change.logits(fresh), fresh.scores)) < before


def templated(rows, seed=0):
    """Rows of a few templates with one deciding word each: nearly the same, so that the fit is badly conditioned."""
    from scipy import sparse

    rng = np.random.default_rng(seed)
    kind, turn = rng.integers(0, 6, rows), rng.integers(0, 2, rows)
    words = np.zeros((rows, 60))
    words[np.arange(rows), kind] = 6.0
    words[np.arange(rows), 6 + 2 * kind + turn] = 0.3
    words[:, 20:] = rng.random((rows, 40)) * 0.2
    logits = np.column_stack([3.0 * (turn - 0.5), 1.0 + 0 * turn, 2.0 - 3.0 * (turn - 0.5)])
    scores = (rng.random((rows, 3)) < 1 / (1 + np.exp(-logits))).astype(float)
    place, structure = rng.normal(size=(rows, 4)), rng.normal(size=(rows, 100))
    return Sample(place, np.zeros((rows, 3)), scores, structure, sparse.csr_array(words.astype(np.float32)))


def test_the_fit_is_found_however_alike_the_rows_are(monkeypatch):
    """Where it stopped too early, more rows made the order worse."""
    recipe = next(r for r in RECIPES if r.name == "all")
    seen = templated(500)
    found = adapt.fit(seen, recipe).logits(seen)
    monkeypatch.setattr(adapt, "_ITERATIONS", 5_000)
    assert np.abs(adapt.fit(seen, recipe).logits(seen) - found).max() < 0.02


def test_a_blend_leaves_out_what_only_holds_for_the_rows_it_saw():
    """Structure is noise here, so the recipes that trust it most are the worst by themselves."""
    change, parts = adapt.learn(sample(300), folds(300))
    fresh = sample(300, seed=1)
    before = np.nanmean(adapt.deviance(fresh.start, fresh.scores))
    assert np.nanmean(adapt.deviance(change.logits(fresh), fresh.scores)) < before - 0.05
    assert not {"start and more structure", "start and most structure"} & set(parts)


def test_a_blend_predicts_the_weighted_mean_of_its_parts():
    seen, fresh = sample(), sample(seed=2)
    changes = [(adapt.fit(seen, recipe), part) for recipe, part in zip(RECIPES[1:4], (0.2, 0.3, 0.5), strict=True)]
    together = sum(part * change.logits(fresh) for change, part in changes)
    assert np.allclose(adapt.blend(changes).logits(fresh), together)


def test_the_parts_of_a_blend_add_up_to_one():
    _, parts = adapt.learn(sample(), folds(80))
    assert sum(parts.values()) == pytest.approx(1, abs=1e-3)
    assert set(parts) <= {recipe.name for recipe in RECIPES}


def test_rows_that_teach_nothing_hardly_move_a_right_start():
    rng = np.random.default_rng(5)
    seen = sample(60)
    right = 3.0 * rng.normal(size=(60, 3))
    seen = seen._replace(start=right, scores=(rng.random((60, 3)) < 1 / (1 + np.exp(-right))).astype(float))
    _, parts = adapt.learn(seen, folds(60))
    kept = {recipe.name for recipe in RECIPES if recipe.keep == 1.0}
    assert sum(part for name, part in parts.items() if name in kept) > 0.9


def test_a_tier_that_never_answered_follows_what_the_others_share():
    seen = sample(200)
    scores = seen.scores.copy()
    scores[:, 1] = np.nan
    change = adapt.fit(seen._replace(scores=scores), RECIPES[-1])
    fresh = sample(200, seed=4)
    logits = change.logits(fresh)
    assert np.isfinite(logits).all()
    assert np.corrcoef(logits[:, 1], logits[:, 0])[0, 1] > 0.8


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0, 0.8))
def test_missing_outcomes_never_break_it(seed, missing):
    seen = sample(60, seed=seed)
    scores = np.where(np.random.default_rng(seed).random(seen.scores.shape) < missing, np.nan, seen.scores)
    change = adapt.fit(seen._replace(scores=scores), RECIPES[-1])
    assert np.isfinite(change.logits(seen)).all()


def test_places_alone_teach_too():
    seen, fresh = sample(300, words=False), sample(300, seed=1, words=False)
    change, parts = adapt.learn(seen, folds(300), adapt.PLACE_RECIPES)
    assert change.table is None
    assert set(parts) <= {recipe.name for recipe in adapt.PLACE_RECIPES}
    assert np.nanmean(adapt.deviance(change.logits(fresh), fresh.scores)) < np.nanmean(
        adapt.deviance(fresh.start, fresh.scores)
    )


def test_the_order_of_rows_does_not_matter():
    seen = sample()
    turned = np.arange(80)[::-1].copy()
    one = adapt.fit(seen, RECIPES[-1]).logits(seen)
    other = adapt.fit(seen.rows(turned), RECIPES[-1]).logits(seen)
    assert np.allclose(one, other, atol=0.02)
