"""Reading a clone's files: JSON, JSON Lines and CSV, every mistake with file and line.

Texts of the data never appear in an error: it names where and what kind, not what stood there.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from evals.importers.outcomes import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Answers with their thinking are longer than the csv module expects of a field.
_LONGEST_FIELD = 1 << 27


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        OutcomeError: it is missing, unreadable or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise OutcomeError(
            f"{path}: not there; is this a whole clone of the right repository? docs/importers.md names it"
        ) from None
    except UnicodeDecodeError as error:
        raise OutcomeError(f"{path}: not UTF-8 at byte {error.start}; the clone is damaged") from None
    except OSError as error:
        raise OutcomeError(f"{path}: cannot be read: {error.strerror}") from None


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        OutcomeError: as ``text_of``, or it is not JSON.
    """
    return parse_json(text_of(path), str(path))


def parse_json(text: str, name: str) -> Any:
    """A JSON document from a text that came from ``name``."""
    if text.startswith("version https://git-lfs"):
        raise OutcomeError(f"{name}:1: a Git LFS pointer, not the file; run `git lfs pull` in the clone")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise OutcomeError(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a JSON Lines file with its ``file:line``."""
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}:{number}"
            try:
                item = json.loads(line)
            except json.JSONDecodeError as error:
                raise OutcomeError(f"{where}:{error.colno}: not JSON: {error.msg}") from None
            yield where, as_object(item, where)


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each record of a CSV file with the ``file:line`` where it ends.

    Raises:
        OutcomeError: as ``text_of``; a column is missing; a record is short or long.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    table = csv.reader(io.StringIO(text_of(path), newline=""))
    head = next(table, [])
    missing = [column for column in columns if column not in head]
    if missing:
        raise OutcomeError(f"{path}:1: no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, head))}")
    try:
        for record in table:
            if not record:
                continue
            where = f"{path}:{table.line_num}"
            if len(record) != len(head):
                raise OutcomeError(f"{where}: {len(record)} fields where the first line names {len(head)}")
            yield where, dict(zip(head, record, strict=True))
    except csv.Error as error:
        raise OutcomeError(f"{path}:{table.line_num}: not CSV: {error}") from None


def as_object(value: Any, where: str) -> dict[str, Any]:
    """The value, if it is a JSON object."""
    if not isinstance(value, dict):
        raise OutcomeError(f"{where}: expected an object, found {_kind(value)}")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """The value, if it is a JSON array."""
    if not isinstance(value, list):
        raise OutcomeError(f"{where}: expected a list, found {_kind(value)}")
    return value


def text_field(item: dict[str, Any], name: str, where: str) -> str:
    """A field that must hold a text."""
    value = item.get(name)
    if not isinstance(value, str):
        raise OutcomeError(f"{where}: {name!r} must be a text, found {_kind(value) if name in item else 'nothing'}")
    return value


def truth_field(item: dict[str, Any], name: str, where: str) -> float:
    """A field that says right or wrong: a boolean, 0/1, or the same as text."""
    value = item.get(name)
    said = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}.get(str(value).strip().lower())
    if said is None:
        raise OutcomeError(f"{where}: {name!r} must be true or false, found {_kind(value)}")
    return said


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
