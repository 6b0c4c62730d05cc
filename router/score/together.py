"""Own rows taught twice: two learners that err differently, averaged into one change.

The adaptation (``adapt``) goes a few ridges away from the start. The estimator (``estimator``) fitted on the own
rows alone finds what they have in common by a decomposition of their words, and knows nothing of the start. Where two
learners err apart their mean errs less (Perrone and Cooper 1993); the second has a third part, whatever the rows.

Both are linear in words and bent structure, so the blend is one change and serving pays nothing for it. For that
the estimator must see structure as the start bends it; each number and its bends are measured in the number's own
spread over the rows, as the estimator would by itself. What it learns so is spread wider over prompts than what it
learns from its own bends, and is drawn in to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from router.score import adapt
from router.score.adapt import Change
from router.score.estimator import OutcomeModel
from router.score.features import STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from router.score.adapt import Floats, Recipe, Sample

#: What the card and the manifest call the second learner.
ALONE: Final = "the estimator on these rows alone"
#: Its part in the blend.
SHARE: Final = 1.0 / 3.0
#: What its spread over prompts is multiplied by: with the start's bends it was 1.15 times that with its own, the
#: mean over ten sources of 50, 200 and 500 rows each. No outcome decides it.
DRAW: Final = 0.87
#: A structural number that varies less, in the start's standard deviations, is constant here.
_CONSTANT: Final = 1e-3


class Taught(NamedTuple):
    """What rows taught.

    Attributes:
        change: the blend, which is what is used.
        parts: the part of each recipe, and of the estimator, in it.
        recipes: the recipes' change by itself.
        alone: the estimator's by itself; None where the rows cannot teach it, and then the blend is the recipes'.
    """

    change: Change
    parts: dict[str, float]
    recipes: Change
    alone: Change | None


def learn(sample: Sample, folds: NDArray[np.int64], recipes: Sequence[Recipe], seed: int) -> Taught:
    """Learn the change by recipes, and blend it with the estimator fitted on the rows alone.

    Args:
        sample: the rows.
        folds: for choosing among the recipes.
        recipes: how far the change may go.
        seed: of the estimator.
    """
    change, parts = adapt.learn(sample, folds, recipes)
    if not teaches(sample):
        return Taught(change, parts, change, None)
    other = alone(sample, seed)
    shares = {name: round((1 - SHARE) * part, 4) for name, part in parts.items()}
    return Taught(together(change, other), {**shares, ALONE: round(SHARE, 4)}, change, other)


def together(change: Change, other: Change | None) -> Change:
    """The blend of what the recipes teach and what the estimator learned (``alone``), if it did."""
    if other is None:
        return change
    return adapt.blend([(change, 1 - SHARE), (other, SHARE)])


def teaches(sample: Sample) -> bool:
    """Whether the estimator can be fitted on the rows: their words are known, and no tier's outcomes are all alike."""
    if sample.grams is None:
        return False
    return all(len(np.unique(column[~np.isnan(column)])) > 1 for column in sample.scores.T)


def alone(sample: Sample, seed: int) -> Change:
    """The estimator fitted on the rows alone, as a change that keeps nothing of the start.

    Raises:
        ValueError: a tier has no outcome, or only one class of outcomes.
    """
    middle, unit = sample.structure.mean(axis=0), _units(sample.structure)
    bent = ((sample.structure - middle) * unit).astype(np.float32)
    model = OutcomeModel(seed=seed).fit_bent(sample.grams, bent, sample.scores.astype(np.float32))
    loading = DRAW * model.loading_.T.astype(np.float64)
    table = model.table_.astype(np.float64) @ loading
    bend = unit[:, None] * (model.structure_weights_.astype(np.float64) @ loading)
    words = np.asarray(sample.grams.mean(axis=0)).ravel()
    # The rows' mean prompt keeps its logits: drawing in is about the middle, not about an empty prompt.
    level = model.ability_ + words @ table * (1 - DRAW) / DRAW - middle @ bend
    tiers = len(level)
    return Change(0.0, level, np.zeros(tiers), np.zeros((sample.place.shape[1], tiers)), bend, table)


def _units(bent: Floats) -> Floats:
    """One over each structural number's spread over the rows, for the number and its bends; 0 where constant."""
    straight = bent[:, : len(STRUCTURE)].std(axis=0)
    unit = np.where(straight > _CONSTANT, 1.0 / np.maximum(straight, _CONSTANT), 0.0)
    return np.tile(unit, bent.shape[1] // len(STRUCTURE))
