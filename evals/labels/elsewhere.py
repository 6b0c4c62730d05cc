"""Labelling somewhere else: a file out with what is to be judged, a file in with the scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from evals.labels.choosing import Choice
from evals.labels.texts import TextsError
from evals.labels.value import values
from router.ledger.feedback import WHO, Feedback, give
from router.ledger.place import Place
from router.ledger.read import Reader


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file that comes back; other fields are passed over. A score of null was skipped."""

    id: str
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    who: Annotated[str, msgspec.Meta(pattern=WHO)] | None = None


class Brought(NamedTuple):
    """What became of the lines of a file.

    ``unlike`` were given before by the same judge with another score: feedback is never changed.
    """

    new: int
    known: int
    skipped: int
    unlike: Sequence[str]
    unknown: Sequence[str]


def export(choice: Choice, path: Path, keep: float) -> int:
    """Write what is to be judged, for its owner's eyes only (0600): the texts are in it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        for row, value in zip(choice.rows, values(choice.rows, keep), strict=True):
            text = choice.texts[row.id]
            line = {
                "id": row.id, "tier": row.tier, "asked_times": row.asked, "value_nano": round(float(value)),
                "messages": text.messages, "answer": text.answer, "score": None,
            }  # fmt: skip
            out.write(msgspec.json.encode(line) + b"\n")
    return len(choice.rows)


def bring(path: Path, ledger: Place, who: str, now_ms: int) -> Brought:
    """Keep the scores of a file. All lines are read before the first is kept.

    Raises:
        TextsError: the file cannot be read, or a line is wrong. LedgerError, sqlite3.Error: the ledger cannot be used.
    """
    lines = _read(path)
    new, known = 0, 0
    unlike, unknown, given = [], [], []
    with Reader(ledger) as reader:
        for line in lines:
            if line.score is None:
                continue
            record = reader.request(line.id)
            if record is None or record["outcome"] != "ok":
                unknown.append(line.id)
                continue
            at_ms: int = record["at_ms"]  # type: ignore[assignment]
            given.append(
                Feedback(request_id=line.id, at_ms=at_ms, who=line.who or who, score=line.score, given_ms=now_ms)
            )
    for label in given:
        kept, added = give(ledger, label)
        new, known = new + added, known + (not added and kept == label.score)
        if kept != label.score:
            unlike.append(label.request_id)
    return Brought(new, known, sum(line.score is None for line in lines), unlike, unknown)


def _read(path: Path) -> list[Scored]:
    decoder, found = msgspec.json.Decoder(Scored), []
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TextsError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(decoder.decode(line))
            except msgspec.DecodeError as error:
                raise TextsError(f"{path}:{number}: {error}; a line needs an id, and a score from 0 to 1") from None
    return found
