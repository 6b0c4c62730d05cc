"""Recorded outcomes as arrays: what a policy can be simulated on, a million rows at a time.

Rows are requests, columns are tiers, cheapest first. NaN is *unknown*. A benchmark knows every tier's outcome; a
ledger knows that of the tier that answered, and the probability with which it was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of words: ``names[codes[i]]`` is that of row i."""

    names: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of n requests under T tiers.

    Attributes:
        tiers: tier names, cheapest first.
        quality: (n, T), 0..1, the outcome of each tier.
        cost: (n, T), nano-dollars that each tier's answer costs.
        chance: (n, T), the probability of a right answer as the scorer sees it.
        guess: (n, T), nano-dollars as predicted before the call.
        latency: (n, T), milliseconds.
        novelty: (n,), how unlike known prompts, 0..1.
        input_tokens: (n,).
        stem: (n,), equal for rows that share a question.
        slices: name -> labels of the rows, e.g. ``tenant``, ``language``, ``task``, ``source``, ``tag``.
        at_ms: (n,), when; in benchmarks the row's number.
        taken: (n,), the tier that answered, as a column; -1 where every tier's outcome is known.
        propensity: (n,), with which probability it was taken.
        source: where the rows are from, for people. fingerprint: SHA-256 over what the rows say.
        facts: what else a policy's rules may ask of the rows: name -> (n,) array.
    """

    tiers: tuple[str, ...]
    quality: Floats
    cost: Floats
    chance: Floats
    guess: Floats
    latency: Floats
    novelty: Floats
    input_tokens: NDArray[np.int64]
    stem: Codes
    slices: Mapping[str, Labels]
    at_ms: NDArray[np.int64]
    taken: NDArray[np.int8]
    propensity: Floats
    source: str
    fingerprint: str
    facts: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows."""
        return len(self.novelty)

    def rows(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Table:
        """The chosen rows, in that order. The fingerprint stays that of the whole."""
        return Table(
            tiers=self.tiers,
            quality=self.quality[index],
            cost=self.cost[index],
            chance=self.chance[index],
            guess=self.guess[index],
            latency=self.latency[index],
            novelty=self.novelty[index],
            input_tokens=self.input_tokens[index],
            stem=self.stem[index],
            slices={name: Labels(column.names, column.codes[index]) for name, column in self.slices.items()},
            at_ms=self.at_ms[index],
            taken=self.taken[index],
            propensity=self.propensity[index],
            source=self.source,
            fingerprint=self.fingerprint,
            facts={name: column[index] for name, column in self.facts.items()},
        )

    def columns(self, tiers: Sequence[str]) -> list[int]:
        """Where these tiers stand."""
        return [self.tiers.index(tier) for tier in tiers]
