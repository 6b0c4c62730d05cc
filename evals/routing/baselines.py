"""What a router must beat: scores and settings of the simple ones, and of the one inside LiteLLM.

LiteLLM's auto-router is called directly and offline, with its default configuration: the heuristic
(four tiers and the raw score behind them) and its pretrained successor. Where only tiers come out,
prompts of one tier are served in random order, which is generous.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.metrics import Floats, Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Shares of traffic per tier that simple routers may be set to.
STEP: Final = 0.05
_LITELLM_TIERS: Final = {"SIMPLE": 0, "MEDIUM": 1, "COMPLEX": 2, "REASONING": 3}


def mixes(tiers: int, step: float = STEP) -> list[Floats]:
    """Every way to share traffic among 2 or 3 tiers in steps."""
    parts = round(1 / step)
    if tiers == 2:
        return [np.array([k, parts - k]) / parts for k in range(parts + 1)]
    return [np.array([a, b, parts - a - b]) / parts for a in range(parts + 1) for b in range(parts + 1 - a)]


def constant(rows: int, tiers: int) -> list[Setting]:
    """Every prompt to one tier."""
    return [Setting(f"always {k}", np.tile(np.eye(tiers)[k], (rows, 1))) for k in range(tiers)]


def random_mix(rows: int, tiers: int) -> list[Setting]:
    """Prompts to tiers by lot."""
    return [Setting(f"lot {mix}", np.tile(mix, (rows, 1))) for mix in mixes(tiers)]


def by_score(score: Floats, tiers: int) -> list[Setting]:
    """The lowest scores to the smallest tier, and so on, for every mix; equal scores share by lot."""
    _, place, size = np.unique(score, return_inverse=True, return_counts=True)
    top = np.cumsum(size) / len(score)
    bottom = top - size / len(score)
    settings = []
    for mix in mixes(tiers):
        edges = np.concatenate([[0.0], np.cumsum(mix)])
        overlap = np.minimum(top[:, None], edges[1:]) - np.maximum(bottom[:, None], edges[:-1])
        shares = np.clip(overlap, 0, None) / (top - bottom)[:, None]
        settings.append(Setting(f"mix {mix}", shares[place]))
    return settings


def by_dial(chance: Floats, cost: Floats, steps: int = 200) -> list[Setting]:
    """The policy's ``cost_quality`` dial: best of ``d P - (1 - d) cost / dearest cost`` (cheapest first)."""
    relative = cost / cost.max(axis=1, keepdims=True)
    # Fine near 1, where small losses of quality are weighed against large prices.
    dials = 1.0 - np.geomspace(1.0, 1e-3, steps)
    return [_picks(f"dial {dial:.4f}", dial * chance - (1 - dial) * relative) for dial in dials]


def by_keep(chance: Floats, steps: int = 200) -> list[Setting]:
    """The policy's ``quality.keep``: the first tier with that share of the best tier's chance."""
    best = chance.max(axis=1, keepdims=True)
    return [_picks(f"keep {keep:.3f}", (chance >= keep * best).astype(float)) for keep in np.linspace(0.5, 1.0, steps)]


def by_worth(quality: Floats, cost: Floats, steps: int = 200) -> list[Setting]:
    """Best of quality minus a price times cost: the oracle's rule, with true outcomes and costs."""
    prices = np.concatenate([[0.0], np.geomspace(1e-3, 10.0, steps)]) / cost[:, -1].mean()
    # At price 0 ties go to the cheaper tier.
    return [_picks(f"price {price:.3g}", quality - max(price, 1e-12) * cost) for price in prices]


def _picks(name: str, worth: Floats) -> Setting:
    return Setting(name, np.eye(worth.shape[1])[np.argmax(worth, axis=1)])


def litellm_version() -> str:
    """The installed version."""
    from importlib.metadata import version

    return version("litellm")


def litellm_scores(prompts: Sequence[str]) -> dict[str, Floats]:
    """LiteLLM's auto-router on each prompt: ``v1 tiers``, ``v1 raw score``, ``v2 tiers``."""
    # Its price table is fetched at import unless told otherwise.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from litellm.router_strategy.adaptive_router.classifier import classify_prompt
    from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
    from litellm.router_strategy.complexity_router.tier_predictor import (
        TierSuccessPredictor,
        resolve_tier_artifact,
    )

    unused: Any = object()  # the router it would dispatch through; classifying never asks it
    heuristic = ComplexityRouter("auto", unused, {}, derive_savings_baseline=False)
    learned = TierSuccessPredictor(resolve_tier_artifact("ultrafeedback"))
    first, raw, second = [], [], []
    for prompt in prompts:
        tier, score, _ = heuristic.classify(prompt)
        first.append(_LITELLM_TIERS[tier.value])
        raw.append(score)
        second.append(learned.predict(prompt, classify_prompt(prompt)).required_tier)
    return {
        "v1 tiers": np.array(first, dtype=float),
        "v1 raw score": np.array(raw, dtype=float),
        "v2 tiers": np.array(second, dtype=float),
    }
