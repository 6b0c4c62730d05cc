"""Recorded outcomes as arrays: what a policy can be simulated on, a million rows at a time.

Rows are requests, columns are tiers, cheapest first. NaN is *unknown*. A benchmark knows every tier's outcome; a
ledger knows that of the tier that answered, and the probability with which it was chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Tiers = NDArray[np.int8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of words: ``names[codes[i]]`` is that of row i."""

    names: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, words: Sequence[str]) -> Labels:
        """A column from its words; the names are sorted, so that equal columns are equal."""
        names = tuple(sorted(set(words)))
        place = {name: i for i, name in enumerate(names)}
        return cls(names, np.array([place[word] for word in words], dtype=np.int32))


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
        slices: name -> labels of the rows, e.g. ``tenant``, ``language``, ``task``, ``source``, ``tag`` (as the
            caller sent it: several are parted by commas) and ``findings`` (as rules name them, parted by commas).
        at_ms: (n,), when; in benchmarks the row's number.
        taken: (n,), the tier that answered, as a column; -1 where every tier's outcome is known.
        propensity: (n,), with which probability it was taken.
        source: where the rows are from, for people. fingerprint: SHA-256 over what the rows say.
        facts: what else a policy's rules may ask of the rows: name -> (n,) array: ``tools``, ``images``, and
            ``pattern:…`` for each pattern whose matches are known.
        profile: the family profile by which the scorer gave ``chance`` and ``guess``.
        asked: (n,), the tier that the caller asked for, as a column; -1 where the policy had to choose. None: nobody
            asked for any.
        output_limit: (n,), the caller's limit of output tokens, 0 without one. None: nobody set any.
        baseline: (n,), what the best tier would have cost where ``cost`` does not say it: a ledger's own reckoning, by
            the tokens of the answer that was served. None: ``cost`` says it.
        left_out: why -> rows that were there and are not in the table.
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
    facts: Mapping[str, Mask] = field(default_factory=dict)
    profile: str = "generic"
    asked: Tiers | None = None
    output_limit: Ints | None = None
    baseline: Floats | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows."""
        return len(self.novelty)

    def rows(self, index: Ints | Mask) -> Table:
        """The chosen rows, in that order. The fingerprint stays that of the whole."""
        return replace(
            self,
            **{name: getattr(self, name)[index] for name in _COLUMNS if getattr(self, name) is not None},
            slices={name: Labels(column.names, column.codes[index]) for name, column in self.slices.items()},
            facts={name: column[index] for name, column in self.facts.items()},
        )

    def columns(self, tiers: Sequence[str]) -> list[int]:
        """Where these tiers stand."""
        return [self.tiers.index(tier) for tier in tiers]


#: The fields that hold one value, or one of every tier, a row.
_COLUMNS = (
    "quality", "cost", "chance", "guess", "latency", "novelty", "input_tokens", "stem", "at_ms", "taken", "propensity",
    "asked", "output_limit", "baseline",
)  # fmt: skip


def signed(table: Table) -> Table:
    """The table with the fingerprint of what it says."""
    digest = hashlib.sha256(repr((table.tiers, table.profile)).encode())
    for name, column in _contents(table):
        digest.update(f"\0{name}\0{column.dtype.str}\0{column.shape}\0".encode())
        digest.update(np.ascontiguousarray(column).data)
    return replace(table, fingerprint=digest.hexdigest())


def _contents(table: Table) -> Iterable[tuple[str, NDArray[Any]]]:
    for name in _COLUMNS:
        column = getattr(table, name)
        if column is not None:
            yield name, column
    for name, labels in sorted(table.slices.items()):
        yield f"{name}: {labels.names!r}", labels.codes
    for name, column in sorted(table.facts.items()):
        yield name, column
