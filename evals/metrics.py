"""What a router is worth: pure functions over arrays of outcomes, costs and scores.

Rows are prompts. A *score* orders them: the higher, the more a prompt deserves the large tier; equal
scores are served in random order, so every curve is the expected one. All shares are 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
INTERVAL: Final = (2.5, 97.5)
#: Mean gains smaller than this are rounding, not a gap.
_NO_GAP: Final = 1e-9


class Interval(NamedTuple):
    """A value with the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Setting(NamedTuple):
    """One way to set a router: the share of each row sent to each tier, rows by tiers."""

    name: str
    shares: Floats


class Saving(NamedTuple):
    """What a router saved on rows it was not set on.

    Attributes:
        cost: per row, under the setting chosen on the other folds.
        quality: per row, the same.
        always: per row, the cost of always asking the large tier.
        large: per row, the large tier's score.
        shares: rows by tiers, where the rows were sent.
    """

    cost: Floats
    quality: Floats
    always: Floats
    large: Floats
    shares: Floats

    @property
    def share(self) -> float:
        """1 - cost / cost of always-large."""
        return saved(self.cost, self.always)

    @property
    def kept(self) -> float:
        """Share of the large tier's mean score that was really kept."""
        return float(self.quality.sum() / self.large.sum())


def saved(cost: Floats, always: Floats) -> float:
    """1 - total cost / total cost of always-large."""
    return float(1.0 - cost.sum() / always.sum())


def gain_curve(weak: Floats, strong: Floats, score: Floats) -> Floats:
    """Mean gain over always-weak after sending the k best-scored rows to strong, k = 0..n."""
    _same_length(weak, strong, score)
    _, place, size = np.unique(-np.asarray(score), return_inverse=True, return_counts=True)
    mean_gain = np.bincount(place, np.asarray(strong) - np.asarray(weak)) / size
    return np.concatenate([[0.0], np.cumsum(np.repeat(mean_gain, size))]) / len(score)


def apgr(weak: Floats, strong: Floats, score: Floats) -> float:
    """Average performance gap recovered (RouteLLM, arXiv 2406.18665): 0.5 is random, NaN without a gap."""
    curve = gain_curve(weak, strong, score)
    gap = curve[-1]
    if abs(gap) < _NO_GAP:
        return float("nan")
    return float(np.trapezoid(curve, dx=1.0 / len(score)) / gap)


def apgr_on(weak: Floats, strong: Floats, score: Floats) -> Callable[[NDArray[np.int64]], float]:
    """``apgr`` of chosen rows, for bootstraps: scores are ranked once, so that a draw needs no sorting."""
    _same_length(weak, strong, score)
    _, place = np.unique(-np.asarray(score), return_inverse=True)
    gain, groups = np.asarray(strong) - np.asarray(weak), int(place.max()) + 1

    def of(index: NDArray[np.int64]) -> float:
        at = place[index]
        size, total = np.bincount(at, minlength=groups), np.bincount(at, gain[index], groups)
        whole = total.sum()
        if abs(whole) < _NO_GAP * len(index):
            return float("nan")
        before = np.cumsum(total) - total
        return float((size * (before + total / 2)).sum() / (len(index) * whole))

    return of


def cpt(weak: Floats, strong: Floats, score: Floats, share: float) -> float:
    """Call-performance threshold: least share of strong calls that recovers ``share`` of the gap."""
    curve = gain_curve(weak, strong, score)
    need = share * curve[-1]
    if curve[-1] < _NO_GAP:
        return float("nan")
    first = int(np.argmax(curve >= need))
    if first == 0:
        return 0.0
    before, after = curve[first - 1], curve[first]
    return float((first - 1 + (need - before) / (after - before)) / (len(curve) - 1))


def oracle_score(weak: Floats, strong: Floats) -> Floats:
    """The score of one who knows both outcomes."""
    return np.asarray(strong) - np.asarray(weak)


def ece(chance: Floats, outcome: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass."""
    _same_length(chance, outcome)
    order = np.argsort(chance, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(np.mean(chance[part]) - np.mean(outcome[part]))) for part in parts]
    return sum(gaps) / len(order)


def perfect_ece(chance: Floats, rng: np.random.Generator, draws: int = 200, bins: int = 10) -> float:
    """The mean ``ece`` a perfect forecaster of these chances would show at this n."""
    return float(np.mean([ece(chance, (rng.random(len(chance)) < chance).astype(float), bins) for _ in range(draws)]))


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Chance that a positive row scores above a negative one, ties counting half."""
    _, place, size = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(size) - (size - 1) / 2.0)[place]
    hits = int(np.count_nonzero(positive))
    misses = len(rank) - hits
    if not hits or not misses:
        return float("nan")
    return float((rank[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def pick_entropy(shares: Floats) -> float:
    """Entropy of the mix of tiers in bits; 0 when every row goes to one tier."""
    mix = shares.mean(axis=0)
    mix = mix[mix > 0]
    return float(-(mix * np.log2(mix)).sum())


def held_out_saving(
    settings: Sequence[Setting],
    quality: Floats,
    cost: Floats,
    fold: NDArray[np.int64],
    share: float,
    margin: float = 0.0,
) -> Saving:
    """Set a router on all folds but one, score it on that one, for every fold.

    The setting is the cheapest that keeps ``share`` of the large tier's mean score on the other folds;
    always-large is always among the candidates, so one is found.

    Args:
        settings: candidates.
        quality: rows by tiers, 0..1; the last column is the large tier.
        cost: rows by tiers.
        fold: the fold of each row.
        share: of the large tier's mean score.
        margin: how many standard errors of its surplus a setting must lie above the promise.
    """
    everything = np.zeros_like(quality)
    everything[:, -1] = 1.0
    candidates = [*settings, Setting("always large", everything)]
    gains = np.stack([(setting.shares * quality).sum(axis=1) for setting in candidates])
    bills = np.stack([(setting.shares * cost).sum(axis=1) for setting in candidates])
    paid, got, sent = np.empty(len(fold)), np.empty(len(fold)), np.empty_like(quality)
    for k in np.unique(fold):
        here = fold == k
        surplus = gains[:, ~here] - share * quality[~here, -1]
        doubt = margin * surplus.std(axis=1) / np.sqrt(surplus.shape[1])
        enough = surplus.mean(axis=1) - doubt >= -1e-12
        enough[-1] = True
        chosen = int(np.argmin(np.where(enough, bills[:, ~here].sum(axis=1), np.inf)))
        paid[here], got[here] = bills[chosen, here], gains[chosen, here]
        sent[here] = candidates[chosen].shares[here]
    return Saving(paid, got, cost[:, -1], quality[:, -1], sent)


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float],
    groups: Sequence[str],
    rng: np.random.Generator,
    draws: int = 1000,
) -> Interval:
    """A measure of row indices with its interval; whole groups (questions) are drawn, not rows.

    For a paired difference, let ``measure`` be the difference.
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(member, kind="stable")
    size = np.bincount(member)
    start = np.cumsum(size) - size
    values = np.empty(draws)
    for draw in range(draws):
        picked = rng.integers(len(size), size=len(size))
        lengths = size[picked]
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        values[draw] = measure(order[np.repeat(start[picked], lengths) + inside])
    defined = values[~np.isnan(values)]
    low, high = np.percentile(defined, INTERVAL) if len(defined) else (float("nan"), float("nan"))
    return Interval(measure(np.arange(len(member))), float(low), float(high))


def _same_length(*arrays: NDArray[np.float64]) -> None:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) != 1 or not lengths[0]:
        raise ValueError(f"need arrays of one length, at least one row; got lengths {lengths}")
