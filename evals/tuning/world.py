"""A made world whose truth is known: what estimators are tried on before they are believed.

Two tiers and one number a request, its score (0 easy .. 1 hard). The log sends a request to small below one
threshold, to large above it, and now and then draws the tier evenly instead. Nothing in it is measured; its numbers
were chosen so that the requests between two thresholds are much harder than the rest, as they are in the wild, and
so that the scorer is wrong by some points, as scorers are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from evals.tuning.table import Floats, Labels, Table, signed
from router.types import TierName

TIERS: Final[tuple[TierName, ...]] = ("small", "large")
#: Logits of a right answer: at score 0, and what the whole way to 1 takes off.
ABILITY: Final = {"small": (3.3, 5.8), "large": (4.2, 4.0)}
#: By how much the scorer's logits flatter every tier, and how far they scatter.
FLATTERS, SCATTERS = 0.25, 0.5
#: Shape of the scores: most requests are of middling hardness.
SHAPE: Final = (1.2, 1.2)
COST: Final = {"small": 220_000.0, "large": 2_400_000.0}
TENANTS: Final = ("north", "east", "south", "west", "a small one")


def right(score: Floats) -> Floats:
    """(n, 2): the true chance that each tier is right."""
    logits = np.stack([start - slope * score for start, slope in ABILITY.values()], axis=1)
    return sigmoid(logits)


def sigmoid(logits: Floats) -> Floats:
    """Chances of logits."""
    chances: Floats = 1.0 / (1.0 + np.exp(-logits))
    return chances


def large_above(score: Floats, threshold: float) -> Floats:
    """(n, 2): the shares of a policy that asks large above a threshold."""
    large = (score > threshold).astype(np.float64)
    return np.stack([1.0 - large, large], axis=1)


def truth(threshold: float, points: int = 200_001) -> float:
    """The quality of a policy with that threshold, by integration over the scores."""
    score = (np.arange(points) + 0.5) / points
    a, b = SHAPE
    density = score ** (a - 1) * (1 - score) ** (b - 1)
    quality = (right(score) * large_above(score, threshold)).sum(axis=1)
    return float((quality * density).sum() / density.sum())


def log(rows: int, threshold: float, explored: float, seed: int) -> tuple[Table, Floats]:
    """A log of such a policy, and the rows' scores. ``explored`` is the share of requests whose tier is drawn."""
    rng = np.random.default_rng(seed)
    score = rng.beta(*SHAPE, size=rows)
    greedy = large_above(score, threshold)
    shares = (1 - explored) * greedy + explored / len(TIERS)
    taken = (rng.random(rows) >= shares[:, 0]).astype(np.int8)
    at = np.arange(rows)
    chance = right(score)
    outcome = (rng.random(rows) < chance[at, taken]).astype(np.float64)
    said = sigmoid(np.log(chance / (1 - chance)) + FLATTERS + SCATTERS * rng.standard_normal((rows, 1)))
    spent = np.array([COST[tier] for tier in TIERS]) * rng.lognormal(-0.125, 0.5, size=(rows, 1))
    waited = np.array([350.0, 1_400.0]) * rng.lognormal(0.0, 0.4, size=(rows, 1))
    tenants = rng.choice(len(TENANTS), size=rows, p=(0.4, 0.3, 0.2, 0.0999, 0.0001)).astype(np.int32)
    table = Table(
        tiers=TIERS,
        quality=only(outcome, taken),
        cost=only(spent[at, taken], taken),
        chance=said,
        guess=np.tile([COST[tier] for tier in TIERS], (rows, 1)),
        latency=only(waited[at, taken], taken),
        novelty=rng.random(rows) * 0.9,
        input_tokens=rng.integers(10, 2_000, size=rows),
        stem=at.astype(np.int32),
        slices={
            "tenant": Labels(TENANTS, tenants),
            "language": Labels(("en", "ko"), (rng.random(rows) < 0.4).astype(np.int32)),
            "tag": Labels(("",), np.zeros(rows, dtype=np.int32)),
            "findings": Labels(("", "pii.EMAIL"), (rng.random(rows) < 0.02).astype(np.int32)),
        },
        at_ms=at,
        taken=taken,
        propensity=shares[at, taken],
        source=f"a made log of {rows:,} requests",
        fingerprint="",
        facts={"tools": np.zeros(rows, dtype=bool), "images": np.zeros(rows, dtype=bool)},
        baseline=spent[:, 1],
    )
    return signed(table), score


def only(values: Floats, taken: np.typing.NDArray[np.int8]) -> Floats:
    """(n, 2): known for the tier that was taken."""
    whole = np.full((len(values), len(TIERS)), np.nan)
    whole[np.arange(len(values)), taken] = values
    return whole
