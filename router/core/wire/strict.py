"""JSON that every reader reads alike: checked once, before anything acts on it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from router.errors import BadJSON


def _no_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) != len(dict(pairs)):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                # A reader that keeps the first and one that keeps the last would see two different
                # requests: what was guarded would not be what the model reads.
                raise BadJSON(f"The key {key!r} appears twice in one object of the body.")
            seen.add(key)


def _no_constants(name: str) -> None:
    raise BadJSON(f"{name} is not JSON.")


_strict_json = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constants, strict=True)


def check_json(body: bytes) -> None:
    """Refuse what two JSON readers could read differently.

    Raises:
        BadJSON: not UTF-8, not JSON, not an object, a repeated key, NaN, or nested too deeply.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    if text[:1] == "\ufeff":
        raise BadJSON("The body begins with a byte order mark; send plain UTF-8.")
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise BadJSON("The body must be a JSON object.")
    try:
        _strict_json.decode(text)
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadJSON(f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}.") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise BadJSON(f"The body is not JSON we can read: {type(error).__name__}.") from None


def value_of(raw: bytes | Raw) -> Any:
    """What a part of a checked body says.

    Raises:
        BadJSON: a number too large for any reader, or a string that is no Unicode.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a number that is too large, or a string that is not valid Unicode.") from None
