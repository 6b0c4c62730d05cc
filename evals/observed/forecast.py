"""What following the policy would have changed, from requests that were only observed. Pure; a forecast.

Per request, with c what was paid and f(t) the forecast cost of tier t (made before the call, from the prompt and the
tier's price):

    saved = c - c · f(wanted) / f(served)          c - f(wanted) where the served tier is free
    quality = p(wanted) - p(served)                the scorer's own chances of a right answer

Scaling what was paid by the *ratio* of two forecasts cancels what they get wrong alike, the length of the prompt first
of all. Shares and means are ratios of sums; their 95 % intervals take whole groups (conversations, and prompts that
begin alike) as the draw, by linearisation: with groups k = 1..K of sums a_k, b_k and r = Σa / Σb,

    var(r) = K / (K - 1) · Σ (a_k - r · b_k)² / (Σb)²

(Cochran, Sampling Techniques, 3rd ed. 1977, section 9A.9 and 2.11). They say how far other traffic like this one
would differ; they do not know how wrong the forecasts may be, which is what the check against feedback is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from router.types import TIER_NAMES, Frozen

if TYPE_CHECKING:
    from router.ledger.observed import Observed

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
LEAST_GROUPS: Final = 20
CONFIDENCE: Final = 0.95


class Figure(Frozen, frozen=True, kw_only=True):
    """A ratio with its interval, which is None where fewer than 20 groups stand behind it. ``n`` is requests."""

    value: float
    low: float | None
    high: float | None
    n: int
    groups: int


class Line(Frozen, frozen=True, kw_only=True):
    """What a part of the traffic shows.

    Attributes:
        key: the part.
        requests: judged ones. differ: share of them whose tier would have been another.
        paid_nano, saved_nano: of those whose money is known. saved: the share of what was paid, negative for a loss.
        known: requests whose money is known.
        quality: mean change of the chance of a right answer.
    """

    key: tuple[str, ...]
    requests: int
    differ: Figure
    paid_nano: int
    saved_nano: int
    known: int
    saved: Figure | None
    quality: Figure | None


class Outlook(Frozen, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        observed: chat requests that were observed; failed: those that no model answered well; unjudged: answered
            ones without an opinion.
        blocked, cascaded: would have been stopped by a guard, or climbed a cascade. They are in no figure here.
        masked: a guard would have masked a part of the request or its answer.
        missing: judged requests that want a tier without a model here; they count as if it had one.
        unknown_money: judged requests whose paid or forecast cost is unknown. estimated: known ones that rest on
            reference prices or estimated tokens.
        total, moves (served, wanted), tenants, policies: the figures.
        worst: the tenant whose quality is forecast to suffer most; its interval allows for the choice among them.
        feedback: mean of (what was said of an answer - the chance that the scorer gave its tier).
    """

    observed: int
    failed: int
    unjudged: int
    blocked: int
    cascaded: int
    masked: int
    missing: int
    unknown_money: int
    estimated: int
    total: Line | None
    moves: tuple[Line, ...]
    tenants: tuple[Line, ...]
    policies: tuple[Line, ...]
    worst: Line | None
    feedback: Figure | None


def outlook(rows: Iterable[Observed]) -> Outlook:
    """Put the observed requests in order. The same rows give the same figures."""
    counts: Counter[str] = Counter()
    kept: list[Observed] = []
    for row in rows:
        counts["observed"] += 1
        kind = _kind(row)
        counts[kind] += 1
        counts["masked"] += row.masked
        if kind == "judged":
            kept.append(row)
            counts["missing"] += row.missing
    table = _Table(kept)
    tenants = table.lines([(row.tenant,) for row in kept])
    judged = [line for line in tenants if line.quality is not None and line.quality.groups >= LEAST_GROUPS]
    worst: Line | None = None
    if judged:
        key = min(judged, key=lambda line: (line.quality.value if line.quality else 0.0, line.key)).key
        index = np.array([row.tenant == key[0] for row in kept])
        worst = table.line(key, index, 1 - (1 - CONFIDENCE) / len(judged))
    return Outlook(
        observed=counts["observed"],
        failed=counts["failed"],
        unjudged=counts["unjudged"],
        blocked=counts["blocked"],
        cascaded=counts["cascaded"],
        masked=counts["masked"],
        missing=counts["missing"],
        unknown_money=int((~table.money).sum()),
        estimated=int((table.money & table.estimated).sum()),
        total=table.line((), np.ones(len(kept), bool)) if kept else None,
        moves=table.lines([(str(row.served), str(row.wanted)) for row in kept]),
        tenants=tenants,
        policies=table.lines([(row.policy,) for row in kept]),
        worst=worst,
        feedback=table.feedback(),
    )


def _kind(row: Observed) -> str:
    if row.outcome != "ok" or row.served is None:
        return "failed"
    if row.wanted is None:
        return "unjudged"
    return "blocked" if row.blocked else "cascaded" if row.cascaded else "judged"


class _Table:
    """The judged requests as columns; NaN is unknown."""

    def __init__(self, rows: Sequence[Observed]) -> None:
        names: dict[str, int] = {}
        self.group: Codes = np.array([names.setdefault(row.group, len(names)) for row in rows], np.int64)
        self.differs: Floats = np.array([float(row.served != row.wanted) for row in rows])
        self.paid: Floats = np.array([np.nan if row.cost_nano is None else float(row.cost_nano) for row in rows])
        self.saved: Floats = np.array([_saved(row) for row in rows])
        self.quality: Floats = np.array([_gap(row.p_right, row.wanted, row.served) for row in rows])
        self.estimated: NDArray[np.bool_] = np.array([row.estimated for row in rows], bool)
        self.surprise: Floats = np.array(
            [
                np.nan if row.feedback is None else row.feedback - row.p_right.get(str(row.served), np.nan)
                for row in rows
            ]
        )
        self.money = ~np.isnan(self.saved)

    def line(self, key: tuple[str, ...], index: NDArray[np.bool_], confidence: float = CONFIDENCE) -> Line:
        """The figures of some rows."""
        known, judged = index & self.money, index & ~np.isnan(self.quality)
        paid, saved = float(self.paid[known].sum()), float(self.saved[known].sum())
        ones = np.ones(len(index))
        return Line(
            key=key,
            requests=int(index.sum()),
            differ=self._over(self.differs, ones, index, confidence),
            paid_nano=round(paid),
            saved_nano=round(saved),
            known=int(known.sum()),
            saved=self._over(self.saved, self.paid, known, confidence) if paid > 0 else None,
            quality=self._over(self.quality, ones, judged, confidence) if judged.any() else None,
        )

    def lines(self, keys: Sequence[tuple[str, ...]]) -> tuple[Line, ...]:
        """One line a key, the most frequent first; tiers in their own order."""
        seen = Counter(keys)
        places = {key: place for place, key in enumerate(sorted(seen, key=lambda key: (-seen[key], _rank(key))))}
        codes = np.array([places[key] for key in keys], np.int64)
        return tuple(self.line(key, codes == place) for key, place in places.items())

    def _over(self, above: Floats, below: Floats, index: NDArray[np.bool_], confidence: float) -> Figure:
        return ratio(above[index], below[index], self.group[index], confidence)

    def feedback(self) -> Figure | None:
        """How far what was said of the answers lies above the chances."""
        index = ~np.isnan(self.surprise)
        return self._over(self.surprise, np.ones(len(index)), index, CONFIDENCE) if index.any() else None


def ratio(above: Floats, below: Floats, group: Codes, confidence: float = CONFIDENCE) -> Figure:
    """Σ above / Σ below with its interval over groups; see the module's docstring."""
    names, codes = np.unique(group, return_inverse=True)
    a = np.bincount(codes, above, len(names))
    b = np.bincount(codes, below, len(names))
    value, n = float(a.sum() / b.sum()), len(names)
    reach: float | None = None
    if n >= LEAST_GROUPS:
        spread = float(np.sqrt(n / (n - 1) * ((a - value * b) ** 2).sum())) / float(b.sum())
        reach = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    low, high = (None, None) if reach is None else (value - reach, value + reach)
    return Figure(value=value, low=low, high=high, n=len(above), groups=n)


def _rank(key: tuple[str, ...]) -> tuple[object, ...]:
    order: dict[str, str] = {name: f"{place}" for place, name in enumerate(TIER_NAMES)}
    return tuple(order.get(part, part) for part in key)


def _saved(row: Observed) -> float:
    """Nano-dollars that the wanted tier would have saved; negative for a loss, NaN where money is unknown."""
    if row.cost_nano is None:
        return float("nan")
    if row.wanted == row.served:
        return 0.0
    mine, theirs = row.predicted.get(str(row.wanted)), row.predicted.get(str(row.served))
    if mine is None or theirs is None:
        return float("nan")
    return row.cost_nano * (1 - mine / theirs) if theirs else float(row.cost_nano - mine)


def _gap(chances: Mapping[str, float], wanted: str | None, served: str | None) -> float:
    if wanted is not None and wanted == served:
        return 0.0
    return chances.get(str(wanted), float("nan")) - chances.get(str(served), float("nan"))
