"""What an unfamiliar prompt looks like, learned by leaving whole sources out.

Rows judged without their own fold are known ground; rows judged without their own source are not. See
``router.score.unknown`` for what is read off a prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from router.score.unknown import REACH, SIGNS, SMOOTHING, UNSEEN, Novelty, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from router.score.estimator import Design

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

CENTRES: Final = 64
#: Prompts drawn from each source to find the centres.
DRAWN: Final = 400
_ROUNDS: Final = 12
_PENALTY: Final = 1e-3
_STEPS: Final = 200


def fit(
    inputs: Design, source: NDArray[Any], stem: NDArray[Any], fold: NDArray[np.int64], seed: int
) -> tuple[Novelty, Floats, Floats]:
    """Learn novelty; also each row's novelty as known ground and as unknown ground, both honest.

    The first comes from the other folds, the second from the other sources, without the questions they
    share with the row's own; its weights too were learned without that source.
    One source alone gives a flat novelty.
    """
    names = sorted(set(source))
    mean, scale = inputs.structure.mean(axis=0), np.maximum(inputs.structure.std(axis=0), 1e-3)
    form = np.clip((inputs.structure - mean) / scale, -REACH, REACH)
    ground = _Ground(inputs.words, inputs.words.sign(), form, source, seed)
    everything = np.ones(len(source), dtype=bool)
    surprise, centres = ground.learn(everything)
    flat = np.zeros(1 + len(SIGNS))
    if len(names) < 2:
        none = np.zeros(len(source))
        return Novelty(surprise, centres, flat, np.array([0.0, 1.0]), mean, scale), none, none
    known, unknown = np.zeros((2, len(source), len(SIGNS)))
    for k in np.unique(fold):
        known[fold == k] = ground.signs(fold != k, fold == k)
    for name in names:
        left = source == name
        unknown[left] = ground.signs(~left & ~np.isin(stem, stem[left]), left)
    balance = 1.0 / np.array([np.count_nonzero(source == name) for name in source])
    weights = _logistic(known, unknown, balance)
    quantiles = _quantiles(known, weights)
    as_unknown = np.zeros(len(source))
    for name in names:
        left = source == name
        blind = _logistic(known[~left], unknown[~left], balance[~left])
        as_unknown[left] = _share(unknown[left], blind, _quantiles(known, blind))
    return Novelty(surprise, centres, weights, quantiles, mean, scale), _share(known, weights, quantiles), as_unknown


class _Ground:
    """Prompts and their sources, from which any part may be learned and any other judged."""

    def __init__(self, words: Any, present: Any, form: NDArray[Any], source: NDArray[Any], seed: int) -> None:
        self.words = words
        self.present = present
        self.form = form
        self.source = source
        self.seed = seed

    def learn(self, rows: Mask) -> tuple[NDArray[Any], NDArray[Any]]:
        """Surprise of every bucket and the centres of form, every source weighing the same."""
        rng = np.random.default_rng(self.seed)
        rates, drawn = [], []
        for name in sorted(set(self.source[rows])):
            mine = np.flatnonzero(rows & (self.source == name))
            rates.append(np.asarray(self.present[mine].mean(axis=0)).ravel())
            drawn.append(rng.choice(mine, DRAWN))
        shares = np.stack([np.mean(rates, axis=0), np.max(rates, axis=0)], axis=1)
        return -np.log(shares + SMOOTHING), _centres(self.form[np.concatenate(drawn)], rng)

    def signs(self, learned: Mask, judged: Mask) -> Floats:
        """The five numbers of the judged rows, knowing only the learned ones."""
        surprise, centres = self.learn(learned)
        return _signs(self.words[np.flatnonzero(judged)], self.form[judged], surprise, centres)


def judge(learned: Novelty, inputs: Design) -> Floats:
    """The novelty of many prompts at once, as ``Novelty.of`` gives it one by one."""
    form = np.clip((inputs.structure - learned.mean) / learned.scale, -REACH, REACH)
    found = _share(_signs(inputs.words, form, learned.surprise, learned.centres), learned.weights, learned.quantiles)
    found[np.diff(inputs.words.indptr) == 0] = 1.0
    return found


def _signs(words: Any, form: NDArray[Any], surprise: NDArray[Any], centres: NDArray[Any]) -> Floats:
    nearest = _squared(form, centres).min(axis=1)
    unseen = (surprise[:, 1] > UNSEEN).astype(float)
    size = np.sqrt(np.square(form).mean(axis=1))
    return np.column_stack([words @ surprise, words @ unseen, [distance(value) for value in nearest.tolist()], size])


def _centres(points: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """K-means (Lloyd, 1982)."""
    centres = points[rng.choice(len(points), min(CENTRES, len(points)), replace=False)].copy()
    for _ in range(_ROUNDS):
        nearest = _squared(points, centres).argmin(axis=1)
        for k in np.unique(nearest):
            centres[k] = points[nearest == k].mean(axis=0)
    return centres


def _squared(points: NDArray[Any], centres: NDArray[Any]) -> NDArray[Any]:
    apart = np.square(points).sum(axis=1)[:, None] - 2 * points @ centres.T + np.square(centres).sum(axis=1)
    return np.asarray(np.maximum(apart, 0))


def _quantiles(signs: Floats, weights: Floats) -> Floats:
    return np.asarray(np.quantile(weights[0] + signs @ weights[1:], np.linspace(0, 1, 201)))


def _share(signs: Floats, weights: Floats, quantiles: Floats) -> Floats:
    return np.asarray(np.interp(weights[0] + signs @ weights[1:], quantiles, np.linspace(0, 1, len(quantiles))))


def _logistic(known: Floats, unknown: Floats, weight: Floats) -> Floats:
    """Offset and weights that tell unknown from known ground, by Newton's method."""
    signs = np.concatenate([known, unknown])
    mean, scale = signs.mean(axis=0), np.maximum(signs.std(axis=0), 1e-6)
    basis = np.column_stack([np.ones(len(signs)), (signs - mean) / scale])
    label = np.repeat([0.0, 1.0], len(known))
    weights = np.tile(weight, 2)
    fitted = np.zeros(basis.shape[1])
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(basis @ fitted, -30, 30)))
        slope = basis.T @ (weights * (chance - label)) + _PENALTY * fitted
        bend = (basis.T * (weights * chance * (1 - chance))) @ basis + _PENALTY * np.eye(len(fitted))
        step = np.linalg.solve(bend, slope)
        fitted -= step
        if np.abs(step).max() < 1e-9:
            break
    inner = fitted[1:] / scale
    return np.concatenate([[fitted[0] - inner @ mean], inner])
