"""A student against the model it would replace, on what was held out and on other work.

The rows become a suite that ``evals.runs`` asks and scores, and ``evals.gate`` rules on every metric: so a student is
judged by the same measures as anything else. A control (the nano head, say) stands beside it and does not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from evals.distill.apart import check_apart
from evals.distill.example import Example
from evals.distill.folder import Folder, write_json, write_whole
from evals.distill.label.kept import judged_by
from evals.distill.registering import name_of
from evals.distill.trainers.base import Student
from evals.gate.margins import Margin
from evals.gate.runs import MARK, Half
from evals.gate.values import Ruling
from evals.gate.weigh import Named, load, weigh
from evals.runs.execute import Done, Wishes, execute, plan
from evals.runs.record import Item
from evals.runs.runner import Progress
from evals.suites.grammar import Suite
from evals.suites.read import load as load_suite

CANDIDATE: Final = "candidate"
CURRENT: Final = "current"
CONTROL: Final = "control"
MOST_TOKENS: Final = 256
"""Of an answer, where nobody says otherwise."""


Chain = str | tuple[str, ...]
"""A model, or several of one tier that are asked in turn: heads, each of which may abstain, then a model."""


class GateError(ValueError):
    """The student cannot be judged; the message says what is missing."""


class Weighed(NamedTuple):
    """What the gate is told: losses that are put up with, metrics left out, whether a gain is asked for."""

    said: tuple[Margin, ...] = ()
    ignore: tuple[str, ...] = ()
    improves: bool = False


class Judged(NamedTuple):
    """What came of it. ``control`` is the student against the control, where there is one: it does not decide."""

    ruling: Ruling
    control: Ruling | None
    candidate: Named
    sides: tuple[Named, ...]
    left_out: dict[str, int]


async def judge(
    folder: Folder, student: Chain, current: Chain, control: Chain | None, scorers: Sequence[Any], wishes: Wishes,
    tell: Callable[[Progress], None] = lambda _: None, most_tokens: int = MOST_TOKENS, weighed: Weighed | None = None,
) -> Judged:  # fmt: skip
    """Ask all sides the same rows, and rule.

    Args:
        folder: of the loop; runs and suites are left under ``gate``.
        student: the deployment of the settings that is judged.
        current: the one that it would replace.
        control: one that stands beside it; None for none.
        scorers: as in a suite; the answer of a row is its reference.
        wishes: settings, budget and the like.
        tell: hears how far it is.
        most_tokens: of an answer; a longer one is cut off.
        weighed: what losses are put up with.

    Raises:
        GateError: rows are missing, or answers did not come. Overlap: the student has seen what judges it.
        ConfigError: the settings do not name one of the models, or a budget cannot be kept.
    """
    check_apart(folder.train, folder.holdout, folder.general)
    targets = {CANDIDATE: student, CURRENT: current} | ({CONTROL: control} if control else {})
    targets = {name: (each,) if isinstance(each, str) else each for name, each in targets.items()}
    if len(set(targets.values())) != len(targets):
        raise GateError("a model cannot be judged against itself: name another for each side")
    left_out: dict[str, int] = {}
    runs: dict[str, str] = {}
    for name, source in (("holdout", folder.holdout), ("general", folder.general)):
        path = folder.root / "gate" / f"{name}.yaml"
        missing = write_suite(path, name, _judged(folder, source), targets, scorers, most_tokens)
        if missing is None:
            continue
        left_out[name] = missing
        suite = load_suite(path)
        assert isinstance(suite, Suite)
        runs[name] = _finished(await execute(plan(suite, path, wishes), wishes, tell), name)
    if "holdout" not in runs:
        raise GateError(f"{folder.holdout}: no row has an answer to judge by; label the holdout first")

    def side(run: str, target: str) -> Named:
        return load(f"{runs[run]}{MARK}{target}", wishes.runs)

    mine, theirs = side("holdout", CANDIDATE), side("holdout", CURRENT)
    also = [(side("general", CANDIDATE), side("general", CURRENT))] if "general" in runs else []
    ruling = weigh(mine, [theirs], also=also, **(weighed or Weighed())._asdict())
    beside = weigh(mine, [side("holdout", CONTROL)]) if control else None
    return Judged(ruling, beside, mine, (mine, theirs, *(s for pair in also for s in pair)), left_out)


def _judged(folder: Folder, source: Path) -> list[Example]:
    return judged_by(folder, source) if source.exists() else []


def write_suite(
    path: Path, name: str, rows: Sequence[Example], targets: Mapping[str, Sequence[str]], scorers: Sequence[Any],
    most_tokens: int,
) -> int | None:  # fmt: skip
    """Leave a suite and its rows; how many rows have no answer to judge by, None where none has one."""
    answered = [row for row in rows if row.answer is not None]
    if not answered:
        return None
    write_whole(path.with_suffix(".jsonl"), (msgspec.json.encode(_row(row)) + b"\n" for row in answered))
    write_json(
        path,  # JSON is YAML
        {
            "suite": name, "about": "What a student is judged by.", "data": {"file": f"{name}.jsonl"},
            "params": {"temperature": 0, "max_tokens": most_tokens}, "scorers": list(scorers),
            "slices": ["route", "failure"],
            "targets": [_target(each, asked) for each, asked in targets.items()],
        },
    )  # fmt: skip
    return len(rows) - len(answered)


def _target(name: str, asked: Sequence[str]) -> dict[str, Any]:
    first, *behind = asked
    return {"name": name, "model": first} | ({"otherwise": behind} if behind else {})


def _row(row: Example) -> dict[str, Any]:
    return {
        "id": row.id, "messages": [{"role": m.role, "content": m.content} for m in row.messages],
        "reference": row.answer, "route": row.route or "none", "failure": row.failure or "none",
    }  # fmt: skip


def _finished(done: Done, name: str) -> str:
    if done.stopped:
        raise GateError(f"the run on {name} is not whole ({done.stopped}); the same command goes on with it")
    return done.run.id


def student_called(folder: Folder, name: str) -> tuple[str, Student] | None:
    """The student of this loop that is called so, with its digest; None where the loop made none."""
    decode = msgspec.json.Decoder(Student).decode
    for path in sorted((folder.root / "students").glob("*/student.json")):
        student = decode(path.read_bytes())
        if name in {student.name, path.parent.name, name_of(student)}:
            return path.parent.name, student
    return None


def seen_by(folder: Folder, judged: Judged) -> tuple[list[Example], list[Item]]:
    """The rows that were asked, and what came of each for the candidate: on the holdout and on the general rows."""
    rows = [row for path in (folder.holdout, folder.general) for row in _judged(folder, path)]
    mine = (judged.candidate, *judged.sides[2::2])
    return rows, [item for side in mine if isinstance(side.thing, Half) for item in side.thing.items.values()]
