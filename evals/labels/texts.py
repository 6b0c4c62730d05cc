"""The texts of answers that are to be judged. The ledger keeps none, so the one who has them brings them.

JSON lines (plain or gzip): ``{"id": the request's id, "messages": [...], "answer": "..."}``; ``response_format`` as in
the request, where there was one. Lines whose id is not asked for are passed over; they are never copied anywhere.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row")


class TextsError(ValueError):
    """A file of texts that cannot be read: file, line, and what is wrong; never the text."""


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer."""

    id: str
    messages: Sequence[Mapping[str, Any]]
    answer: str
    response_format: Mapping[str, Any] | None = None

    @property
    def asked(self) -> str:
        """The conversation as one text, each turn under its role."""
        return "\n\n".join(f"[{turn.get('role', 'user')}]\n{_words(turn.get('content'))}" for turn in self.messages)


class _Id(msgspec.Struct, frozen=True):
    id: str


def text_ids(path: Path) -> set[str]:
    """The request ids of a file.

    Raises:
        TextsError: the file cannot be read, or a line is not of this shape.
    """
    return {row.id for row in _rows(path, _Id)}


def read_texts(path: Path, wanted: Collection[str] | None = None) -> dict[str, Captured]:
    """Captured texts by request id; the last one of an id counts. ``wanted`` limits what is held in memory.

    Raises:
        TextsError: the file cannot be read, or a line is not of this shape.
    """
    return {row.id: row for row in _rows(path, Captured) if wanted is None or row.id in wanted}


def _rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(kind)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    try:
                        yield decoder.decode(line)
                    except msgspec.DecodeError as error:
                        raise TextsError(f"{path}:{number}: not a captured answer: {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise TextsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "[not text]")) for part in content if isinstance(part, dict))
    return ""
