"""Whether stated chances of a right answer are true, and whether tiers were as their authors had in mind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from evals import metrics
from evals.compare import means
from evals.compare.paired import SEED
from evals.metrics import Interval
from evals.runs.record import Item
from router.types import TIER_NAMES, TierName

BINS: Final = 10
#: With fewer answers a bin is no more than a handful.
LEAST: Final = 50
_DRAWS: Final = 100


class Bin(NamedTuple):
    """Answers of about one stated chance: what was said, and what came true."""

    said: float
    right: Interval
    n: int


class Reliability(NamedTuple):
    """Bins of equal mass; ``ece`` beside what a perfect forecaster of these chances would show at this n."""

    n: int
    bins: tuple[Bin, ...]
    ece: float
    perfect: float


class Confusion(NamedTuple):
    """Tiers that the data's authors had in mind (rows) by tiers served (columns, the last is *no answer*)."""

    expected: tuple[TierName, ...]
    served: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def rows(self) -> int:
        """Answers counted."""
        return sum(map(sum, self.counts))

    @property
    def as_meant(self) -> int:
        """Answers by the very tier."""
        return sum(row[self.served.index(tier)] for tier, row in zip(self.expected, self.counts, strict=True))


def reliability(items: Sequence[Item]) -> Reliability | None:
    """The stated chance of the tier that answered against the answer's quality; ``None`` below 50 answers."""
    known = [
        (item.p_right[item.tier], item.quality, item)
        for item in items
        if item.tier and item.tier in item.p_right and item.quality is not None
    ]
    if len(known) < LEAST:
        return None
    said, right = np.array([row[0] for row in known]), np.array([row[1] for row in known], dtype=float)
    stems = [row[2].stem or row[2].id for row in known]
    order = np.argsort(said, kind="stable")
    bins = tuple(
        Bin(float(said[part].mean()), means.share(right[part], [stems[i] for i in part.tolist()]), len(part))
        for part in np.array_split(order, BINS)
    )
    perfect = metrics.perfect_ece(said, np.random.default_rng(SEED), draws=_DRAWS)
    return Reliability(len(known), bins, metrics.ece(said, right), perfect)


def confusion(items: Sequence[Item]) -> Confusion | None:
    """Expected by served; ``None`` where no row says what was expected."""
    counts = Counter((item.tier_expected, item.tier or "") for item in items if item.tier_expected)
    if not counts:
        return None
    expected = tuple(tier for tier in TIER_NAMES if any(row == tier for row, _ in counts))
    served = (*TIER_NAMES, *(("",) if any(not column for _, column in counts) else ()))
    table = tuple(tuple(counts[row, column] for column in served) for row in expected)
    return Confusion(expected, served, table)
