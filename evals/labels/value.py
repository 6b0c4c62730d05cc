"""Which answers are worth a label. Pure.

    value = doubt * reach * stake

    doubt = (4 p (1 - p) + near + strange) / 3     nothing known of p: 1
    near  = max over tiers t of exp(-|p_t / p_best - keep| / 0.05)     t other than the best
    strange = max(0, 2 novelty - 1)     stranger than half of the known prompts
    reach = requests in the span that asked the same
    stake = what the served answer cost; at least a tenth of the median, so that free answers are not worthless

``p`` is the chance that the served tier was right, as the scorer saw it: at 0.5 an outcome teaches most. ``near`` is
high where a tier lies close to the bar of ``keep`` times the best one's chance, so that a small change of opinion
changes the decision. A strange prompt says that the scorer's own opinion is less to be trusted. Of requests that asked
the same, one stands for all.

Picking is greedy: the next one has the highest value times (1 - its likeness to what was picked before it), likeness
being the cosine of the places that one scorer gave them. So twenty wordings of one prompt do not spend the budget.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.types import Frozen

WIDTH: Final = 0.05
LEAST_STAKE: Final = 0.1
POOL: Final = 20
"""How many times the wanted number is looked at for likeness: the rest is worth too little."""

Floats = NDArray[np.float64]


class Served(Frozen, frozen=True, kw_only=True):
    """An answer that was served and that nobody has judged.

    Attributes:
        p_right: tier -> chance of a right answer; empty without a scorer.
        asked: requests that asked the same; this one among them.
        place: where the scorer placed the prompt, base64; only places of one ``artefact`` can be compared.
        private: a rule kept it on private models, so no other may read it.
    """

    id: str
    at_ms: int
    tier: str
    tenant: str = ""
    p_right: Mapping[str, float] = {}
    novelty: float | None = None
    cost_nano: int | None = None
    asked: int = 1
    artefact: str | None = None
    place: str | None = None
    private: bool = False


def doubt(served: Served, keep: float) -> float:
    """How little is known of the answer, 0..1."""
    chance = served.p_right.get(served.tier)
    if chance is None:
        return 1.0
    strange = max(0.0, 2 * (served.novelty or 0.0) - 1)
    return (4 * chance * (1 - chance) + near(served.p_right, keep) + strange) / 3


def near(p_right: Mapping[str, float], keep: float) -> float:
    """How close a tier lies to the bar that decides, 0..1."""
    best = max(p_right, key=lambda tier: p_right[tier])
    if p_right[best] <= 0:
        return 0.0
    gaps = [abs(chance / p_right[best] - keep) for tier, chance in p_right.items() if tier != best]
    return max((exp(-gap / WIDTH) for gap in gaps), default=0.0)


def values(rows: Sequence[Served], keep: float) -> Floats:
    """The value of each, in nano-dollars at stake."""
    known = [row.cost_nano for row in rows if row.cost_nano]
    least = LEAST_STAKE * float(np.median(known)) if known else 1.0
    return np.array([doubt(row, keep) * row.asked * max(row.cost_nano or 0.0, least) for row in rows])


def pick(rows: Sequence[Served], wanted: int, keep: float) -> list[Served]:
    """At most ``wanted`` rows, the most valuable first; equal values in the order of time, then id."""
    order = sorted(range(len(rows)), key=lambda i: (rows[i].at_ms, rows[i].id))
    ranked = [rows[i] for i in order]
    worth = values(ranked, keep)
    best = np.argsort(-worth, kind="stable")[: POOL * max(wanted, 1)]
    pool, worth = [ranked[i] for i in best], worth[best]
    places, groups = _places(pool)
    left, likeness, picked = worth.copy(), np.zeros(len(pool)), []
    for _ in range(min(wanted, len(pool))):
        at = int(np.argmax(left))
        if left[at] < 0:
            break
        picked.append(pool[at])
        alike = np.where(groups == groups[at], places @ places[at], 0.0) if groups[at] >= 0 else np.zeros(len(pool))
        likeness = np.maximum(likeness, alike)
        left = np.where(left < 0, left, worth * (1 - np.clip(likeness, 0.0, 1.0)))
        left[at] = -1.0
    return picked


def _places(rows: Sequence[Served]) -> tuple[Floats, NDArray[np.int64]]:
    """Unit vectors, and which of them can be compared; -1 where there is no place."""
    decoded = [None if row.place is None else np.frombuffer(b64decode(row.place), dtype="<f2") for row in rows]
    width = max((len(place) for place in decoded if place is not None), default=1)
    kinds: dict[tuple[str | None, int], int] = {}
    vectors, groups = np.zeros((len(rows), width)), np.full(len(rows), -1, dtype=np.int64)
    for index, (row, place) in enumerate(zip(rows, decoded, strict=True)):
        size = 0.0 if place is None else float(np.linalg.norm(place.astype(np.float64)))
        if place is None or not np.isfinite(size) or not size:
            continue
        vectors[index, : len(place)] = place.astype(np.float64) / size
        groups[index] = kinds.setdefault((row.artefact, len(place)), len(kinds))
    return vectors, groups
