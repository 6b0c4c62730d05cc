"""Two runs of a suite, row by row: every scorer, the quality, errors, cost and latency."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from evals.gate import margins
from evals.gate.columns import Column, Floats, Rows
from evals.gate.margins import Margin
from evals.runs import store
from evals.runs.record import Item, Run
from evals.runs.store import RunError

MARK: Final = "#"
"""Between a run and the target that is meant."""

_NANO: Final = 1e9
Key = tuple[str, int]
Reader = Callable[[Item | None], float | None]


class Half(NamedTuple):
    """One target of a run.

    Attributes:
        items: (row id, sample) -> item.
        digest: SHA-256 of the file of items.
    """

    label: str
    run: Run
    items: Mapping[Key, Item]
    digest: str


def read_half(folder: Path, target: str = "") -> Half:
    """One target of a run; without a name, the first one.

    Raises:
        RunError: a file is missing or damaged, there is no such target, or a row occurs twice.
    """
    run = store.read_run(folder)
    chosen = target or run.targets[0]
    if chosen not in run.targets:
        raise RunError(f"{folder} has no target {chosen!r}; it has {', '.join(run.targets)}")
    items: dict[Key, Item] = {}
    for item in store.read_items(folder):
        if item.target != chosen:
            continue
        if (item.id, item.sample) in items:
            raise RunError(f"{folder}: row {item.id!r}, sample {item.sample}, is there twice")
        items[item.id, item.sample] = item
    if not items:
        raise RunError(f"{folder}: no row of {chosen!r}")
    digest = hashlib.sha256((folder / store.ITEMS).read_bytes()).hexdigest()
    return Half(f"{run.id}{MARK}{chosen}", run, items, digest)


def rows_of(candidate: Half, current: Half, said: Sequence[Margin], prefix: str = "") -> Rows:
    """Both halves on the rows of either; what one has not asked is unknown there.

    ``prefix`` stands before each metric's name.

    Raises:
        RunError: they share no row, or one id asks two things.
    """
    keys = sorted(candidate.items.keys() | current.items.keys())
    shared = candidate.items.keys() & current.items.keys()
    if not shared:
        raise RunError(f"{candidate.label} and {current.label} share no row: were they made from the same data?")
    if changed := sum(candidate.items[key].prompt != current.items[key].prompt for key in shared):
        words = "ids must stay with their questions"
        raise RunError(f"{changed} rows ask something else in {candidate.label} than in {current.label}: {words}")
    pairs = [(candidate.items.get(key), current.items.get(key)) for key in keys]
    one = [new or old for new, old in pairs]
    known = [item for item in one if item is not None]
    codes: dict[str, int] = {}
    stems = np.array([codes.setdefault(item.stem or item.id, len(codes)) for item in known], dtype=np.int64)
    names = dict.fromkeys(name for item in known for name in item.slices)
    slices = {name: [item.slices.get(name, "") for item in known] for name in names}
    columns = [column for column in _columns(pairs, said, prefix) if _any(column)]
    return Rows(columns, stems, slices, _notes(candidate, current, len(keys), len(shared), columns))


def _columns(pairs: Sequence[tuple[Item | None, Item | None]], said: Sequence[Margin], prefix: str) -> list[Column]:
    def column(name: str, values: tuple[Floats, Floats], *, scale: bool, higher: bool, p95: bool = False) -> Column:
        ends = (0.0, 1.0) if scale else (None, None)
        metric = margins.metric_of(name, prefix, said, *ends, higher_is_better=higher)
        return Column(metric, *values, _p95 if p95 else None)

    def both(read: Reader) -> tuple[Floats, Floats]:
        return _array([read(new) for new, _ in pairs]), _array([read(old) for _, old in pairs])

    scorers = sorted({name for pair in pairs for item in pair if item is not None for name in item.scores})
    found = [column(name, both(_score(name)), scale=True, higher=True) for name in scorers]
    quality = column("quality", both(_quality), scale=True, higher=True)
    if not any(_same(quality, column) for column in found):
        found.insert(0, quality)
    latency = both(_latency)
    return [
        *found,
        column("errors", both(_failed), scale=True, higher=False),
        column("cost", both(_dollars), scale=False, higher=False),
        column("latency", latency, scale=False, higher=False),
        column("latency_p95", latency, scale=False, higher=False, p95=True),
    ]


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _score(name: str) -> Reader:
    return lambda item: None if item is None else item.scores.get(name)


def _quality(item: Item | None) -> float | None:
    return None if item is None else item.quality


def _latency(item: Item | None) -> float | None:
    """How long a model took. Where none was asked it is this machine's own haste, and says nothing of a candidate."""
    return None if item is None or not item.model else item.latency_ms


def _failed(item: Item | None) -> float | None:
    return None if item is None else float(bool(item.error))


def _dollars(item: Item | None) -> float | None:
    return None if item is None or item.cost_nano is None else item.cost_nano / _NANO


def _p95(values: Floats) -> float:
    return float(np.quantile(values, 0.95))


def _any(column: Column) -> bool:
    """Whether either side has a figure; what nobody measured is no metric."""
    return bool(np.isfinite(column.candidate).any() or np.isfinite(column.current).any())


def _same(one: Column, other: Column) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in ((one[1], other[1]), (one[2], other[2])))


def _notes(candidate: Half, current: Half, rows: int, shared: int, columns: Sequence[Column]) -> tuple[str, ...]:
    notes = []
    if shared < rows:
        notes.append(f"{rows - shared} of {rows} rows are in one run only and count as unknown in the other")
    notes += [f"{half.label} is not finished" for half in (candidate, current) if not half.run.ended]
    if candidate.run.suite_hash != current.run.suite_hash:
        notes.append(
            "the two runs are of different suites, or of different states of one: only shared rows are compared"
        )
    missing = {"cost", "latency"} - {column.metric.name.rpartition("/")[2] for column in columns}
    if missing:
        notes.append(f"{' and '.join(sorted(missing))} unknown on both sides, so not judged")
    cached = sum(item.cached for half in (candidate, current) for item in half.items.values())
    if cached and "latency" not in missing:
        notes.append(f"{cached} answers came from the cache; their latency is that of the call that filled it")
    return tuple(notes)
