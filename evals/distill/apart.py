"""Rows to learn from and rows to judge by must not meet: exactly, or nearly. Checked again before every training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from evals.distill.curate.near import close_to
from evals.distill.curate.signs import PLACES, Signs, folded, signature
from evals.distill.example import Example, read_examples

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
    rows = list(read_examples(train))
    ids = {row.id for row in judged}
    same = [row.id for row in rows if row.id in ids]
    if not same and judged and rows:
        close = close_to(_signs(rows), _signs(judged), near)
        same = [rows[at].id for at in np.flatnonzero(close)]
    if same:
        raise Overlap(
            f"{train}: {len(same)} of its {len(rows)} rows are held out, or say the same as a row that is "
            f"(the first: {', '.join(same[:3])}). Curate again: a student must not see what judges it."
        )


def _signs(rows: Sequence[Example]) -> Signs:
    return np.array([signature(folded(row.messages)) for row in rows], dtype=np.uint32).reshape(-1, PLACES)
