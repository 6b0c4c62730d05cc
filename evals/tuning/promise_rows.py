"""The rows of docs/tuning.md: families of tiers, every row scored by a model that never saw its question or source.

The shipped scorer learned from the training split; the chances here come from ``unseen``, fitted anew. Only rows
whose tokens are known for every tier are used, so that all is billed by them. The time that takes is spent once:
``--cache`` keeps the chances.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evals.importers.outcomes import Outcome, read_outcomes
from evals.targets import Family, read_families
from evals.tuning.rows import from_outcomes
from evals.tuning.table import Table
from evals.tuning.unseen import Judges, Unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILIES: Final = {
    "llama-3.1": "Llama-3.1 8B/70B/405B",
    "gemma-2": "Gemma-2 2B/9B/27B",
    "qwen2.5": "Qwen2.5 3B/7B/72B",
    "mixed-2026": "haerae ladder, three vendors",
}
PUZZLES: Final = "haerae-logic"
FOLDS: Final = 5
PUZZLE_GROUPS: Final = 5


class Rows(NamedTuple):
    """A family's rows: with chances of models without the question, and of models without the whole source.

    ``group`` names the source, or the group of puzzle kinds, that a row was left out with.
    """

    rows: Sequence[Outcome]
    known: Table
    left_out: Table
    group: NDArray[np.str_]


def read(data: Path, cache: Path | None) -> dict[str, Rows]:
    """The rows of every family.

    Raises:
        OutcomeError: the files cannot be read.
    """
    files = [data / "train.jsonl.gz", data / "valid.jsonl.gz"]
    rows = [row for file in files for row in read_outcomes(file)]
    families = read_families(data / "families.json")
    group = groups(rows)
    known, left_out = _chances(rows, group, cache, files)
    return {name: _family(rows, group, families[name], known, left_out) for name in FAMILIES}


def groups(rows: Sequence[Outcome]) -> NDArray[np.str_]:
    """What a row is left out with: its source, or fifths of the kinds of puzzles where that source is all there is."""
    kinds = sorted({row.task for row in rows if row.source == PUZZLES})
    part = {kind: number for number, some in enumerate(np.array_split(kinds, PUZZLE_GROUPS)) for kind in some.tolist()}
    named = []
    for row in rows:
        if row.source == PUZZLES:
            named.append(f"puzzles {part[row.task] + 1}")
        else:
            named.append(row.source if row.source.startswith("zeroeval") else "")
    return np.array(named)


def _family(rows: Sequence[Outcome], group: NDArray[np.str_], family: Family, known: Unseen, left_out: Unseen) -> Rows:
    models = list(family.tiers.values())
    use = [
        place
        for place, row in enumerate(rows)
        if all(model in row.scores and row.output_tokens.get(model) for model in models)
    ]
    mine = [rows[place] for place in use]
    table = from_outcomes(mine, family, None)
    return Rows(mine, _scored(table, use, models, known), _scored(table, use, models, left_out), group[use])


def _scored(table: Table, use: Sequence[int], models: Sequence[str], by: Unseen) -> Table:
    chance = by.chance[np.ix_(use, [by.models.index(model) for model in models])]
    return replace(table, chance=chance, guess=table.cost, novelty=by.novelty[use])


def _chances(
    rows: Sequence[Outcome], group: NDArray[np.str_], cache: Path | None, files: Sequence[Path]
) -> tuple[Unseen, Unseen]:
    name = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]
    stored = None if cache is None else cache / f"unseen-{name}.npz"
    if stored is not None and stored.exists():
        with np.load(stored) as found:
            models = tuple(found["models"].tolist())
            return (
                Unseen(models, found["known"], found["known_novelty"]),
                Unseen(models, found["left"], found["left_novelty"]),
            )
    print("fitting models that do not know the rows they judge (some minutes) ...", file=sys.stderr, flush=True)
    judges = Judges(rows)
    known, left = judges.folds(FOLDS), judges.groups(group)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            stored, models=np.array(known.models), known=known.chance, known_novelty=known.novelty,
            left=left.chance, left_novelty=left.novelty,
        )  # fmt: skip
    return known, left


def sources(found: Mapping[str, Rows]) -> dict[str, int]:
    """Rows of each family, for the report."""
    return {name: len(each.rows) for name, each in found.items()}
