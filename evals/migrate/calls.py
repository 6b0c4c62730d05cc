"""Calls that other gateways logged, in one shape: what was asked, of whom, what came of it, what it cost.

One JSON object a line with ``id`` and ``messages``, so ``stillhouse route --in`` decides for it and a suite may name
the file as its data. A bad row is refused by file and line; rows that are no chat, or hold no text, are counted by
their reason.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

MOST_NAMED: Final = 20  # bad rows that are shown; the rest are counted
_NANO: Final = 1_000_000_000
_MOST_BYTES: Final = 1 << 30  # of one file, unpacked


class RowError(ValueError):
    """One row that cannot be read: what is wrong, without a word of its text."""


class Skip(Exception):
    """One row that is no chat completion, or holds no text; the message is the reason, the same for all alike."""


class LogError(ValueError):
    """A file that cannot be read at all, or whose rows are wrong."""


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chat completion.

    Attributes:
        at_ms: when, milliseconds since the epoch.
        messages, tools: OpenAI's.
        model: as the log names it. tenant: whose it was, as far as the log says.
        tokens_cached: of ``tokens_in``. cost_nano: as the log says; None where it says nothing.
    """

    id: str
    source: str
    at_ms: int
    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = []
    tenant: str = "default"
    session: str | None = None
    answer: str = ""
    finish_reason: str | None = None
    stream: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_nano: int | None = None
    latency_ms: int | None = None


class Calls(NamedTuple):
    """The calls of a log, oldest first, and the rows that are none by their reason."""

    found: tuple[Call, ...]
    skipped: Mapping[str, int]


Read = Callable[[Mapping[str, Any]], Call]


def read_calls(paths: Iterable[Path], rows: Callable[[Path], Iterator[tuple[str, Any]]], read: Read) -> Calls:
    """Read every row of every file.

    Args:
        paths: the files.
        rows: a file's rows with their places.
        read: one row; raises ``RowError`` or ``Skip``.

    Raises:
        LogError: a file cannot be read; or rows are wrong or stand twice, all of them named.
    """
    found: dict[str, Call] = {}
    bad: list[str] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        for where, row in rows(path):
            try:
                if not isinstance(row, Mapping):
                    raise RowError("it is no object")
                call = read(row)
                if call.id in found:
                    raise RowError(f"the id {call.id!r} stands twice")
                found[call.id] = call
            except RowError as error:
                bad.append(f"{where}: {error}")
            except Skip as reason:
                skipped[str(reason)] += 1
    if bad:
        more = f"\n… and {len(bad) - MOST_NAMED:,} more" if len(bad) > MOST_NAMED else ""
        raise LogError("\n".join(bad[:MOST_NAMED]) + more)
    return Calls(tuple(sorted(found.values(), key=lambda call: (call.at_ms, call.id))), dict(sorted(skipped.items())))


# --- files


def text_of(path: Path) -> str:
    """A file's text, unpacked where its name ends in ``.gz``.

    Raises:
        LogError: it cannot be read, is no UTF-8, or too large.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is no gzip file, or cut short"
        raise LogError(f"{path}: {str(reason).lower()}") from None
    if len(raw) > _MOST_BYTES:
        raise LogError(f"{path}: more than {_MOST_BYTES:,} bytes; cut it into several")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LogError(f"{path}: not UTF-8 at byte {error.start}") from None


def json_rows(path: Path, text: str | None = None, *, inside: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The rows of JSON Lines, of a JSON list, or of a list inside an object under one of the names ``inside``.

    Raises:
        LogError: it is not JSON.
    """
    text = text_of(path) if text is None else text
    start = text.lstrip()[:1]
    if start == "[" or (start == "{" and inside and _one_document(text)):
        value = _parsed(text, f"{path}")
        if isinstance(value, dict):
            listed = next((value[name] for name in inside if isinstance(value.get(name), list)), None)
            if listed is None:  # JSON Lines of one line
                yield f"{path}:1", value
                return
            value = listed
        yield from ((f"{path}: row {number}", row) for number, row in enumerate(value, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _parsed(line, f"{path}:{number}")


def _one_document(text: str) -> bool:
    """Whether a text that begins with an object holds nothing behind it."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise LogError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise LogError(f"{where}: nested too deeply") from None


# --- fields


def text(row: Mapping[str, Any], name: str) -> str:
    """A field that must be text.

    Raises:
        RowError: it is missing or something else.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise RowError(f"{name!r} must be text")
    return value


def count(row: Mapping[str, Any], name: str) -> int | None:
    """A field that may be a number of things, also as text; None where it is absent.

    Raises:
        RowError: it is no such number.
    """
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"{name!r} must be a whole number") from None
    if isinstance(value, bool) or not 0 <= number < 1 << 53 or number != float(value):
        raise RowError(f"{name!r} must be a whole number, not below zero")
    return number


def nano_of(row: Mapping[str, Any], name: str) -> int | None:
    """A field of USD as nano-dollars; None where it is absent.

    Raises:
        RowError: it is no amount.
    """
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        usd = float(value)
    except (TypeError, ValueError):
        raise RowError(f"{name!r} must be an amount in USD") from None
    if not 0 <= usd < 1e9:
        raise RowError(f"{name!r} must be an amount in USD, not below zero")
    return round(usd * _NANO)


def millis(value: object, name: str) -> int:
    """A time as milliseconds since the epoch; without a zone it is UTC.

    Raises:
        RowError: it is no time.
    """
    if not isinstance(value, str):
        raise RowError(f"{name!r} must be a time such as 2026-11-24T12:00:00Z")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise RowError(f"{name!r} must be a time such as 2026-11-24T12:00:00Z") from None
    at = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


# --- writing


def write_calls(calls: Iterable[Call], path: Path) -> int:
    """Write one call a line, packed where the name ends in ``.gz``; how many."""
    lines = [msgspec.json.encode(call) + b"\n" for call in calls]
    whole = b"".join(lines)
    path.write_bytes(gzip.compress(whole, mtime=0) if path.suffix == ".gz" else whole)
    return len(lines)
