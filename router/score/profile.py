"""A profile for a family the artefact does not know: each tier's ability and loading from its own rows.

The shared directions stay as they are; only ``logit P(tier is right) = ability + loading . place`` and the
tier's usual answer length are learned, a few dozen numbers a tier. The prior says what models are like: its
centre is a tier that is known (a generic one, say), its spread that of all models in the artefact, so that
fifty rows move the level at once and the loadings only as far as the rows insist. Maximum a posteriori by
Newton's method; numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Fewer rows than this are no ground for a profile.
LEAST_ROWS: Final = 50
#: How far the spread of models is trusted against its own diagonal (few models, many directions).
_SHRINK: Final = 0.5
_FLOOR: Final = 1e-2
_STEPS: Final = 30
_TOKEN_PENALTY: Final = 30.0


class ProfileError(ValueError):
    """Rows a profile cannot be learned from: which tier, what is wrong, how to mend it."""


class Head(NamedTuple):
    """One tier of a family, read off a place.

    Attributes:
        ability: logit of a right answer where the place is zero.
        loading: one number a direction of the place.
        token_level, token_slope: ``log tokens = level + slope * place[-1]``.
    """

    ability: float
    loading: NDArray[np.float64]
    token_level: float
    token_slope: float


class Prior(NamedTuple):
    """A normal distribution over ``(ability, *loading)``; ``precision`` is the inverse of its covariance."""

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    token_level: float
    token_slope: float


def spread(heads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision of ``(ability, *loading)`` over known models, one row each.

    Their covariance, drawn half way to its diagonal. A direction no model uses stays unused.
    """
    deviation = heads - heads.mean(axis=0)
    covariance = deviation.T @ deviation / max(len(heads) - 1, 1)
    diagonal = np.diag(np.diag(covariance))
    return np.asarray(
        np.linalg.inv((1 - _SHRINK) * covariance + _SHRINK * diagonal + _FLOOR**2 * np.eye(len(diagonal)))
    )


def fit(
    places: NDArray[np.float32],
    scores: Mapping[str, NDArray[np.float64]],
    priors: Mapping[str, Prior],
    tokens: Mapping[str, NDArray[np.float64]] | None = None,
    least: int = LEAST_ROWS,
    *,
    alike: bool = False,
) -> dict[str, Head]:
    """Heads of a family's tiers from its own outcomes.

    Args:
        places: one row a prompt, as ``Scorer.place`` gives them.
        scores: tier -> score per prompt, 0..1, NaN where the tier did not answer.
        priors: tier -> what to believe without rows (``Scorer.prior``).
        tokens: tier -> output tokens per prompt, NaN where unknown.
        least: rows a tier needs.
        alike: rows that all came out the same are a ground, too: the prior keeps what they say finite.

    Raises:
        ProfileError: a tier has too few rows, a score outside 0..1, or (unless ``alike``) one class of outcomes only.
    """
    heads: dict[str, Head] = {}
    for tier, outcome in scores.items():
        known = _checked(tier, places, np.asarray(outcome, dtype=np.float64), least, alike=alike)
        ability, *loading = _posterior(places[known], np.asarray(outcome, dtype=np.float64)[known], priors[tier])
        counted = None if tokens is None or tier not in tokens else np.asarray(tokens[tier], dtype=np.float64)
        level, slope = _length(places, counted, priors[tier])
        heads[tier] = Head(float(ability), np.array(loading), level, slope)
    return heads


def _checked(
    tier: str, places: NDArray[np.float32], outcome: NDArray[np.float64], least: int, *, alike: bool
) -> NDArray[np.bool_]:
    if len(outcome) != len(places):
        raise ProfileError(
            f"tier {tier}: {len(outcome)} scores for {len(places)} prompts; give one each, NaN if unknown"
        )
    known = ~np.isnan(outcome)
    if known.sum() < least:
        raise ProfileError(f"tier {tier}: {known.sum()} rows with a score; a profile needs at least {least}")
    values = outcome[known]
    if not ((values >= 0) & (values <= 1)).all():
        raise ProfileError(f"tier {tier}: a score lies outside 0..1; scale scores to shares of right answers")
    if values.min() == values.max() and not alike:
        raise ProfileError(f"tier {tier}: all {len(values)} scores are {values[0]:g}; add rows where it does otherwise")
    return np.asarray(known)


def _posterior(places: NDArray[np.float32], outcome: NDArray[np.float64], prior: Prior) -> NDArray[np.float64]:
    basis = np.column_stack([np.ones(len(places)), places]).astype(np.float64)
    found = prior.mean.copy()
    for _ in range(_STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (basis @ found)))
        slope = basis.T @ (chance - outcome) + prior.precision @ (found - prior.mean)
        bend = (basis.T * (chance * (1 - chance))) @ basis + prior.precision
        step = np.linalg.solve(bend, slope)
        found -= step
        if np.abs(step).max() < 1e-8:
            break
    return found


def _length(places: NDArray[np.float32], tokens: NDArray[np.float64] | None, prior: Prior) -> tuple[float, float]:
    """Level and slope of ``log tokens``, scaled so that mean tokens come out right."""
    known = np.zeros(len(places), dtype=bool) if tokens is None else np.nan_to_num(tokens) > 0
    if tokens is None or known.sum() < 2:
        return prior.token_level, prior.token_slope
    x, logs = places[known, -1].astype(np.float64), np.log(tokens[known])
    away = x - x.mean()
    slope = (away @ (logs - logs.mean()) + _TOKEN_PENALTY * prior.token_slope) / (away @ away + _TOKEN_PENALTY)
    level = np.log(tokens[known].mean() / np.exp(slope * x).mean())
    return float(level), float(slope)
