"""From evidence to scores: two logistic rules whose weights may only point the way that reason says.

The weights are plain arrays in ``guardrails/models/grounding``; how they were learned stands in the card beside them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from guardrails.grounding.evidence import ANSWERS, SUPPORT

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic rule: one weight for each value of the evidence, and an offset."""

    weights: tuple[float, ...]
    offset: float

    def score(self, evidence: Sequence[float]) -> float:
        """0..1."""
        z = self.offset + sum(weight * value for weight, value in zip(self.weights, evidence, strict=True))
        return 1 / (1 + exp(-min(max(z, -30.0), 30.0)))


@dataclass(frozen=True, slots=True)
class Model:
    """Both rules."""

    support: Weights
    answers: Weights


def from_bytes(raw: bytes) -> Model:
    """A model from the bytes of its ``weights.npz``.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        rules = {name: [float(value) for value in kept[name]] for name in ("support", "answers")}
    for name, wanted in (("support", SUPPORT), ("answers", ANSWERS)):
        if len(rules[name]) != len(wanted) + 1:
            raise ValueError(f"the weights of 'grounding' ({name}) do not fit this version: train them again")
    made = {name: Weights(tuple(values[:-1]), values[-1]) for name, values in rules.items()}
    return Model(made["support"], made["answers"])


@lru_cache(maxsize=1)
def packaged() -> Model:
    """The model that comes with the package, loaded on first use."""
    return from_bytes((files("guardrails") / "models" / "grounding" / "weights.npz").read_bytes())
