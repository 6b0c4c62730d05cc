"""Fitting the shared directions: a low-rank logistic regression over many models at once.

``logit P(model m is right | prompt x) = a_m + b_m . (V' x)``: all models share the few directions
``V`` and each has an ability ``a_m`` and a loading ``b_m`` on them (a multidimensional item response
model whose items are described by their text). A model that answered few prompts borrows what the
others taught about the prompt, and a model never seen needs only ``a`` and ``b``.

Follows scikit-learn's conventions (the constructor only stores, ``fit`` learns, learned names end in
an underscore). SciPy is imported where it fits; serving never comes here.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from router.score.features import BITS, read
from router.score.latent import basis
from router.score.project import KNOTS, gram_weights, hinges

if TYPE_CHECKING:
    from collections.abc import Sequence

Matrix = NDArray[np.float32]

#: Grams of fewer prompts than this are not learned.
LEAST_PROMPTS = 2
#: A typical p (1 - p).
_CURVATURE = 0.2


class NotFittedError(ValueError, AttributeError):
    """The model was asked before ``fit``."""


class Design(NamedTuple):
    """Prompts as numbers: sparse matrices of weighed grams and of shares of words, a dense one of structure."""

    grams: Any
    words: Any
    structure: Matrix

    def rows(self, chosen: NDArray[Any]) -> Design:
        """The same for some of the prompts, by mask or index."""
        return Design(self.grams[chosen], self.words[chosen], self.structure[chosen])


class Directions(NamedTuple):
    """Latent directions of grams: the buckets in use, and a matrix of them by directions."""

    used: NDArray[np.intp]
    latent: Matrix


def design(texts: Sequence[str]) -> Design:
    """Read prompts into a design matrix, with the features that serving uses."""
    from scipy import sparse

    readings = [read(text) for text in texts]

    def gathered(columns: list[NDArray[Any]], values: list[NDArray[Any]]) -> Any:
        ends = np.cumsum([0, *(len(part) for part in columns)])
        matrix = sparse.csr_array(
            (np.concatenate(values), np.concatenate(columns), ends), shape=(len(texts), 1 << BITS), dtype=np.float32
        )
        matrix.sum_duplicates()
        return matrix

    words = [reading.grams[: reading.sizes[0]] for reading in readings]
    shares = [np.full(len(part), 1.0 / max(len(part), 1), dtype=np.float32) for part in words]
    grams = gathered([reading.grams for reading in readings], [gram_weights(reading) for reading in readings])
    return Design(grams, gathered(words, shares), np.stack([reading.structure for reading in readings]))


class OutcomeModel:
    """Low-rank multi-task logistic regression from prompts to many models' outcomes.

    Args:
        rank: number of shared directions.
        width: number of latent directions the grams are reduced to before learning.
        gram_penalty: L2 penalty on the gram table.
        structure_penalty: L2 penalty on the structural weights.
        loading_penalty: L2 penalty on the models' loadings.
        max_iter: L-BFGS iterations.
        seed: of the loadings' start.

    Attributes:
        table_, structure_weights_: the shared directions.
        ability_, loading_: one row per model.
        mean_, scale_: standardisation of the structure.
    """

    def __init__(
        self,
        rank: int = 16,
        width: int = 600,
        gram_penalty: float = 30.0,
        structure_penalty: float = 10.0,
        loading_penalty: float = 1.0,
        max_iter: int = 60,
        seed: int = 0,
    ) -> None:
        self.rank = rank
        self.width = width
        self.gram_penalty = gram_penalty
        self.structure_penalty = structure_penalty
        self.loading_penalty = loading_penalty
        self.max_iter = max_iter
        self.seed = seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's signature
        """The constructor's arguments, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments; unknown names are refused."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"OutcomeModel has no parameter {name!r}; it has {sorted(self.get_params())}")
            setattr(self, name, value)
        return self

    def directions(self, X: Design) -> Directions:
        """The latent directions of some prompts, for fits that shall share them. Outcomes play no part."""
        return self._directions(X.grams)

    def _directions(self, grams: Any) -> Directions:
        # A word of one prompt alone teaches nothing about others.
        used = np.flatnonzero(np.bincount(grams.indices, minlength=grams.shape[1]) >= LEAST_PROMPTS)
        return Directions(used, basis(grams[:, used], self.width, np.random.default_rng(self.seed)))

    def fit(
        self,
        X: Design | Sequence[str],
        y: Matrix,
        sample_weight: NDArray[Any] | None = None,
        directions: Directions | None = None,
    ) -> Self:
        """Learn from outcomes.

        Args:
            X: prompts, or a design made of them.
            y: prompts by models, scores in 0..1, NaN where a model did not answer.
            sample_weight: one weight per prompt.
            directions: from ``directions`` of a superset of the prompts; ``None`` finds these prompts' own.

        Raises:
            ValueError: a model has no outcome, or only one class of outcomes.
        """
        inputs = X if isinstance(X, Design) else design(X)
        self.mean_: Matrix = inputs.structure.mean(axis=0)
        self.scale_: Matrix = np.maximum(inputs.structure.std(axis=0), 1e-3).astype(np.float32)
        found = self.directions(inputs) if directions is None else directions
        return self.fit_bent(inputs.grams, self.bend(inputs.structure), y, sample_weight, found)

    def fit_bent(
        self,
        grams: Any,
        bent: Matrix,
        y: Matrix,
        sample_weight: NDArray[Any] | None = None,
        directions: Directions | None = None,
    ) -> Self:
        """``fit`` for structure that is columns already, such as another model's: ``mean_`` and ``scale_`` stay unset.

        Args:
            grams: prompts by buckets, sparse.
            bent: prompts by structural columns.
            y: as in ``fit``.
            sample_weight: as in ``fit``.
            directions: as in ``fit``.

        Raises:
            ValueError: a model has no outcome, or only one class of outcomes.
        """
        from scipy.optimize import minimize

        _refuse_unlearnable(y, ~np.isnan(y))
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        used, latent = self._directions(grams) if directions is None else directions
        columns = np.concatenate([grams[:, used] @ latent, bent], axis=1)
        kinds = (latent.shape[1], columns.shape[1] - latent.shape[1])
        penalty = np.repeat([self.gram_penalty, self.structure_penalty], kinds).astype(np.float32)
        problem = _Problem.of(columns, y, weights, penalty, self.loading_penalty)
        start = problem.start(self.rank, np.random.default_rng(self.seed))
        shapes = [part.shape for part in start]
        # Steps are taken in units of each parameter's own curvature: a direction of every second prompt
        # and one of two differ in it by orders of magnitude, and L-BFGS would crawl.
        unit = _pack([np.broadcast_to(u, shape) for u, shape in zip(problem.units(), shapes, strict=True)])

        def loss(steps: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, gradient = problem.loss(_unpack(steps * unit, shapes))
            return value, gradient * unit

        found = minimize(loss, _pack(start) / unit, jac=True, method="L-BFGS-B", options={"maxiter": self.max_iter})
        both, self.ability_, self.loading_ = _unpack(found.x * unit, shapes)
        self.structure_weights_ = both[kinds[0] :]
        self.table_ = np.zeros((grams.shape[1], self.rank), dtype=np.float32)
        self.table_[used] = latent @ both[: kinds[0]]
        self.n_iter_ = int(found.nit)
        return self

    def transform(self, X: Design | Sequence[str]) -> Matrix:
        """Each prompt's place along the shared directions.

        Raises:
            NotFittedError: before ``fit``.
        """
        if not hasattr(self, "mean_"):
            raise NotFittedError("this OutcomeModel is not fitted yet; call fit first")
        inputs = X if isinstance(X, Design) else design(X)
        place: Matrix = inputs.grams @ self.table_ + self.bend(inputs.structure) @ self.structure_weights_
        return place

    def decision_function(self, X: Design | Sequence[str]) -> Matrix:
        """Logits, prompts by models."""
        logits: Matrix = self.transform(X) @ self.loading_.T + self.ability_
        return logits

    def predict_proba(self, X: Design | Sequence[str]) -> Matrix:
        """P(right), prompts by models."""
        return sigmoid(self.decision_function(X))

    def bend(self, structure: Matrix) -> Matrix:
        """The piecewise-linear columns made of raw structure."""
        return hinges(structure, self.mean_, self.scale_, np.array(KNOTS, dtype=np.float32))


class _Problem(NamedTuple):
    """The penalised negative log-likelihood and its gradient, over the outcomes that are known.

    Most models answered few of the prompts, so outcomes are a list: ``row``, ``column``, ``target`` and
    ``weight`` of each, sorted by row, with ``starts`` where each row's begin. ``penalty`` is one number an
    input column.
    """

    inputs: Matrix
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    starts: NDArray[np.intp]
    models: int
    target: Matrix
    weight: Matrix
    penalty: Matrix
    loading_penalty: float

    @classmethod
    def of(cls, inputs: Matrix, y: Matrix, weights: NDArray[Any], penalty: Matrix, loading_penalty: float) -> _Problem:
        """The problem of prompts by models, NaN where a model did not answer; one weight a prompt."""
        row, column = np.nonzero(~np.isnan(y))
        return cls(
            inputs=inputs,
            row=row,
            column=column,
            starts=np.searchsorted(row, np.arange(len(y) + 1)),
            models=y.shape[1],
            target=y[row, column].astype(np.float32),
            weight=np.asarray(weights)[row].astype(np.float32),
            penalty=penalty,
            loading_penalty=loading_penalty,
        )

    def start(self, rank: int, rng: np.random.Generator) -> list[Matrix]:
        total = self._by_model(self.weight)
        rate = np.clip(self._by_model(self.target * self.weight) / np.maximum(total, 1e-9), 1e-3, 1 - 1e-3)
        loading = rng.normal(scale=0.3, size=(self.models, rank))
        loading[:, 0] = 1.0
        weights = rng.normal(scale=0.05, size=(self.inputs.shape[1], rank)) / np.sqrt(1 + self.penalty)[:, None]
        return [part.astype(np.float32) for part in (weights, np.log(rate / (1 - rate)), loading)]

    def units(self) -> list[NDArray[np.float64]]:
        """One over the root of roughly the curvature along each parameter, per part."""
        rows = _CURVATURE * np.bincount(self.row, self.weight, len(self.inputs))
        models = _CURVATURE * self._by_model(self.weight)
        inputs = np.square(self.inputs).T @ rows + self.penalty
        curvatures = (inputs[:, None], models + 1e-3, models[:, None] + self.loading_penalty)
        return [1.0 / np.sqrt(curvature) for curvature in curvatures]

    def loss(self, parts: list[Matrix]) -> tuple[float, NDArray[np.float64]]:
        from scipy import sparse

        weights, ability, loading = parts
        place = self.inputs @ weights
        logits = np.einsum("ij,ij->i", place.take(self.row, axis=0), loading.take(self.column, axis=0))
        logits += ability.take(self.column)
        # log(1 + e^l) - t l, written so that it never overflows
        cost = np.logaddexp(0, logits) - self.target * logits
        error = self.weight * (sigmoid(logits) - self.target)
        errors = sparse.csr_array((error, self.column, self.starts), shape=(len(place), self.models))
        shrunk, held = self.penalty[:, None] * weights, self.loading_penalty * loading
        total = float((self.weight * cost).sum(dtype=np.float64))
        total += 0.5 * float((shrunk * weights).sum(dtype=np.float64) + (held * loading).sum(dtype=np.float64))
        gradients = [self.inputs.T @ (errors @ loading) + shrunk, self._by_model(error), errors.T @ place + held]
        return total, _pack(gradients)

    def _by_model(self, values: Matrix) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.column, values, self.models), dtype=np.float64)


def sigmoid(logits: Matrix) -> Matrix:
    """The logistic function, safe at both ends."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), dtype=np.float32)


def _refuse_unlearnable(y: Matrix, known: NDArray[np.bool_]) -> None:
    for column in range(y.shape[1]):
        values = y[known[:, column], column]
        if not len(values):
            raise ValueError(f"column {column} has no outcomes at all; drop it or add rows")
        if values.min() == values.max():
            raise ValueError(f"column {column} has one class only ({values[0]:g}); it teaches nothing")


def _pack(parts: Sequence[Matrix]) -> NDArray[np.float64]:
    return np.concatenate([part.ravel() for part in parts]).astype(np.float64)


def _unpack(flat: NDArray[np.float64], shapes: Sequence[tuple[int, ...]]) -> list[Matrix]:
    parts, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(flat[at : at + size].reshape(shape).astype(np.float32))
        at += size
    return parts
