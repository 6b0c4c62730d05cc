"""A published protocol as a suite: which evaluation measures it, on what, and what was expected.

It is told by its ``command``; ``evals.runs.protocols`` runs it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from evals.importers.catalog import CATALOG
from policies.mistakes import Problem, refuse
from policies.schema import Strict

Text = Annotated[str, Field(min_length=1)]
Rows = Literal["train", "valid", "routellm"]


class Command(Strict):
    """Which evaluation runs it.

    Attributes:
        module: run as ``python -m module``.
        only: its parts, passed as ``--only``.
        results: the file it writes under ``evals/results``.
        data: whether it needs ``--data``.
    """

    module: Annotated[str, Field(pattern=r"^evals(\.[a-z_]+)+$")]
    only: tuple[Text, ...] = ()
    results: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.json$")] = "routing.json"
    data: bool = True


class Split(Strict):
    """What is kept apart: rows of one stem, one subset, one task or one source; and in how many folds."""

    by: Literal["stem", "subset", "task", "source", "none"]
    folds: Annotated[int, Field(ge=2, le=20)] | None = None


class Expectation(Strict):
    """What a figure should be. Give ``expected``, or a ``note`` that says it in words.

    Attributes:
        known: the best figure known elsewhere.
        higher: whether more is better.
    """

    target: Text
    metric: Text
    known: float | None = None
    expected: float | None = None
    stretch: float | None = None
    higher: bool
    note: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.expected is None and not self.note:
            refuse([Problem((), "give expected, or a note that says what to expect")])
        return self


class Protocol(Strict):
    """One protocol.

    Attributes:
        importers: what rebuilds its rows from public clones.
        rows: the outcome files it reads.
        baselines: what every figure stands beside.
    """

    suite: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    about: Text
    command: Command
    importers: tuple[str, ...]
    rows: tuple[Rows, ...]
    split: Split
    metrics: Annotated[tuple[Text, ...], Field(min_length=1)]
    baselines: tuple[Text, ...]
    expect: tuple[Expectation, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [
            Problem(("importers", index), f"no importer {name!r}", f"one of {', '.join(sorted(CATALOG))}")
            for index, name in enumerate(self.importers)
            if name not in CATALOG
        ]
        problems += [
            Problem(("expect", index, "metric"), f"{item.metric!r} is not among metrics")
            for index, item in enumerate(self.expect)
            if item.metric not in self.metrics
        ]
        if problems:
            refuse(problems)
        return self
