"""What every trainer asks of its rows before it begins."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from evals.distill.apart import check_apart
from evals.distill.example import Example, RowError, read_examples
from evals.distill.folder import digest_of
from evals.distill.trainers.base import TrainingError

FEWEST: Final = 50


def labelled(path: Path, *held: Path) -> list[Example]:
    """The rows to learn from.

    Args:
        path: JSON Lines of ``Example``.
        held: files of rows that must not be among them, nor nearly.

    Raises:
        TrainingError: they are too few, answers are missing, or the teacher's terms forbid it.
        Overlap: rows are held out.
    """
    try:
        rows = list(read_examples(path))
    except (OSError, RowError) as error:
        raise TrainingError(str(error)) from None
    if len(rows) < FEWEST:
        raise TrainingError(f"{path} has {len(rows)} rows, and {FEWEST} are the fewest that teach anything")
    missing = sum(row.answer is None or not row.answer.strip() for row in rows)
    if missing:
        raise TrainingError(
            f"{missing} of {len(rows)} rows have no answer of a teacher. Ask for them (stillhouse distill label), or "
            "curate again with --answers"
        )
    forbidden = sorted({row.teacher or "a person" for row in rows if row.licence == "forbidden"})
    if forbidden:
        raise TrainingError(f"the terms of {', '.join(forbidden)} forbid training on its answers; curate again")
    if held:
        check_apart(path, *held)
    return rows


def teacher_of(rows: Sequence[Example]) -> str:
    """Whom most of the answers come from."""
    return Counter(row.teacher or "a person" for row in rows).most_common(1)[0][0]


def dataset_hash(path: Path) -> str:
    """Of the rows as they lie in the file."""
    return digest_of(path)


def recipe_hash(recipe: msgspec.Struct) -> str:
    """Of all settings that change what is learned; 32 hex digits."""
    data = msgspec.json.encode([type(recipe).__name__, recipe], order="sorted")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def settings_of(recipe: msgspec.Struct) -> dict[str, Any]:
    """The recipe as ``student.json`` shows it."""
    settings: dict[str, Any] = msgspec.to_builtins(recipe)
    return settings
