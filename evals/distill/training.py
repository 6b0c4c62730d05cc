"""Train: a student of a loop's rows, in a folder that its making names. Serving is never touched.

``students/<digest>/`` holds ``asked.json`` (what was asked for, written first), what the trainer leaves, and
``student.json`` (written last: a folder that has it is finished). The digest is of the rows, the recipe, the base and
the trainer: the same input leads to the same folder, where a run that was cut short goes on.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from evals.distill.example import RowError, encode, read_examples
from evals.distill.folder import Folder, digest_of, why_not_written, write_json, write_whole
from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.choose import Options, choose
from evals.distill.trainers.files import Busy, sha256_of

_OWN: Final = ("train", "control")
_NOTHING_MADE: Final = frozenset({"asked.json", "rows.jsonl", "lock"})


class Choice(NamedTuple):
    """Which rows are learned from.

    Attributes:
        source: ``train``, ``control``, or a file of rows.
        share: of them, drawn by ``seed``; a smaller share of the same seed is part of a larger one.
    """

    source: str = "train"
    share: float = 1.0
    seed: int = 0


class Trained(NamedTuple):
    """What came of it. ``made`` is false where the student was finished before."""

    digest: str
    student: Student
    made: bool


def train(folder: Folder, name: str, options: Options, choice: Choice, tell: Tell) -> Trained:
    """Make the student, or give back the one that is finished.

    Args:
        folder: of the loop, curated.
        name: of the trainer.
        options: for it; the loop's holdout and general rows are always among those that are held out.
        choice: of rows.
        tell: hears what is done, and the share of it that is behind us.

    Raises:
        TrainingError: the trainer, the rows or the machine do not allow it. Overlap: rows are held out.
    """
    source = _source(folder, choice.source)
    trainer = choose(name, options._replace(held=(folder.holdout, folder.general, *options.held), seed=choice.seed))
    drawn = None if choice.share == 1 else _drawn(source, choice)
    data = digest_of(source) if drawn is None else hashlib.blake2b(drawn, digest_size=16).hexdigest()
    made_of = {"trainer": name, "rows": data, **trainer.made_of()}
    digest = hashlib.blake2b(msgspec.json.encode(made_of, order="sorted"), digest_size=16).hexdigest()
    out = folder.student(digest)
    if (out / "student.json").exists():
        return Trained(digest, finished(out), made=False)
    try:
        asked = {**made_of, "source": choice.source, "share": choice.share, "seed": choice.seed}
        write_json(out / "asked.json", asked)
        if drawn is not None:
            source = out / "rows.jsonl"
            write_whole(source, drawn)
        trainer.train(source, out, tell)
    except Busy:
        raise
    except BaseException as error:
        _drop(out)
        if isinstance(error, OSError):
            raise TrainingError(why_not_written(error, out)) from None
        raise
    return Trained(digest, finished(out), made=True)


def _drop(out: Path) -> None:
    """Remove a folder in which nothing was made: there is nothing to go on from."""
    if out.is_dir() and {path.name for path in out.iterdir()} <= _NOTHING_MADE:
        shutil.rmtree(out, ignore_errors=True)


def _source(folder: Folder, source: str) -> Path:
    if source not in _OWN:
        return Path(source)
    path: Path = getattr(folder, source)
    if not path.exists():
        raise TrainingError(f"{path} is not there. First: stillhouse distill curate {folder.root.name} FILES")
    return path


def _drawn(source: Path, choice: Choice) -> bytes:
    """A share of the rows in the file's order: those whose hash with the seed is least, so that shares are nested."""
    if not 0 < choice.share < 1:
        raise TrainingError(f"a share of {choice.share:g} of the rows cannot be drawn: say more than 0, at most 100%")
    try:
        rows = list(read_examples(source))
    except (OSError, RowError) as error:
        raise TrainingError(str(error)) from None
    places = [hashlib.blake2b(f"{choice.seed}/{row.id}".encode(), digest_size=8).digest() for row in rows]
    taken = sorted(sorted(range(len(rows)), key=places.__getitem__)[: math.ceil(choice.share * len(rows))])
    return b"".join(encode(rows[at]) + b"\n" for at in taken)


def finished(out: Path) -> Student:
    """The student in a folder, its weights compared with what it says of them.

    Raises:
        TrainingError: there is none, or it is damaged.
    """
    path = out / "student.json"
    mend = f"Remove {out} and train again"
    try:
        student = msgspec.json.decode(path.read_bytes(), type=Student)
        found = sha256_of(out / student.weights) if student.weights else ""
    except (OSError, msgspec.MsgspecError, TrainingError) as error:
        raise TrainingError(f"{path}: no student can be read from it ({error}). {mend}") from None
    if found != student.sha256:
        raise TrainingError(f"{out / student.weights} is not the file that was trained. {mend}")
    return student
