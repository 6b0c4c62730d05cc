"""From outcome rows to what the scorer learns: a matrix of scores, a matrix of tokens, folds, families.

Besides real models there are three *generic* ones: within each source the models are ordered by their
measured ability and cut into thirds; a prompt's score under ``generic/small`` is the mean of the
bottom third that answered it, and so on. They stand for typical small, medium and large models.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals.importers.outcomes import Outcome, OutcomeError
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Fewer outcomes than this teach too little about one model.
MIN_OUTCOMES: Final = 300
#: Runs stored without a model's name.
NAMELESS: Final = frozenset({"none"})
#: Models of 2021 say nothing about tiers a gateway serves today.
NOT_GENERIC: Final = frozenset({"gsm-openai-6b-175b"})
#: A mean below this on a whole source is a broken output format, not an ability.
BROKEN: Final = 0.02


class Targets(NamedTuple):
    """What is learned, rows by columns; NaN where a model did not answer or tokens are unknown."""

    models: tuple[str, ...]
    scores: NDArray[np.float32]
    tokens: NDArray[np.float32]


class Family(NamedTuple):
    """A family of tiers: tier name -> model, and tier name -> (input, output) USD per million tokens."""

    name: str
    tiers: Mapping[str, str]
    prices: Mapping[str, tuple[float, float]]


def read_families(path: Path) -> dict[str, Family]:
    """Read ``families.json``.

    Raises:
        OutcomeError: the file is missing or not of that form.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["families"]
        return {
            name: Family(
                name,
                {tier: body["tiers"][tier] for tier in TIER_NAMES if tier in body["tiers"]},
                {tier: (p["input"], p["output"]) for tier, p in body["prices_per_million"].items()},
            )
            for name, body in stored.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutcomeError(f"{path}: not a file of families: {error!r}") from error


def learnable_models(rows: Sequence[Outcome], least: int = MIN_OUTCOMES) -> tuple[str, ...]:
    """Models with at least ``least`` outcomes of both classes, by name."""
    counts = Counter(model for row in rows for model in row.scores)
    sums = Counter[str]()
    for row in rows:
        sums.update(row.scores)
    return tuple(sorted(m for m, n in counts.items() if n >= least and m not in NAMELESS and 0 < sums[m] < n))


def targets(rows: Sequence[Outcome], models: Sequence[str]) -> Targets:
    """Scores and tokens of the given models and of the three generic ones."""
    column = {model: index for index, model in enumerate(models)}
    scores = np.full((len(rows), len(models)), np.nan, dtype=np.float32)
    tokens = np.full_like(scores, np.nan)
    for index, row in enumerate(rows):
        for model, score in row.scores.items():
            if model in column:
                scores[index, column[model]] = score
        for model, count in row.output_tokens.items():
            if model in column and count:
                tokens[index, column[model]] = count
    thirds = _thirds([row.source for row in rows], scores)
    generic = [_mean_where(matrix, thirds == k) for matrix in (scores, tokens) for k in range(3)]
    return Targets(
        (*models, *(f"generic/{tier}" for tier in TIER_NAMES)),
        np.column_stack([scores, *generic[:3]]),
        np.column_stack([tokens, *generic[3:]]),
    )


def row_weights(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """A row answered by many models counts more, but only by the root of their number."""
    return np.asarray(1.0 / np.sqrt(np.maximum((~np.isnan(scores)).sum(axis=1), 1)))


def folds(rows: Sequence[Outcome], count: int, seed: int) -> NDArray[np.int64]:
    """Fold of each row; rows that share a question share a fold, whatever their source."""
    keys = (hashlib.sha256(f"{seed}:{row.stem}".encode()).digest() for row in rows)
    return np.array([int.from_bytes(key[:8], "big") % count for key in keys])


def _thirds(sources: Sequence[str], scores: NDArray[np.float32]) -> NDArray[np.int8]:
    """0, 1 or 2 where a model is in that third of its source's models; -1 where it is in none."""
    place = np.full(scores.shape, -1, dtype=np.int8)
    names = np.array(sources)
    for source in sorted(set(sources) - NOT_GENERIC):
        here = names == source
        answered = (~np.isnan(scores[here])).sum(axis=0)
        able = np.flatnonzero(answered >= 0.5 * answered.max())
        means = np.nanmean(scores[np.ix_(here, able)], axis=0)
        order = able[np.argsort(means, kind="stable")][np.sort(means) > BROKEN]
        for third, members in enumerate(np.array_split(order, 3)):
            place[np.ix_(here, members)] = third
    return place


def _mean_where(matrix: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    use = chosen & ~np.isnan(matrix)
    count = use.sum(axis=1)
    total = np.where(use, matrix, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
