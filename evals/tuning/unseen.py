"""What scorers say of rows whose questions they never saw: the only scores that thresholds may be tuned on.

The shipped scorer was fitted on the training split. Thresholds tuned on its own training rows would promise too
much, so every row here is judged by a model fitted without its question (``folds``), or without its whole source or
kind of puzzle (``groups``), and bent onto outcomes that its judge did not see either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evals import targets as learn
from evals.routing import familiarity
from evals.train import FOLDS as INNER
from evals.train import SEED, calibrations
from router.score.estimator import Directions, OutcomeModel, design, sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.importers.outcomes import Outcome
    from router.score.estimator import Design

    Floats = NDArray[np.float64]


class Unseen(NamedTuple):
    """Chances of a right answer, rows by ``models``, and how unlike anything its judge knew a row is (0..1)."""

    models: tuple[str, ...]
    chance: Floats
    novelty: Floats


class Judges:
    """Fits judges on parts of some rows; reading and reducing the prompts, which needs no outcome, happens once."""

    def __init__(self, rows: Sequence[Outcome], seed: int = SEED) -> None:
        self.rows = rows
        self.seed = seed
        self.inputs: Design = design([row.prompt for row in rows])
        goal = learn.targets(rows, learn.learnable_models(rows))
        self.models, self.scores = goal.models, goal.scores
        self.weight = learn.row_weights(goal.scores)
        self.stem = np.array([row.stem for row in rows])
        self.source = np.array([row.source for row in rows])
        self.inner = learn.folds(rows, INNER, seed)
        self.shared: Directions = OutcomeModel(seed=seed).directions(self.inputs)
        _, self._known, self._unknown = familiarity.fit(self.inputs, self.source, self.stem, self.inner, seed)

    def folds(self, count: int) -> Unseen:
        """Every row judged by a model that never saw its question."""
        fold = learn.folds(self.rows, count, self.seed + 1)
        chance = np.full(self.scores.shape, np.nan)
        for k in range(count):
            chance[fold == k] = self._judge(fold != k, fold == k)
        return Unseen(self.models, chance, self._known)

    def groups(self, group: NDArray[np.str_]) -> Unseen:
        """Every row judged by a model that saw nothing of its group, nor of the questions in it.

        Rows whose group is empty are not judged (NaN), and teach always.
        """
        chance = np.full(self.scores.shape, np.nan)
        for name in sorted(set(group) - {""}):
            here = group == name
            chance[here] = self._judge(~here & ~np.isin(self.stem, self.stem[here]), here)
        return Unseen(self.models, chance, self._unknown)

    def _judge(self, seen: NDArray[np.bool_], left: NDArray[np.bool_]) -> Floats:
        """Chances of the rows ``left``, from a model of the rows ``seen`` bent onto what it had not fitted."""
        honest = np.zeros((len(self.rows), len(self.models)), dtype=np.float32)
        taught = self._learnable(seen)
        for k in range(INNER):
            apart = seen & (self.inner == k)
            honest[np.ix_(apart, taught)] = self._fit(seen & (self.inner != k), taught).decision_function(
                self.inputs.rows(apart)
            )
        offset, slope = calibrations(honest[np.ix_(seen, taught)], self.scores[np.ix_(seen, taught)])
        logits = self._fit(seen, taught).decision_function(self.inputs.rows(left))
        chance = np.full((int(left.sum()), len(self.models)), np.nan)
        chance[:, taught] = sigmoid((offset + slope * logits).astype(np.float32))
        return chance

    def _learnable(self, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The models with both classes of outcomes in every part of ``seen`` that a fit will see."""
        fine = np.ones(len(self.models), dtype=bool)
        for k in range(INNER):
            part = self.scores[seen & (self.inner != k)]
            fine &= (np.nanmin(_known(part), axis=0) < np.nanmax(_known(part), axis=0)) & (
                (~np.isnan(part)).sum(axis=0) >= learn.MIN_OUTCOMES / 2
            )
        return np.flatnonzero(fine)

    def _fit(self, rows: NDArray[np.bool_], models: NDArray[np.int64]) -> OutcomeModel:
        scores = self.scores[np.ix_(rows, models)]
        return OutcomeModel(seed=self.seed).fit(self.inputs.rows(rows), scores, self.weight[rows], self.shared)


def _known(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same with columns that are all unknown set to zero, so that their extremes are equal and silent."""
    return np.where(np.isnan(part).all(axis=0), np.float32(0), part)
