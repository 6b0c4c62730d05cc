"""Quality against cost: every target, and what a router must beat, on the rows that all of them answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from evals.compare.beta import Floats
from evals.metrics import Interval, Setting
from evals.reports.answers import Answers, cost, quality
from evals.routing import baselines
from router.types import TIER_NAMES

Kind = Literal["target", "tier", "before"]
#: Where several settings cost about the same only the best is drawn; more points than this are not told apart.
_STEPS: Final = 40


class Point(NamedTuple):
    """One way to answer all rows: mean nano-dollars an answer, mean quality."""

    name: str
    kind: Kind
    cost: Interval
    quality: Interval


class Line(NamedTuple):
    """A family of settings, cheapest first: (nano-dollars an answer, quality)."""

    name: str
    points: tuple[tuple[float, float], ...]


class Frontier(NamedTuple):
    """The picture's numbers.

    Attributes:
        rows: answered, judged and priced by everyone in the picture.
        points: targets, and always-small and so on.
        lines: random, prompt length, oracle; empty without at least two tiers that answered the same rows. Each is
            the best its settings reach on these very rows, which flatters them.
    """

    rows: int
    points: tuple[Point, ...]
    lines: tuple[Line, ...]


def frontier(targets: Sequence[Answers], before: Answers | None = None) -> Frontier | None:
    """Points and lines; ``None`` when no row has quality and cost of every target.

    Args:
        targets: in the suite's order.
        before: the first target in the run that is compared with.
    """
    everyone = [*targets, *([before] if before else [])]
    shared = _shared(everyone)
    if shared is None:
        return None
    mine = shared[: len(targets)]
    ladder = _ladder(mine)
    names = {index: f"always {tier}" for tier, index in ladder.items()}
    points = [
        _point(names.get(index, column.target), "tier" if index in names else "target", column)
        for index, column in enumerate(mine)
    ]
    if before:
        points.append(_point(f"{before.target}, before", "before", shared[-1]))
    steps = [mine[index] for index in ladder.values()]
    return Frontier(len(shared[0].items), tuple(points), _lines(steps) if len(steps) > 1 else ())


def only_tier(of: Answers) -> str | None:
    """The tier that gave every answer; ``None`` when there were several, or none is known."""
    tiers = {item.tier for item in of.items if not item.error}
    return next(iter(tiers)) if len(tiers) == 1 else None


def _ladder(columns: Sequence[Answers]) -> dict[str, int]:
    """Where the targets stand that are one tier each, cheapest tier first.

    A router may have sent everything to one tier; the target that is named for it, or stands later, is the tier.
    """
    found: dict[str, int] = {}
    for index, column in enumerate(columns):
        tier = only_tier(column)
        if tier and not (tier in found and columns[found[tier]].target == tier):
            found[tier] = index
    return {tier: found[tier] for tier in TIER_NAMES if tier in found}


def _shared(everyone: Sequence[Answers]) -> list[Answers] | None:
    """The rows that all answered, judged and priced, in one order."""
    keys = [
        {
            (item.id, item.sample): index
            for index, (item, known) in enumerate(
                zip(of.items, (~(np.isnan(of.quality) | np.isnan(of.cost))).tolist(), strict=True)
            )
            if known
        }
        for of in everyone
    ]
    both = [key for key in keys[0] if all(key in other for other in keys[1:])]
    if not both:
        return None
    return [_at(of, [where[key] for key in both]) for of, where in zip(everyone, keys, strict=True)]


def _at(of: Answers, index: list[int]) -> Answers:
    return Answers(
        of.target,
        tuple(of.items[i] for i in index),
        of.quality[index],
        of.cost[index],
        of.baseline[index],
        of.latency[index],
        tuple(of.stems[i] for i in index),
    )


def _point(name: str, kind: Kind, of: Answers) -> Point:
    price, good = cost(of), quality(of)
    assert price is not None
    assert good is not None
    return Point(name, kind, price, good)


def _lines(steps: Sequence[Answers]) -> tuple[Line, ...]:
    quality, price = (np.stack([getattr(step, name) for step in steps], axis=1) for name in ("quality", "cost"))
    rows, tiers = quality.shape
    length = np.array([len(item.prompt) for item in steps[0].items], dtype=float)
    return (
        Line("random", _best(baselines.random_mix(rows, tiers), quality, price)),
        Line("prompt length", _best(baselines.by_score(length, tiers), quality, price)),
        Line("oracle", _best(baselines.by_worth(quality, price, _STEPS * 2), quality, price)),
    )


def _best(settings: Sequence[Setting], quality: Floats, price: Floats) -> tuple[tuple[float, float], ...]:
    """The settings that no other beats at their cost or less."""
    shares = [(float((s.shares * price).sum()), float((s.shares * quality).sum())) for s in settings]
    best, kept = -np.inf, []
    for paid, got in sorted(shares, key=lambda found: (found[0], -found[1])):
        if got > best + 1e-9:
            kept.append((paid / len(price), got / len(price)))
            best = got
    return tuple(kept)
