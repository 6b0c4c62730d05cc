"""All that a report says, as plain values: what each kind of report then only words. Pure; equal runs, equal values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from evals.compare.paired import Difference, NoPairs, compare
from evals.compare.pairs import Pairs, pair
from evals.compare.slices import SliceDifference, by_slice
from evals.metrics import Interval
from evals.reports import answers
from evals.reports.answers import Answers, Figures
from evals.reports.frontier import Frontier, frontier, only_tier
from evals.reports.load import Loaded
from evals.reports.reliability import Confusion, Reliability, confusion, reliability
from evals.runs.record import Item, Run
from router.types import TIER_NAMES

#: So many of the worst are shown with both answers.
WORST: Final = 20
_DRAWS: Final = 4_999


class Reference(NamedTuple):
    """What the first target is held against: the same target before, or the run's largest tier."""

    name: str
    pairs: Pairs
    quality: Difference | None
    cost: tuple[float, float] | None

    @property
    def answers(self) -> tuple[Item, ...]:
        """The reference's side of the pairs."""
        return self.pairs.incumbent


class SliceLine(NamedTuple):
    """One value of a slice under the first target, and against the reference if there is one."""

    slice: str
    value: str
    answers: int
    quality: Interval | None
    cost: Interval | None
    against: SliceDifference | None


class Loss(NamedTuple):
    """A row that the first target answered worse than the reference; without one, a badly answered row."""

    item: Item
    other: Item | None
    delta: float


class Summary(NamedTuple):
    """Everything there is to say; parts are ``None`` or empty where the run knows nothing of them."""

    run: Run
    against: Run | None
    targets: tuple[Figures, ...]
    reference: Reference | None
    frontier: Frontier | None
    slices: tuple[SliceLine, ...]
    reliability: Reliability | None
    confusion: Confusion | None
    losses: tuple[Loss, ...]
    worse: int
    better: int

    @property
    def main(self) -> Figures | None:
        """The first target, which comparisons are about."""
        return self.targets[0] if self.targets else None


def summarise(loaded: Loaded) -> Summary:
    """The summary of a run, held against another one if there is one."""
    run = loaded.run
    columns = [answers.answers_of(target, loaded.items) for target in run.targets]
    columns = [column for column in columns if column.items]
    first = columns[0] if columns else None
    before = _before(first, loaded)
    reference = _reference(first, before, columns)
    losses, worse, better = _losses(first, reference)
    return Summary(
        run=run,
        against=loaded.against,
        targets=tuple(answers.figures(column) for column in columns),
        reference=reference,
        frontier=frontier(columns, before) if columns else None,
        slices=_slices(run, first, reference) if first else (),
        reliability=reliability(first.items) if first else None,
        confusion=confusion(first.items) if first else None,
        losses=losses,
        worse=worse,
        better=better,
    )


def _before(first: Answers | None, loaded: Loaded) -> Answers | None:
    """The first target's answers in the other run; its first target's, where the name is new."""
    if first is None or loaded.against is None:
        return None
    names = [first.target, *loaded.against.targets]
    found = (answers.answers_of(name, loaded.against_items) for name in names)
    return next((column for column in found if column.items), None)


def _reference(first: Answers | None, before: Answers | None, columns: Sequence[Answers]) -> Reference | None:
    if first is None:
        return None
    if before is not None:
        return _held_against(f"{before.target} before", first, before)
    ladder = {only_tier(column): column for column in reversed(columns[1:])}
    largest = next((ladder[tier] for tier in reversed(TIER_NAMES) if tier in ladder), None)
    return _held_against(largest.target, first, largest) if largest else None


def _held_against(name: str, first: Answers, other: Answers) -> Reference:
    pairs = pair(first.items, other.items)
    try:
        difference = compare(*pairs.quality, pairs.stems, draws=_DRAWS)
    except NoPairs:
        difference = None
    return Reference(name, pairs, difference, _costs(pairs))


def _costs(pairs: Pairs) -> tuple[float, float] | None:
    """Mean nano-dollars of both sides, on rows where both are known."""
    known = [
        (mine.cost_nano, other.cost_nano)
        for mine, other in zip(pairs.candidate, pairs.incumbent, strict=True)
        if mine.cost_nano is not None and other.cost_nano is not None
    ]
    if not known:
        return None
    return sum(row[0] for row in known) / len(known), sum(row[1] for row in known) / len(known)


def _slices(run: Run, first: Answers, reference: Reference | None) -> tuple[SliceLine, ...]:
    names = run.slices or tuple(sorted({name for item in first.items for name in item.slices}))
    held = {}
    if reference is not None and reference.quality is not None:
        labels = {name: reference.pairs.labels(name) for name in names}
        judged = by_slice(*reference.pairs.quality, reference.pairs.stems, labels, draws=_DRAWS)
        held = {(found.slice, found.value): found for found in judged}
    lines = []
    for name in names:
        values = np.array([item.slices.get(name, "") for item in first.items], dtype=object)
        for value in sorted({str(value) for value in values if value}):
            part = first.rows(values == value)
            against = held.get((name, value))
            lines.append(SliceLine(name, value, len(part.items), answers.quality(part), answers.cost(part), against))
    return tuple(lines)


def _losses(first: Answers | None, reference: Reference | None) -> tuple[tuple[Loss, ...], int, int]:
    """The worst rows, and how many rows got worse and better."""
    if first is None:
        return (), 0, 0
    if reference is None:
        bad = [Loss(item, None, item.quality) for item in first.items if item.quality is not None and item.quality < 1]
        return tuple(sorted(bad, key=lambda loss: loss.delta)[:WORST]), 0, 0
    moved = [
        Loss(mine, other, mine.quality - other.quality)
        for mine, other in zip(reference.pairs.candidate, reference.pairs.incumbent, strict=True)
        if mine.quality is not None and other.quality is not None and mine.quality != other.quality
    ]
    worse = sorted((loss for loss in moved if loss.delta < 0), key=lambda loss: loss.delta)
    return tuple(worse[:WORST]), len(worse), len(moved) - len(worse)
