"""Which settings of a sequence keep a promise, shown on rows that played no part in choosing the sequence.

Fixed-sequence testing (Maurer, Hothorn and Lehmacher, 1995; as "learn then test", Angelopoulos and others, 2021): the
order is fixed beforehand, safest first, and testing ends at the first setting that is not certified. To certify a
setting that breaks the promise one must pass the first such setting, which happens with at most the error of a single
test; so all that is certified holds at the stated confidence, however many settings are tried.

A promise in several slices is one claim about all of them. A setting is certified only if every slice is, each at the
full confidence: to certify wrongly one must err in the very slice that breaks it (intersection-union test, Berger,
1982). No further correction is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evals.tuning.table import Floats, Mask
from router.core.stats.bounds import (
    most_failures,
    net_limit,
    rows_needed,
    stakes,
    upper_mean,
    upper_net,
    upper_rate,
)

#: n -> rows that differ -> the largest net sum that certifies.
Limits = dict[int, dict[int, int]]


class Shown(NamedTuple):
    """What some rows show of one setting.

    Attributes:
        n: rows. losses, gains: sums over them. mean: of the promise's measure.
        upper: its bound at the promise's confidence. method: which bound.
    """

    n: int
    losses: float
    gains: float
    mean: float
    upper: float
    method: str


class Sums(NamedTuple):
    """Sums over n rows at each setting of a sequence, for losses of 0 or 1."""

    n: int
    losses: Floats
    gains: Floats


def whole(losses: Floats, gains: Floats) -> bool:
    """Whether every loss and gain is 0 or 1, so that counts tell all."""
    return bool(np.isin(losses, (0.0, 1.0)).all() and np.isin(gains, (0.0, 1.0)).all())


def certified(parts: Sequence[Sums], limit: float, confidence: float, *, net: bool, known: Limits | None = None) -> int:
    """How many settings, from the first on, every part certifies. For losses of 0 or 1.

    ``known`` keeps limits of net losses from call to call, for many calls at one limit and confidence.
    """
    steps = len(parts[0].losses)
    for part in parts:
        if net:
            limits = {} if known is None else known.setdefault(part.n, {})
            steps = min(steps, _net_steps(part, limit, confidence, limits))
        else:
            steps = min(steps, _loss_steps(part, limit, confidence))
    return steps


def _loss_steps(part: Sums, limit: float, confidence: float) -> int:
    return first_failure(np.rint(part.losses) <= most_failures(part.n, limit, confidence))


def _net_steps(part: Sums, limit: float, confidence: float, known: dict[int, int]) -> int:
    """An exact test for each number of differing rows, and only where a stricter one has not passed already."""
    losses, gains = np.rint(part.losses).astype(int), np.rint(part.gains).astype(int)
    # What certifies at more differing rows certifies at fewer: the limit falls as they grow.
    most = int((losses + gains).max(initial=0))
    if most not in known:
        known[most] = net_limit(most, part.n, limit, confidence)
    for step, (lost, won) in enumerate(zip(losses.tolist(), gains.tolist(), strict=True)):
        differ = lost + won
        if lost - won <= known[most]:
            continue
        if differ not in known:
            known[differ] = net_limit(differ, part.n, limit, confidence)
        if lost - won > known[differ]:
            return step
    return len(losses)


def for_coming(part: Sums, ahead: int | None) -> Sums:
    """The part as evidence on the mean of so many coming rows, which strays as well as the evidence's.

    The two variances add up, so n rows say as much as ``n · ahead / (n + ahead)`` of them; losses are rounded up, gains
    down. For the long run (None) the part stays as it is.
    """
    if ahead is None or part.n == 0:
        return part
    n = round(part.n * ahead / (part.n + ahead))
    return Sums(n, np.ceil(part.losses * n / part.n), np.floor(part.gains * n / part.n))


def first_failure(passed: Mask) -> int:
    """How many pass before the first that does not."""
    return len(passed) if passed.all() else int(np.argmin(passed))


def certified_by_betting(rows: Sequence[Floats], limit: float, confidence: float, *, net: bool) -> int:
    """As ``certified`` for losses of any size: each part is steps by rows, losses less gains where ``net``.

    Rows must be in an order that does not depend on their outcomes.
    """
    goal = -np.log(1 - confidence)
    steps = len(rows[0])
    for part in rows:
        for step in range(steps):
            x, mean = ((part[step] + 1) / 2, (limit + 1) / 2) if net else (part[step], limit)
            if np.log1p(stakes(x, confidence) * (mean - x)).sum() < goal:
                steps = step
                break
    return steps


def shown(losses: Floats, gains: Floats, confidence: float, *, net: bool) -> Shown:
    """The figures and the bound of one setting on some rows, in an order that does not depend on outcomes."""
    n, lost, won = len(losses), float(losses.sum()), float(gains.sum())
    mean = (lost - won if net else lost) / max(n, 1)
    if not whole(losses, gains):
        x = (losses - gains + 1) / 2 if net else losses
        upper = upper_mean(x, confidence)
        return Shown(n, lost, won, mean, upper * 2 - 1 if net else upper, "betting")
    if net:
        return Shown(n, lost, won, mean, upper_net(round(lost), round(won), n, confidence), "exact, of differences")
    return Shown(n, lost, won, mean, upper_rate(round(lost), n, confidence), "Clopper-Pearson")


def least_rows(limit: float, confidence: float, *, net: bool) -> int:
    """Rows below which nothing is certified, whatever they show."""
    if not net:
        return rows_needed(0, limit, confidence)
    low, high = 1, 2
    while net_limit(0, high, limit, confidence) < 0:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if net_limit(0, middle, limit, confidence) < 0 else (low, middle)
    return high


def rows_missing(seen: Shown, limit: float, confidence: float, *, net: bool) -> int | None:
    """Rows to add to certify a setting that goes on as it is seen here; None where more rows would not help."""
    if seen.n == 0 or seen.mean >= limit:
        return None if seen.n else least_rows(limit, confidence, net=net)
    if not net:
        n = seen.n
        while round(seen.mean * n) > most_failures(n, limit, confidence):
            n = int(n * 1.02) + 1
        return n - seen.n
    # The spread of a difference of -1, 0 or 1; 1.7 stands for the exact test's tail.
    spread = (seen.losses + seen.gains) / seen.n - seen.mean**2
    return max(int((1.7**2) * spread / (limit - seen.mean) ** 2) + 1 - seen.n, 0)
