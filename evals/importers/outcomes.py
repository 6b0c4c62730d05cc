r"""Outcome rows: one prompt and how well each of several models answered it.

One JSON object a line, plain or gzip, lines ending in ``\n`` only (prompts may hold other line ends).
Needed: ``id``, ``prompt``, ``scores`` {model: 0..1}. Known: ``source``, ``task``, ``language``,
``output_tokens`` {model: tokens}, ``token_method``, ``stem_hash`` (what must not cross a split),
``split``, ``meta``. Other fields are passed over. A bad row is refused by name, never skipped.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class OutcomeError(ValueError):
    """Rows that cannot be learned from: file, line or row id, what is wrong, how to mend it."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt and its outcomes.

    Attributes:
        scores: model -> share of right answers, 0..1.
        output_tokens: model -> tokens of its answer; absent where unknown.
        token_method: how the tokens are known; ``None`` means they are not.
        stem_hash: equal for rows that share a question; folds are cut along it.
    """

    id: str
    prompt: str
    scores: Mapping[str, float]
    source: str = "own"
    task: str = ""
    language: str = ""
    output_tokens: Mapping[str, float | None] = {}
    token_method: str | None = None
    stem_hash: str = ""
    split: str = ""
    meta: Mapping[str, Any] = {}

    @property
    def stem(self) -> str:
        """The question's identity; the prompt's hash where no stem was given."""
        return self.stem_hash or hashlib.sha256(self.prompt.strip().encode("utf-8", "replace")).hexdigest()[:16]


def read_outcomes(path: Path) -> list[Outcome]:
    """Read and check a file of outcome rows.

    Raises:
        OutcomeError: the file is unreadable or empty, or a row is malformed, has no score, a score
            outside 0..1, or an id seen before.
    """
    rows: list[Outcome] = []
    seen: dict[str, int] = {}
    decoder = msgspec.json.Decoder(Outcome)
    for number, line in _lines(path):
        try:
            row = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise OutcomeError(f"{path}:{number}: not an outcome row: {error}") from None
        if row.id in seen:
            raise OutcomeError(f"{path}:{number}: id {row.id!r} was already used on line {seen[row.id]}")
        problem = _problem(row)
        if problem:
            raise OutcomeError(f"{path}:{number}: row {row.id!r}: {problem}")
        seen[row.id] = number
        rows.append(row)
    if not rows:
        raise OutcomeError(f"{path}: no rows; each line must be one JSON object")
    return rows


def refuse_one_class(rows: Sequence[Outcome], models: Iterable[str]) -> None:
    """Refuse models whose outcomes are all alike: nothing can be learned from them.

    Raises:
        OutcomeError: names the model and one of its rows.
    """
    for model in models:
        holders = [row for row in rows if model in row.scores]
        values = {row.scores[model] for row in holders}
        if not holders:
            raise OutcomeError(f"no row has a score for {model!r}; add rows or drop the model")
        if len(values) == 1:
            raise OutcomeError(
                f"row {holders[0].id!r} and all {len(holders)} rows of {model!r} score {values.pop():g}: "
                "one class only; add rows where it does otherwise or drop the model"
            )


def refuse_shared_stems(train: Sequence[Outcome], held_out: Sequence[Outcome]) -> None:
    """Refuse splits that share a question.

    Raises:
        OutcomeError: counts the shared stems and names one row.
    """
    known = {row.stem for row in train}
    shared = [row.id for row in held_out if row.stem in known]
    if shared:
        raise OutcomeError(
            f"{len(shared)} held-out rows share their question with training, the first is {shared[0]!r}; "
            "split by stem, or drop them with without_stems()"
        )


def without_stems(rows: Sequence[Outcome], target: Sequence[Outcome]) -> list[Outcome]:
    """The rows whose question does not occur in ``target``."""
    banned = {row.stem for row in target}
    return [row for row in rows if row.stem not in banned]


def _problem(row: Outcome) -> str:
    if not row.scores:
        return "no scores; give at least one model's score"
    for model, score in row.scores.items():
        if not (math.isfinite(score) and 0 <= score <= 1):
            return f"score of {model!r} is {score!r}; it must be a number in 0..1"
    for model, tokens in row.output_tokens.items():
        if tokens is not None and not (math.isfinite(tokens) and tokens >= 0):
            return f"output_tokens of {model!r} is {tokens!r}; it must be a number >= 0"
    return ""


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise OutcomeError(f"{path}: cannot be read: {error}") from error
