"""A run and the one it is held against, from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from evals.runs.record import Item, Run
from evals.runs.store import HEADER, read_items, read_run


class Loaded(NamedTuple):
    """A run with its items, and those of the run it is compared with, if any."""

    run: Run
    items: tuple[Item, ...]
    against: Run | None = None
    against_items: tuple[Item, ...] = ()


def load(folder: Path, against: Path | None = None) -> Loaded:
    """Read a run; without ``against``, the run that its header names is taken when it lies beside it.

    Raises:
        RunError: a file is missing or damaged.
    """
    run = read_run(folder)
    other = against or _named(folder, run)
    if other is None:
        return Loaded(run, tuple(read_items(folder)))
    return Loaded(run, tuple(read_items(folder)), read_run(other), tuple(read_items(other)))


def _named(folder: Path, run: Run) -> Path | None:
    beside = folder.parent / run.against
    return beside if run.against and beside != folder and (beside / HEADER).exists() else None
