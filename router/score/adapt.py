"""Adapting a scorer to own outcomes: few rows, missing tiers, no retraining of what is shared.

The start's artefact places a prompt along shared directions. Own rows teach a change per tier,
``logit P(tier t is right) = keep * start_t + common(x) + apart_t(x)``, where ``common`` and ``apart`` are
linear in the place, in structure and in words, under a normal prior (a ridge for each block). Prompts with
some words in common thus borrow from each other. It is fitted in its dual form (Rasmussen and Williams 2006,
chapter 3.4: the mode of a Gaussian process classifier), so its cost follows the rows and not the 65,536
buckets; at the mode the weights of the rows are their residuals, from which the linear weights follow.

How far to go is a *recipe*; "no change" is among them. ``learn`` fits them all and blends them by their
likelihood on held-out folds (pseudo-Bayesian model averaging, Yao et al. 2018): all are linear, so the blend
is one change again, and few rows, which cannot tell recipes apart, choose none of them. SciPy is imported
where it fits; serving never comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from router.score.features import STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]

#: Rows of templates are nearly alike and need hundreds; stopping early made more rows worse than few.
_ITERATIONS: Final = 500
#: Prior variance of a tier's level.
_LEVEL: Final = 10.0
#: Standard deviations below this part of a number's size are rounding: the number is constant here.
_CONSTANT: Final = 1e-3
#: Choosing a recipe looks at no more rows than this: the choice is coarse, and time grows with their cube.
_ENOUGH: Final = 600


class Recipe(NamedTuple):
    """How far a change may go.

    Attributes:
        name: what the card and the manifest call it.
        keep: how much of the start's logits stays (their spread over prompts; levels are always learned).
        common, apart: prior variance of what all tiers share, and of each tier's own part.
        start, structure, words: weight of each block of inputs; 0 leaves it out.
        draw: what is learned is multiplied by it at the end (not the levels): a prior this wide finds the order
            of prompts sooner and is too sure of it.
    """

    name: str
    keep: float
    common: float
    apart: float
    start: float
    structure: float
    words: float
    draw: float = 1.0


NO_CHANGE: Final = Recipe("no change", 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)

RECIPES: Final = (
    NO_CHANGE,
    Recipe("levels", 1.0, 0.1, 0.1, 0.0, 0.0, 0.0),
    Recipe("start and structure", 0.0, 0.1, 0.1, 1.0, 1.0, 0.0),
    Recipe("start and more structure", 0.0, 0.1, 0.1, 1.0, 20.0, 0.0, 0.6),
    Recipe("start and most structure", 0.0, 0.1, 0.1, 1.0, 100.0, 0.0, 0.6),
    Recipe("all, little", 0.0, 0.03, 0.03, 1.0, 1.0, 1.0),
    Recipe("all", 0.0, 0.1, 0.1, 1.0, 1.0, 1.0),
    Recipe("all, the start more", 0.0, 0.1, 0.1, 3.0, 1.0, 1.0),
    Recipe("all, more structure", 0.0, 0.1, 0.1, 1.0, 20.0, 1.0, 0.6),
    Recipe("own words and structure", 0.0, 0.1, 0.1, 0.0, 1.0, 1.0),
)
#: Without a start: what the same rows teach by themselves.
FROM_NOTHING: Final = (
    Recipe("own structure", 0.0, 0.1, 0.1, 0.0, 1.0, 0.0),
    Recipe("more own structure", 0.0, 0.1, 0.1, 0.0, 20.0, 0.0, 0.6),
    Recipe("most own structure", 0.0, 0.1, 0.1, 0.0, 100.0, 0.0, 0.6),
    Recipe("own words and structure, little", 0.0, 0.03, 0.03, 0.0, 1.0, 1.0),
    Recipe("own words and structure", 0.0, 0.1, 0.1, 0.0, 1.0, 1.0),
    Recipe("own words and more structure", 0.0, 0.1, 0.1, 0.0, 20.0, 1.0, 0.6),
)
#: For rows of which only the place is known.
PLACE_RECIPES: Final = (
    NO_CHANGE,
    Recipe("levels", 1.0, 0.1, 0.1, 0.0, 0.0, 0.0),
    Recipe("start kept, place", 1.0, 0.1, 0.1, 1.0, 0.0, 0.0),
    Recipe("place", 0.0, 0.1, 0.1, 3.0, 0.0, 0.0),
)


class Sample(NamedTuple):
    """Rows as numbers.

    Attributes:
        place: rows by shared directions.
        start: rows by tiers, the start's logits.
        scores: rows by tiers in 0..1; NaN where the tier did not answer.
        structure: rows by bent structural columns; no columns where the text is not known.
        grams: rows by buckets, sparse; None where the text is not known.
    """

    place: Floats
    start: Floats
    scores: Floats
    structure: Floats
    grams: Any = None

    def rows(self, chosen: NDArray[Any]) -> Sample:
        """The same for some of the rows, by mask or index."""
        grams = None if self.grams is None else self.grams[chosen]
        return Sample(self.place[chosen], self.start[chosen], self.scores[chosen], self.structure[chosen], grams)


class Change(NamedTuple):
    """What was learned, added to ``keep`` times the start's logits. A column for each tier.

    ``slope`` is on the start's mean logit over the tiers, ``loading`` directions by tiers, ``bend`` structural
    columns by tiers, ``table`` buckets by tiers (None where no words were learned).
    """

    keep: float
    level: Floats
    slope: Floats
    loading: Floats
    bend: Floats
    table: Floats | None

    def logits(self, sample: Sample) -> Floats:
        """Rows by tiers."""
        found = self.keep * sample.start + sample.start.mean(axis=1, keepdims=True) * self.slope + self.level
        found = found + sample.place @ self.loading + sample.structure @ self.bend
        if self.table is not None:
            found = found + sample.grams @ self.table
        return np.asarray(found)


class _Inputs(NamedTuple):
    """The dense inputs with their weights, and how to read linear weights back."""

    dense: Floats
    back: Floats
    centre: Floats


def fit(sample: Sample, recipe: Recipe, products: Floats | None = None) -> Change:
    """Learn the change from rows.

    Args:
        sample: the rows.
        recipe: how far to go.
        products: the rows' words multiplied with each other, where they are known already (``word_products``).
    """
    tiers = sample.scores.shape[1]
    kinds = (sample.place.shape[1], sample.structure.shape[1])
    if recipe.common == 0:
        flat = np.zeros(tiers)
        return Change(recipe.keep, flat, flat, np.zeros((kinds[0], tiers)), np.zeros((kinds[1], tiers)), None)
    known = ~np.isnan(sample.scores)
    target = np.where(known, sample.scores, 0.0)
    inputs = _inputs(sample, recipe)
    kernel = inputs.dense @ inputs.dense.T
    words = sample.grams is not None and recipe.words > 0
    if words:
        kernel = kernel + recipe.words * _centred(word_products(sample) if products is None else products)
    offset = recipe.keep * sample.start + _levels(recipe.keep * sample.start, target, known)
    rest = _residuals(kernel, target, known, offset, recipe)
    pull = -(recipe.common * rest.sum(axis=1, keepdims=True) + recipe.apart * rest)
    linear = (inputs.dense.T @ pull) * inputs.back[:, None]
    linear[1:] *= recipe.draw
    level = (offset - recipe.keep * sample.start)[0] + linear[0] - inputs.centre[1:] @ linear[1:]
    slope, loading, bend = linear[1], linear[2 : 2 + kinds[0]], linear[2 + kinds[0] :]
    if not words:
        return Change(recipe.keep, level, slope, loading, bend, None)
    table = recipe.draw * recipe.words * np.asarray(sample.grams.T @ (pull - pull.mean(axis=0)))
    middle = np.asarray(sample.grams.mean(axis=0)).ravel()
    return Change(recipe.keep, level - middle @ table, slope, loading, bend, table)


def learn(
    sample: Sample, folds: NDArray[np.int64], recipes: Sequence[Recipe] = RECIPES
) -> tuple[Change, dict[str, float]]:
    """The blended change, and each recipe's part in it. Parts below a hundredth are left out."""
    lost = deviances(sample, folds, recipes)
    # A row counts once: what its tiers say of a recipe is nearly the same.
    parts = np.exp(-len(sample.scores) * (lost - lost.min()))
    parts = np.where(parts < 0.01 * parts.sum(), 0.0, parts)
    parts /= parts.sum()
    used = [(recipe, float(part)) for recipe, part in zip(recipes, parts, strict=True) if part > 0]
    products = word_products(sample)
    changes = [(fit(sample, recipe, products), part) for recipe, part in used]
    return blend(changes), {recipe.name: round(part, 4) for recipe, part in used}


def blend(changes: Sequence[tuple[Change, float]]) -> Change:
    """The weighted mean of changes."""
    tables = [part * change.table for change, part in changes if change.table is not None]
    level, slope, loading, bend = (
        _mean([(getattr(change, name), part) for change, part in changes]) for name in Change._fields[1:5]
    )
    keep = sum(part * change.keep for change, part in changes)
    return Change(keep, level, slope, loading, bend, np.sum(tables, axis=0) if tables else None)


def _mean(values: Sequence[tuple[Floats, float]]) -> Floats:
    return np.asarray(np.sum([part * value for value, part in values], axis=0))


def deviances(sample: Sample, folds: NDArray[np.int64], recipes: Sequence[Recipe]) -> Floats:
    """Every recipe's mean deviance on held-out folds."""
    if len(folds) > _ENOUGH:
        sample, folds = sample.rows(np.arange(_ENOUGH)), folds[:_ENOUGH]
    found = np.zeros(len(recipes))
    products = word_products(sample)
    for k in np.unique(folds):
        here, there = sample.rows(folds == k), sample.rows(folds != k)
        among = products[np.ix_(folds != k, folds != k)]
        for number, recipe in enumerate(recipes):
            found[number] += np.nansum(deviance(fit(there, recipe, among).logits(here), here.scores))
    return found / np.count_nonzero(~np.isnan(sample.scores))


def deviance(logits: Floats, scores: Floats) -> Floats:
    """Minus the log-likelihood of each outcome (half the deviance), NaN where it is unknown."""
    return np.asarray(np.logaddexp(0.0, logits) - scores * logits)


def _inputs(sample: Sample, recipe: Recipe) -> _Inputs:
    """Columns: the level, the start's mean logit, the place, the structure; centred on these rows and weighed.

    The start's logit and structure are standardised on these rows, the place is measured in its own mean
    spread. Length alone weighs as much as all other structure: it is what pays soonest.
    """
    known = sample.start.mean(axis=1)
    gauge = float(known.std()) + 0.1
    place = sample.place - sample.place.mean(axis=0)
    spread = max(float(place.std(axis=0).mean()), 1e-6)
    mean = sample.structure.mean(axis=0)
    size = sample.structure.std(axis=0)
    scale = np.where(size > _CONSTANT * (1 + np.abs(mean)), 1.0 / np.maximum(size, 1e-12), 0.0)
    straight = len(STRUCTURE)
    share = np.where(np.arange(len(mean)) < straight, 1.0 / 25.0, 1.0 / 100.0)
    share[:1] = 1.0
    weight = np.concatenate(
        [
            [_LEVEL, min(recipe.start, 1.0) / gauge**2],
            np.full(place.shape[1], recipe.start / (4.0 * spread) ** 2),
            recipe.structure * share * scale**2,
        ]
    )
    root = np.sqrt(weight)
    raw = np.column_stack([np.ones(len(place)), known - known.mean(), place, sample.structure - mean])
    centre = np.concatenate([[0.0, known.mean()], sample.place.mean(axis=0), mean])
    return _Inputs(raw * root, root, centre)


def word_products(sample: Sample) -> Floats:
    """Inner products of the rows' words, rows by rows; zeros where the words are not known."""
    if sample.grams is None:
        return np.zeros((len(sample.scores), len(sample.scores)))
    wide = sample.grams.astype(np.float64)
    return np.asarray((wide @ wide.T).toarray())


def _centred(products: Floats) -> Floats:
    """The inner products after the mean row is taken from each."""
    rows = products.mean(axis=0)
    return np.asarray(products - rows - rows[:, None] + products.mean())


def _levels(offset: Floats, target: Floats, known: NDArray[np.bool_]) -> Floats:
    """One level per tier by which the offset meets the tier's rate, drawn towards none by one row."""
    count = known.sum(axis=0)
    rate = ((target * known).sum(axis=0) + 0.5) / (count + 1.0)
    level = np.zeros(offset.shape[1])
    for _ in range(20):
        chance = _sigmoid(offset + level)
        slope = (known * chance).sum(axis=0) - count * rate
        level -= slope / ((known * chance * (1 - chance)).sum(axis=0) + 0.25)
    return np.asarray(np.where(count > 0, level, 0.0))


def _residuals(kernel: Floats, target: Floats, known: NDArray[np.bool_], offset: Floats, recipe: Recipe) -> Floats:
    """P(right) minus outcome at the mode, 0 where the outcome is unknown."""
    from scipy.optimize import minimize

    n, tiers = target.shape
    root = np.linalg.cholesky(kernel + 1e-8 * max(float(np.trace(kernel)) / n, 1.0) * np.eye(n))
    common, apart = recipe.common**0.5, recipe.apart**0.5

    def logits(flat: Floats) -> Floats:
        steps = flat.reshape(n, tiers + 1)
        return np.asarray(offset + root @ (common * steps[:, :1] + apart * steps[:, 1:]))

    def loss(flat: Floats) -> tuple[float, Floats]:
        found = logits(flat)
        rest = known * (_sigmoid(found) - target)
        back = root.T @ rest
        slope = np.column_stack([common * back.sum(axis=1), apart * back]).ravel() + flat
        cost = float((known * (np.logaddexp(0.0, found) - target * found)).sum() + 0.5 * flat @ flat)
        return cost, slope

    begin, limits = np.zeros(n * (tiers + 1)), {"maxiter": _ITERATIONS, "ftol": 1e-9, "gtol": 1e-3}
    best = minimize(loss, begin, jac=True, method="L-BFGS-B", options=limits)
    return np.asarray(known * (_sigmoid(logits(best.x)) - target))


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
