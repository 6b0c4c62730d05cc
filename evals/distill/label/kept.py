"""What a teacher said, as it is kept under ``labels/``, and the rows that come of it.

``train.jsonl`` and ``control.jsonl`` are always a function of what curate left and of the labels: what curate left is
kept aside in ``labels/curated/``, so labels can be joined to it again, and the same files give the same bytes.
The holdout is never written; its answers to judge by stand in a file of their own, where none is ever replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from evals.distill.example import Example, encode, read_examples
from evals.distill.folder import Folder, digest_of, write_whole
from evals.distill.gather.texts import Licence
from evals.distill.label.soft import Place, soft_labels

Only = Literal["missing", "all"]
SIDES: Final = ("train", "control")

_encode = msgspec.json.Encoder(order="deterministic").encode


class LabelError(ValueError):
    """Nothing was asked or written. The message says why and how to mend it."""


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a teacher said to one prompt.

    Attributes:
        id: of the prompt. teacher: the model that was asked.
        answer: None where it cannot be learned from; ``why`` says why not.
        chances: token by token, what it chose and what else it might have said, in nats.
        cost_nano: what was paid; None where it is not known.
    """

    id: str
    teacher: str
    answer: str | None = None
    why: str = ""
    chances: tuple[Place, ...] | None = None
    cost_nano: int | None = None


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One asking: whose labels are joined, in the order of the passes.

    Attributes:
        teacher: as it was named. file: of its labels.
        only: whether it answers rows without an answer, or all.
        licence: what the teacher's terms say of training on its answers.
        params: of the requests.
    """

    teacher: str
    file: str
    only: Only
    licence: Licence
    params: dict[str, Any]


Labels = Mapping[str, Label]


class Joined(NamedTuple):
    """Rows with their answers.

    Attributes:
        left_out: why -> rows that a teacher was asked about and that cannot be learned from.
        unlabelled: rows without an answer that nobody was asked about yet; they are among ``rows``.
    """

    rows: list[Example]
    left_out: Counter[str]
    unlabelled: int


# --- files -------------------------------------------------------------------------------------------


def read_labels(path: Path) -> dict[str, Label]:
    """The labels of a file, by the prompt's id; none where it is not there.

    Raises:
        LabelError: a line is no label.
    """
    if not path.exists():
        return {}
    decode = msgspec.json.Decoder(Label).decode
    try:
        found = [decode(line) for line in path.read_bytes().splitlines() if line]
    except msgspec.DecodeError as error:
        raise LabelError(f"{path} is damaged: {error}. Take it away; what was paid for is still known") from None
    return {label.id: label for label in found}


def write_labels(path: Path, labels: Labels) -> None:
    """Keep labels, in the order of their ids."""
    write_whole(path, (_encode(labels[key]) + b"\n" for key in sorted(labels)))


def read_passes(folder: Folder) -> list[Pass]:
    """The askings so far.

    Raises:
        LabelError: their file is damaged.
    """
    path = folder.root / "labels" / "manifest.json"
    if not path.exists():
        return []
    try:
        return msgspec.convert(msgspec.json.decode(path.read_bytes())["passes"], list[Pass])
    except (msgspec.MsgspecError, KeyError, TypeError):
        raise LabelError(
            f"{path} is damaged. Take it away, and label again: what was paid for is still known"
        ) from None


def added(passes: Sequence[Pass], new: Pass) -> list[Pass]:
    """The passes with a new one. One that is there stays where it is, but has the last word if it is for all."""
    if new in passes and new.only == "missing":
        return list(passes)
    return [*(one for one in passes if one != new), new]


def curated(folder: Folder, side: str) -> list[Example]:
    """The rows of ``train`` or ``control`` as curate left them; the first time they are copied aside.

    Raises:
        LabelError: they are not there, or were changed by somebody else.
    """
    path, aside = folder.root / f"{side}.jsonl", folder.root / "labels" / "curated" / f"{side}.jsonl"
    try:
        wanted = msgspec.json.decode(folder.manifest.read_bytes())["hashes"][path.name]
        if digest_of(path) == wanted:
            write_whole(aside, path.read_bytes())
        elif not aside.exists() or digest_of(aside) != wanted:
            raise LabelError(f"{path} is not what curate left. Curate again: stillhouse distill curate")
    except FileNotFoundError as error:
        raise LabelError(
            f"{error.filename} is not there. First: stillhouse distill curate {folder.root.name}"
        ) from None
    except (msgspec.DecodeError, KeyError, TypeError):
        raise LabelError(f"{folder.manifest} is damaged. Curate again: stillhouse distill curate") from None
    return list(read_examples(aside))


# --- rows --------------------------------------------------------------------------------------------


def joined(rows: Iterable[Example], passes: Sequence[tuple[Pass, Labels]], *, rest: bool = True) -> Joined:
    """Rows with the answers of the passes, each in its turn.

    Args:
        rows: as curate left them.
        passes: with their labels, in order.
        rest: keep rows that nobody was asked about.
    """
    kept: list[Example] = []
    chances: dict[str, tuple[Place, ...]] = {}
    left_out: Counter[str] = Counter()
    unlabelled = 0
    for row in rows:
        found, why = _answered(row, passes, chances)
        if found.answer is not None:
            kept.append(found)
        elif why:
            left_out[why] += 1
        else:
            unlabelled += 1
            if rest:
                kept.append(found)
    return Joined(soft_labels(kept, chances), left_out, unlabelled)


def _answered(
    row: Example, passes: Sequence[tuple[Pass, Labels]], chances: dict[str, tuple[Place, ...]]
) -> tuple[Example, str]:  # fmt: skip
    """The row with the answer of the last pass that has a say; else why there is none."""
    why = ""
    for one, labels in passes:
        label = labels.get(row.id)
        if label is None or (row.answer is not None and one.only == "missing"):
            continue
        if label.answer is None:
            why = label.why
            continue
        chances.pop(row.id, None)
        if label.chances is not None:
            chances[row.id] = label.chances
        row = msgspec.structs.replace(
            row, answer=label.answer, teacher=label.teacher, licence=one.licence, soft=None,
            tokens=None if label.chances is None else tuple(others for _, others in label.chances),
        )  # fmt: skip
    return row, why


def write_rows(path: Path, rows: Iterable[Example]) -> str:
    """Replace a file of rows; the content's hash."""
    return write_whole(path, (encode(row) + b"\n" for row in rows))


def judged_by(folder: Folder, path: Path) -> list[Example]:
    """Rows that are held out, with what they are judged by: their own answer, else the reference asked for."""
    references = read_labels(references_of(folder))
    return [
        row if row.answer is not None or (label := references.get(row.id)) is None or label.answer is None
        else msgspec.structs.replace(row, answer=label.answer, teacher=label.teacher)
        for row in read_examples(path)
    ]  # fmt: skip


def references_of(folder: Folder) -> Path:
    """Answers to judge by, of rows that are held out."""
    return folder.root / "labels" / "references.jsonl"
