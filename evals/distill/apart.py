"""Rows to learn from and rows to judge by must not meet: exactly, or nearly. Checked again before every training."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evals.distill.curate.fence import Fence
from evals.distill.curate.signs import folded
from evals.distill.example import read_examples

NEAR: Final = 0.8


class Overlap(ValueError):
    """Rows to learn from are among the rows to judge by."""


def check_apart(train: Path, *held: Path, near: float = NEAR) -> None:
    """Refuse rows to learn from that are held out, or say the same as one that is.

    Raises:
        Overlap: with how many, and which are the first; or a file is not there.
    """
    for path in (train, *held):
        if not path.exists():
            raise Overlap(f"{path} is not there, so nobody can tell what is held out. First: stillhouse distill curate")
    judged = [row for path in held for row in read_examples(path)]
    ids = {row.id for row in judged}
    fence = Fence([folded(row.messages) for row in judged], near)
    rows = 0
    same: list[str] = []
    for row in read_examples(train):
        rows += 1
        if row.id in ids or fence.close(folded(row.messages)):
            same.append(row.id)
    if same:
        raise Overlap(
            f"{train}: {len(same)} of its {rows} rows are held out, or say the same as a row that is "
            f"(the first: {', '.join(same[:3])}). Curate again: a student must not see what judges it."
        )
