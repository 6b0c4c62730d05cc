"""The rows that are taken, as they will be written: names of people and addresses masked in them.

Names are told by likelihood, which costs several times what all else does, and few rows are taken of many. So they are
looked for in those alone; whoever takes rows holds them against what is held out as they are afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from evals.distill.curate.clean import Reason, namer
from evals.distill.curate.rules import Rules
from evals.distill.curate.shards import Cleaned, rows_of
from evals.distill.example import Example, decode, encode

Index = npt.NDArray[np.int64]
_BATCH: Final = 500  # rows that a worker takes at once
_SLAB: Final = 16 * _BATCH  # rows that are in memory
_ALONE: Final = 3 * _BATCH  # so many are done sooner than workers begin
_SHARED_ROWS: Final = 20  # rows with one system prompt, and the share of all rows, from which on it is the operator's
_SHARE: Final = 0.01


class Taken:
    """Rows by their place, each masked when it is first asked for and kept in a file of the work's folder.

    Attributes:
        touched: places of rows that hold less than before.
    """

    def __init__(self, work: Path, cleaned: Cleaned, rules: Rules) -> None:
        self.touched: set[int] = set()
        self._work, self._cleaned, self._rules = work, cleaned, rules
        self._shared = operators(cleaned.system)
        self._at: dict[int, tuple[int, int]] = {}
        self._refused: dict[int, Reason] = {}
        self._stack = ExitStack()
        self._pool: Executor | None = None

    def __enter__(self) -> Self:
        """Open the file."""
        path = self._work / "taken.jsonl"
        self._file = self._stack.enter_context(path.open("w+b"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        """Close it, and end the workers."""
        self._stack.__exit__(kind, error, trace)

    def rows(self, places: Index) -> Iterator[Example | Reason]:
        """Each of them as it will be written, or why it will not be; in this order."""
        if not self._rules.names:
            yield from rows_of(self._work, self._cleaned, places)
            return
        self._mask([place for place in places.tolist() if place not in self._at and place not in self._refused])
        for place in places.tolist():
            if (reason := self._refused.get(place)) is not None:
                yield reason
                continue
            begin, size = self._at[place]
            self._file.seek(begin)
            yield decode(self._file.read(size))

    def _mask(self, places: Sequence[int]) -> None:
        end = self._file.seek(0, os.SEEK_END)
        for place, (line, touched) in zip(places, self._masked(places), strict=True):
            if isinstance(line, str):
                self._refused[place] = line
                continue
            self._at[place] = (end, len(line))
            end += self._file.write(line)
            if touched:
                self.touched.add(place)
        self._file.flush()

    def _masked(self, places: Sequence[int]) -> Iterator[tuple[bytes | Reason, bool]]:
        work = partial(_mask_batch, self._rules, self._shared)
        alone = len(places) < _ALONE
        for slab in _cut(places, _SLAB):
            places_ = (np.array(batch, dtype=np.int64) for batch in _cut(slab, _BATCH))
            batches = [list(rows_of(self._work, self._cleaned, some)) for some in places_]
            for done in map(work, batches) if alone else self._workers().map(work, batches):
                yield from done

    def _workers(self) -> Executor:
        if self._pool is None:
            # spawned, not forked: a child must not inherit locks and threads that it does not know
            pool = ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn"))
            self._pool = self._stack.enter_context(pool)
        return self._pool


def operators(system: npt.NDArray[np.uint64]) -> frozenset[int]:
    """The system prompts that so many rows share that they are nobody's own."""
    found, counts = np.unique(system[system != 0], return_counts=True)
    return frozenset(found[counts >= max(_SHARED_ROWS, _SHARE * len(system))].tolist())


def _cut(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (places[at : at + size] for at in range(0, len(places), size))


def _mask_batch(rules: Rules, shared: frozenset[int], rows: list[Example]) -> list[tuple[bytes | Reason, bool]]:
    mask = namer(rules, shared)
    done: list[tuple[bytes | Reason, bool]] = []
    for row in rows:
        clean = mask(row)
        if isinstance(clean, str):
            done.append((clean, False))
        else:
            done.append((encode(clean) + b"\n", clean != row))
    return done
