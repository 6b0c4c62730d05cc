"""What a trainer must be able to do, and what a student is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

Kind = Literal["nano", "gguf", "remote"]
Tell = Callable[[str, float], None]  # what is done, and the share of the work that is behind us, 0 to 1


class Student(msgspec.Struct, frozen=True, kw_only=True):
    """What a trainer made. ``student.json`` in its folder.

    Attributes:
        kind: a head of our own, weights for the embedded engine, or a model that lives elsewhere.
        name: how it is called at the endpoint.
        weights: file name inside the folder; empty for a remote one. sha256: of that file.
        model: the remote model's name.
        base: what it was before. teacher: whom it learned from.
        dataset_hash, recipe_hash: of the rows and of the settings it was made with.
        seconds: what the training took. rows: how many it learned from.
        losses: step -> loss, for the learning curve.
        settings: the recipe, as it was used.
    """

    kind: Kind
    name: str
    weights: str = ""
    sha256: str = ""
    model: str = ""
    base: str
    teacher: str
    dataset_hash: str
    recipe_hash: str
    seconds: float
    rows: int
    losses: tuple[tuple[int, float], ...] = ()
    settings: Mapping[str, object] = {}


class Trainer(Protocol):
    """Makes a student of rows."""

    name: str

    def made_of(self) -> Mapping[str, str]:
        """All but the rows that another student would come of: ``recipe`` (its hash) and ``base``.

        Equal rows and equal values name the same student, which is then not made twice.
        """
        ...

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Learn from ``rows`` (labelled ``Example`` lines) and leave the student in ``out``.

        A run that was killed goes on from its last checkpoint in ``out``. Nothing outside ``out`` is touched.

        Raises:
            TrainingError: the rows or the machine do not allow it; the message says what is missing.
        """
        ...


class TrainingError(ValueError):
    """No student came of it. The message says why and how to mend it."""
