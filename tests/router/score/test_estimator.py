import numpy as np
import pytest
from sklearn.base import clone

from router.score.estimator import NotFittedError, OutcomeModel, design

EASY = [f"Name the colour of thing {k}, please." for k in range(40)]
HARD = [f"Integrate the operator \\int_{k} over a manifold = ?" for k in range(40)]
PROMPTS = EASY + HARD


@pytest.fixture(scope="module")
def outcomes():
    """Three models: weak fails what is hard, strong fails little, the third answered only some."""
    rng = np.random.default_rng(0)
    easy = np.repeat([1.0, 0.0], 40)
    weak = (rng.random(80) < 0.1 + 0.8 * easy).astype(np.float32)
    strong = (rng.random(80) < 0.9).astype(np.float32)
    third = np.where(np.arange(80) % 2, weak, np.nan)
    return np.column_stack([weak, strong, third]).astype(np.float32)


def small_model(**changes):
    return OutcomeModel(rank=2, gram_penalty=0.1, structure_penalty=0.1, max_iter=60, **changes)


def test_the_constructor_only_stores_and_clone_works():
    model = small_model(seed=3)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(rank=5) is model
    assert model.rank == 5
    with pytest.raises(ValueError, match="no parameter 'depth'"):
        model.set_params(depth=1)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_asking_before_fitting_is_refused():
    with pytest.raises(NotFittedError, match="call fit first"):
        small_model().predict_proba(["x"])


def test_it_learns_who_fails_on_what(outcomes):
    model = small_model()
    assert model.fit(PROMPTS, outcomes) is model
    chance = model.predict_proba([EASY[3], HARD[3]])
    assert chance.shape == (2, 3)
    assert ((chance > 0) & (chance < 1)).all()
    assert chance[0, 0] > 0.7
    assert chance[1, 0] < 0.4
    assert chance[1, 1] > chance[1, 0]


def test_a_design_gives_the_same_as_its_texts(outcomes):
    model = small_model().fit(PROMPTS, outcomes)
    again = small_model().fit(design(PROMPTS), outcomes)
    assert np.array_equal(model.table_, again.table_)
    assert np.array_equal(model.predict_proba(PROMPTS), again.predict_proba(design(PROMPTS)))


def test_bent_structure_teaches_the_same_as_what_it_was_bent_from(outcomes):
    inputs = design(PROMPTS)
    model = small_model().fit(inputs, outcomes)
    again = small_model().fit_bent(inputs.grams, model.bend(inputs.structure), outcomes)
    assert np.array_equal(model.table_, again.table_)
    assert np.array_equal(model.structure_weights_, again.structure_weights_)
    with pytest.raises(NotFittedError):
        again.predict_proba(inputs)


def test_rows_of_no_weight_teach_nothing(outcomes):
    flipped = outcomes.copy()
    flipped[:10] = 1 - flipped[:10]
    weight = np.repeat([0.0, 1.0], [10, 70])
    one = small_model().fit(PROMPTS, outcomes, weight)
    two = small_model().fit(PROMPTS, flipped, weight)
    assert np.allclose(one.predict_proba(PROMPTS), two.predict_proba(PROMPTS), atol=1e-4)


def test_the_gradient_is_the_slope_of_the_loss(outcomes):
    from router.score import estimator

    inputs = design(PROMPTS).structure / 10
    penalty = np.linspace(0.2, 1.0, inputs.shape[1]).astype(np.float32)
    problem = estimator._Problem.of(inputs, outcomes, np.ones(len(PROMPTS)), penalty, 0.2)
    start = problem.start(2, np.random.default_rng(1))
    _, slope = problem.loss(start)
    at = 0
    for part in start:
        pushed = [p.copy() for p in start]
        pulled = [p.copy() for p in start]
        index = np.unravel_index(np.abs(slope[at : at + part.size]).argmax(), part.shape)
        which = next(k for k, p in enumerate(start) if p is part)
        pushed[which][index] += 0.01
        pulled[which][index] -= 0.01
        measured = (problem.loss(pushed)[0] - problem.loss(pulled)[0]) / 0.02
        assert measured == pytest.approx(np.abs(slope[at : at + part.size]).max() * np.sign(measured), rel=0.02)
        at += part.size


@pytest.mark.parametrize(("value", "words"), [(1.0, "one class only"), (np.nan, "no outcomes at all")])
def test_a_column_that_teaches_nothing_is_refused(outcomes, value, words):
    bad = outcomes.copy()
    bad[:, 1] = value
    with pytest.raises(ValueError, match=f"column 1 .*{words}"):
        small_model().fit(PROMPTS, bad)
