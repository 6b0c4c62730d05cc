"""A learned model as plain arrays: one table of small integers for each thing it tells apart.

What a bank says of a stretch of text is, for each of its heads,

    z = offset[scale] + sum over parts p of step[p] * (sum of the table over the n-grams of p) / sqrt(n_p + DAMP)
        + signal_step * (signal_weights . signals)

and the score is 1 / (1 + exp(-z)). Every sum is one of integers, hence exact: the same stretch has the same score
however its text arrived.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from math import exp, log
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from guardrails.learned.hashing import PARTS, PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Added to a stretch's number of n-grams: a stretch of few says little, and no score is carried by one alone.
DAMP: Final = 8.0
#: Format of the arrays; a file of another one is refused.
FORMAT: Final = 1


class Signals(Protocol):
    """Hand-made evidence: small counts for each window, which add up over windows, and what is made of them."""

    @property
    def counters(self) -> int:
        """How many counts there are."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of what ``features`` returns, in order."""

    def count(self, text: str, starts: Sequence[int], end: int) -> NDArray[np.int64]:
        """(windows, counters); a window's counts depend on that window's own text."""

    def features(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """(stretches, names) from (stretches, counters); small integers, row by row."""


@dataclass(frozen=True)
class Bank:
    """Weights, loaded. Nothing changes after loading.

    Attributes:
        heads: what each table tells apart.
        tables: (heads, PLACES + 1) int8, the last column 0.
        steps: (heads, PARTS) what one unit of a table weighs in each part.
        offsets: (heads, scales).
        signal_weights: (heads, signal features) int16, with ``signal_steps`` (heads).
        signals: the code that counts them; none if the bank has none.
        card: what trained it, its thresholds, its figures.
    """

    heads: tuple[str, ...]
    tables: NDArray[np.int8]
    steps: NDArray[np.float64]
    offsets: NDArray[np.float64]
    signal_weights: NDArray[np.int64]
    signal_steps: NDArray[np.float64]
    signals: Signals | None
    card: Mapping[str, Any]

    @cached_property
    def by_place(self) -> NDArray[np.int8]:
        """(PLACES + 1, heads): those of one place side by side, so that all heads are read at once."""
        return np.ascontiguousarray(self.tables.T)

    def head(self, name: str) -> int:
        """The index of a head."""
        return self.heads.index(name)

    def threshold(self, head: str, rate: str) -> float:
        """The score that a share of ``rate`` of ordinary texts reaches, as the card says (e.g. ``"0.01"``)."""
        return float(self.card["thresholds"][head][rate])


def logit(score: float) -> float:
    """The z of a score strictly between 0 and 1."""
    return log(score / (1 - score))


def score_of(z: float) -> float:
    """The score of a z; never quite 0 or 1."""
    bounded = min(max(z, -30.0), 30.0)
    return 1 / (1 + exp(-bounded))


def load(name: str, signals: Signals | None = None) -> Bank:
    """The packaged bank ``guardrails/models/<name>``.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    folder = files("guardrails") / "models" / name
    card = json.loads((folder / "card.json").read_text("utf-8"))
    return from_bytes((folder / "weights.npz").read_bytes(), card, signals)


def from_bytes(raw: bytes, card: Mapping[str, Any], signals: Signals | None = None) -> Bank:
    """A bank from the bytes of its ``weights.npz``.

    Raises:
        ValueError: its arrays are not what this code reads.
    """
    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        arrays = {key: kept[key] for key in kept.files}
    bank = Bank(
        heads=tuple(card["heads"]),
        tables=np.ascontiguousarray(arrays["tables"]),
        steps=arrays["steps"].astype(np.float64),
        offsets=arrays["offsets"].astype(np.float64),
        signal_weights=arrays["signal_weights"].astype(np.int64),
        signal_steps=arrays["signal_steps"].astype(np.float64),
        signals=signals,
        card=card,
    )
    wanted = 0 if signals is None else len(signals.names)
    heads = len(bank.heads)
    if (
        card.get("format") != FORMAT
        or bank.tables.dtype != np.int8
        or bank.tables.shape != (heads, PLACES + 1)
        or bank.steps.shape != (heads, PARTS)
        or bank.signal_weights.shape != (heads, wanted)
        or bank.tables[:, -1].any()
    ):
        raise ValueError(f"the weights of {card.get('name', 'a bank')!r} do not fit this version: train them again")
    return bank
