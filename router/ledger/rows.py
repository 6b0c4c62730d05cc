"""Records to rows and rows to plain dictionaries: the one place that knows how a column is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from router.ledger.record import AttemptRecord, RequestRecord

Cell = str | int | float | None
Row = tuple[Cell, ...]

CALLERS_WORDS = 256
"""Code points kept of a field that the caller wrote."""

_REQUEST_FIELDS = RequestRecord.__struct_fields__
_ATTEMPT_FIELDS = AttemptRecord.__struct_fields__
REQUEST_COLUMNS = (*_REQUEST_FIELDS, "attempts", "retries", "fallbacks", "escalations")
ATTEMPT_COLUMNS = ("request_id", "at_ms", *_ATTEMPT_FIELDS)

JSON_COLUMNS = frozenset(
    {"features", "p_right", "output_tokens", "reasons", "predicted_cost", "findings", "lineage", "signals"}
)
_CUT_COLUMNS = ("session", "tag", "requested_model")
_REQUEST_JSON = tuple(i for i, name in enumerate(_REQUEST_FIELDS) if name in JSON_COLUMNS)
_REQUEST_CUT = tuple(i for i, name in enumerate(_REQUEST_FIELDS) if name in _CUT_COLUMNS)
_ATTEMPT_JSON = tuple(i for i, name in enumerate(_ATTEMPT_FIELDS) if name in JSON_COLUMNS)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


INSERT_REQUEST = _insert("requests", REQUEST_COLUMNS)
INSERT_ATTEMPT = _insert("attempts", ATTEMPT_COLUMNS)


def request_row(request: RequestRecord, attempts: Sequence[AttemptRecord]) -> Row:
    """The row of a request, in the order of ``REQUEST_COLUMNS``."""
    values = list(msgspec.structs.astuple(request))
    for i in _REQUEST_JSON:
        values[i] = _json(values[i])
    for i in _REQUEST_CUT:
        if values[i] is not None:
            values[i] = values[i][:CALLERS_WORDS]
    kinds = [attempt.kind for attempt in attempts]
    return (*values, len(kinds), kinds.count("retry"), kinds.count("fallback"), kinds.count("escalation"))


def attempt_row(request: RequestRecord, attempt: AttemptRecord) -> Row:
    """The row of an attempt, in the order of ``ATTEMPT_COLUMNS``."""
    values = list(msgspec.structs.astuple(attempt))
    for i in _ATTEMPT_JSON:
        values[i] = _json(values[i])
    return (request.id, request.at_ms, *values)


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def storable(row: Row) -> Row:
    """``row`` with what SQLite cannot hold made holdable: lone surrogates replaced, integers beyond
    64 bits unknown.

    An odd byte in a caller's tag must not cost the whole record.
    """  # noqa: D205
    return tuple(_storable(cell) for cell in row)


def _storable(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode()
    if isinstance(cell, int) and not -(1 << 63) <= cell < 1 << 63:
        return None
    return cell


def as_dict(columns: Sequence[str], row: Sequence[Cell]) -> dict[str, object]:
    """A row as plain JSON values, as the API and the export show it."""
    shown: dict[str, object] = {}
    for name, cell in zip(columns, row, strict=True):
        if name in JSON_COLUMNS and isinstance(cell, str):
            shown[name] = json.loads(cell)
        elif name == "stream":
            shown[name] = bool(cell)
        else:
            shown[name] = cell
    return shown


def story(
    request: Mapping[str, object],
    attempts: Sequence[Mapping[str, object]],
    feedback: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """One request with its attempts and feedback: what ``GET /v1/stillhouse/requests/{id}`` returns."""
    inner = [{k: v for k, v in attempt.items() if k not in {"request_id", "at_ms"}} for attempt in attempts]
    counts = {"attempts", "retries", "fallbacks", "escalations"}
    return {**{k: v for k, v in request.items() if k not in counts}, "attempts": inner, "feedback": list(feedback)}
