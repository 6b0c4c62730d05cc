"""Label: say what it would cost, ask the teacher, keep what it said, join it to the rows. Same input, same bytes.

The asking is ``evals.runs``'s: a budget that is never passed, limits of the other side obeyed, every answer kept the
moment it arrives. They are kept in the loop's own folder, masked, so a run that was killed pays nothing twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from evals.distill.curate.said import guards_of
from evals.distill.example import Example, read_examples
from evals.distill.folder import Folder, write_json
from evals.distill.gather.texts import Licence, Licences
from evals.distill.label.kept import (
    SIDES,
    Joined,
    Label,
    LabelError,
    Labels,
    Only,
    Pass,
    added,
    curated,
    joined,
    read_labels,
    read_passes,
    references_of,
    write_labels,
    write_rows,
)
from evals.distill.label.price import Estimate, estimate
from evals.distill.label.teacher import Teacher, asked, label_of
from evals.runs.budget import Budget
from evals.runs.cache import Cache
from evals.runs.execute import refuse_unpriced, stopped_by_signal
from evals.runs.places import Places
from evals.runs.runner import Progress, Ran, Runner
from evals.suites.grammar import Suite

HOPELESS: Final = 20
"""Calls without a single answer after which no further ones are made."""
TOP: Final = 5
"""Alternatives a token that are asked for."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How to label.

    Attributes:
        teacher: a tier, or a deployment of the settings by its name or its model's. config: the settings.
        licences: what models' terms say. budget_usd: the most to spend. limit: rows to ask about, at most.
        only: rows without an answer, or all. held: also rows that are held out, to judge by.
        logprobs: ask for log-probabilities. params: of the requests. parallel: calls at once.
        rest: keep rows that nobody was asked about.
    """

    teacher: str
    config: Path | None = None
    licences: Licences = Licences()
    budget_usd: float | None = None
    limit: int | None = None
    only: Only = "missing"
    held: bool = False
    logprobs: bool = False
    params: dict[str, Any] = {}
    parallel: int = 4
    rest: bool = True


class Labelled(NamedTuple):
    """What came of it.

    Attributes:
        manifest: what ``labels/manifest.json`` says.
        estimate: before it began. ran: the calls. failed: what went wrong -> rows; they are asked again next time.
        references: rows held out that can be judged, of how many.
    """

    manifest: dict[str, Any]
    estimate: Estimate
    ran: Ran
    failed: Counter[str]
    references: tuple[int, int] | None


class _Todo(NamedTuple):
    learned: list[Example]
    held: list[Example]


async def label(
    folder: Folder, wishes: Wishes, agreed: Callable[[Estimate], bool],
    tell: Callable[[Progress], None] = lambda _: None,
) -> Labelled:  # fmt: skip
    """Ask the teacher for what is missing, and leave the rows with their answers.

    Args:
        folder: of the loop, curated.
        wishes: how.
        agreed: hears what it would cost before anything is spent, and says whether to go on.
        tell: hears how far it is.

    Raises:
        LabelError: the rows are not curated, the teacher's terms forbid it, or nobody agreed to the cost.
        ConfigError: the settings do not name the teacher, or a budget cannot be kept. OSError: the disk.
    """
    sides = {side: curated(folder, side) for side in SIDES}
    params = _params(wishes)
    places = Places(Path(), None if wishes.config is None else str(wishes.config.resolve()))
    teacher = Teacher(wishes.teacher, places, params, guards_of(folder.manifest))
    with _alone(folder):
        try:
            await teacher.open()
            this = Pass(
                teacher=wishes.teacher, file=f"{teacher.digest[:16]}.jsonl", only=wishes.only,
                licence=_licence(wishes.licences, teacher.models), params=params,
            )  # fmt: skip
            passes = read_passes(folder)
            mine = read_labels(folder.root / "labels" / this.file)
            todo = _todo(folder, sides, passes, this, mine, wishes)
            with Cache(folder.root / "labels" / "answers.db") as cache:
                foretold = estimate(teacher, [*todo.learned, *todo.held], cache, _lengths(sides))
                if foretold.calls and wishes.budget_usd is not None:
                    refuse_unpriced([teacher], [asked(row) for row in (*todo.learned, *todo.held)])
                if not agreed(foretold):
                    raise LabelError("nothing was asked")
                ran, failed = await _ask(teacher, [*todo.learned, *todo.held], cache, wishes, tell)
                said = {key: _said(teacher, rows, cache) for key, rows in todo._asdict().items()}
        finally:
            await teacher.close()
            await places.close()
        write_labels(folder.root / "labels" / this.file, mine | said["learned"])
        references = _references(folder, said["held"]) if wishes.held else None
        manifest = _written(folder, sides, added(passes, this), rest=wishes.rest)
    return Labelled(manifest, foretold, ran, failed, references)


def _params(wishes: Wishes) -> dict[str, Any]:
    params = {"temperature": 0, "max_tokens": 1024} | wishes.params
    if wishes.logprobs:
        params |= {"logprobs": True, "top_logprobs": TOP}
    return {name: value for name, value in params.items() if value is not None}


@contextlib.contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """One process at a time: two would pay for the same answers, each within its own budget."""
    path = folder.root / "labels" / "lock"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LabelError(f"another process is labelling {folder.root.name}; wait for its end") from None
    finally:
        os.close(handle)


def _licence(licences: Licences, models: Sequence[str]) -> Licence:
    found = {model: licences.of(model) for model in models}
    if forbidden := sorted(model for model, said in found.items() if said == "forbidden"):
        raise LabelError(
            f"the terms of {', '.join(forbidden)} forbid training on its answers. Name another teacher; answers to "
            "judge by come from there too"
        )
    return "allowed" if set(found.values()) == {"allowed"} else "unknown"


def _todo(
    folder: Folder, sides: dict[str, list[Example]], passes: Sequence[Pass], this: Pass, mine: Labels, wishes: Wishes
) -> _Todo:
    """The rows to ask about, each prompt once, in the order of the files."""
    before = [(one, read_labels(folder.root / "labels" / one.file)) for one in passes if one != this]
    learned: dict[str, Example] = {}
    for rows in sides.values():
        answered = {row.id for row in joined(rows, before).rows if row.answer is not None}
        for row in rows:
            if row.id not in mine and (wishes.only == "all" or row.id not in answered):
                learned.setdefault(row.id, row)
    held: dict[str, Example] = {}
    if wishes.held:
        known = read_labels(references_of(folder))
        for path in (folder.holdout, folder.general):
            for row in read_examples(path) if path.exists() else ():
                if row.answer is None and (row.id not in known or known[row.id].answer is None):
                    held.setdefault(row.id, row)
    first = list(learned.values())[: wishes.limit]
    room = None if wishes.limit is None else wishes.limit - len(first)
    return _Todo(first, list(held.values())[:room])


def _lengths(sides: dict[str, list[Example]]) -> list[str]:
    return [row.answer for rows in sides.values() for row in rows if row.answer is not None]


async def _ask(
    teacher: Teacher, rows: Sequence[Example], cache: Cache, wishes: Wishes, tell: Callable[[Progress], None]
) -> tuple[Ran, Counter[str]]:
    """Ask within the budget; what went wrong, and how often."""
    suite = Suite.model_validate(
        {"suite": "label", "about": "What a teacher is asked.", "data": {"file": "train.jsonl"},
         "targets": ({"name": "teacher", "model": wishes.teacher},),
         "scorers": ({"regex": {"pattern": r"\S"}},), "parallel": wishes.parallel}
    )  # fmt: skip
    budget = Budget(None if wishes.budget_usd is None else round(wishes.budget_usd * 1e9))
    runner: Runner

    def watch(at: Progress) -> None:
        if at.done == at.errors >= HOPELESS:
            runner.stop.set()
        tell(at)

    runner = Runner(suite, [teacher], {}, cache, samples=1, budget=budget, tell=watch)
    if not rows:
        return Ran(), Counter()
    with stopped_by_signal(runner.stop):
        ran = await runner.run([asked(row) for row in rows])
    return ran, Counter(item.error for item in ran.items if item.error)


def _said(teacher: Teacher, rows: Iterable[Example], cache: Cache) -> dict[str, Label]:
    """The labels of all rows whose answers are known now."""
    found = ((row.id, cache.get(teacher.key(asked(row), 0))) for row in rows)
    return {key: label_of(key, reply) for key, reply in found if reply is not None}


def _references(folder: Folder, said: Labels) -> tuple[int, int]:
    """Keep answers to judge by: what stands there stays, so that what is judged by does not move."""
    path = references_of(folder)
    known = read_labels(path)
    write_labels(
        path, known | {key: label for key, label in said.items() if label.answer is not None or key not in known}
    )
    now = read_labels(path)
    rows = [row for held in (folder.holdout, folder.general) if held.exists() for row in read_examples(held)]
    fit = sum(row.answer is not None or (row.id in now and now[row.id].answer is not None) for row in rows)
    return fit, len(rows)


def _written(folder: Folder, sides: dict[str, list[Example]], passes: Sequence[Pass], *, rest: bool) -> dict[str, Any]:
    """Join all passes, write the rows, and the manifest last: it says what they are."""
    known = [(one, read_labels(folder.root / "labels" / one.file)) for one in passes]
    told: dict[str, Any] = {"passes": [msgspec.to_builtins(one) for one in passes], "rows": {}, "hashes": {}}
    for side, rows in sides.items():
        done = joined(rows, known, rest=rest)
        path = folder.root / f"{side}.jsonl"
        told["hashes"][path.name] = write_rows(path, done.rows)
        told["rows"][side] = _counts(done)
    told["paid_nano"] = sum(label.cost_nano or 0 for _, labels in known for label in labels.values())
    write_json(folder.root / "labels" / "manifest.json", told)
    return told


def _counts(done: Joined) -> dict[str, Any]:
    answered = [row for row in done.rows if row.answer is not None]
    return {
        "rows": len(done.rows), "answered": len(answered), "unlabelled": done.unlabelled,
        "soft": sum(row.soft is not None for row in answered),
        "with_logprobs": sum(row.tokens is not None for row in answered),
        "teachers": dict(sorted(Counter(row.teacher or "a person" for row in answered).items())),
        "left_out": dict(sorted(done.left_out.items())),
    }  # fmt: skip
