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


_LARGE = 1024 * 1024  # characters of a body from which long strings are checked a piece at a time
_LONG = 128 * 1024  # of such a string
_PIECE = 32 * 1024
_MOST_QUOTES = 20_000  # where there are more, strings are short, and looking for long ones costs more than it saves


def _shortened(text: str) -> str:
    """The same JSON with its long strings empty, each of them checked in pieces; ``text`` where that is no use.

    The decoder reads a string in one step, during which no other thread has a turn: of ten megabytes, ten milliseconds.

    Raises:
        ValueError: a string is no JSON.
    """
    if text.count('"') > _MOST_QUOTES:
        return text
    parts: list[str] = []
    done = start = 0
    while (start := text.find('"', start)) >= 0:
        end = _string_end(text, start)
        if end < 0:
            return text
        if end - start > _LONG and not text[end + 1 : end + 64].lstrip(" \t\r\n").startswith(":"):  # no key
            _check_string(text, start + 1, end)
            parts += (text[done : start + 1], '"')
            done = end + 1
        start = end + 1
    return "".join((*parts, text[done:]))


def _string_end(text: str, start: int) -> int:
    """Where the string that begins at ``start`` has its closing quote; -1 for nowhere."""
    end = text.find('"', start + 1)
    while end >= 0:
        before = end
        while text[before - 1] == "\\":
            before -= 1
        if (end - before) % 2 == 0:
            return end
        end = text.find('"', end + 1)
    return -1


def _check_string(text: str, at: int, end: int) -> None:
    while at < end:
        cut = min(at + _PIECE, end)
        if cut < end and (escape := text.rfind("\\", cut - 6, cut)) >= 0:  # no cut inside of one
            while escape > at and text[escape - 1] == "\\":
                escape -= 1
            cut = escape if escape > at else end
        _strict_json.decode(f'"{text[at:cut]}"')
        at = cut


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
    if len(text) > _LARGE:
        try:
            _strict_json.decode(_shortened(text))
        except (ValueError, RecursionError, BadJSON):
            pass  # what is wrong, and where, is said of the whole
        else:
            return
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
