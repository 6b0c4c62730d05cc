"""Where texts lie in a body: the same for what is asked and for what is answered."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw

from router.errors import BadJSON, BadRequest

NULL = Raw(b"null")
str_decoder = msgspec.json.Decoder(str)


class TextSite(NamedTuple):
    """One text-bearing value of a body: where it came from, what it says, its JSON string."""

    path: str
    role: str
    text: str
    raw: Raw


class FunctionOnWire(msgspec.Struct):
    """A function that is called."""

    name: Raw = NULL
    arguments: Raw = NULL


class CustomOnWire(msgspec.Struct):
    """A tool that takes any text."""

    name: Raw = NULL
    input: Raw = NULL


class CallOnWire(msgspec.Struct):
    """One call of a tool."""

    index: int | None = None
    function: FunctionOnWire | None = None
    custom: CustomOnWire | None = None


items_decoder = msgspec.json.Decoder(list[Raw])
object_decoder = msgspec.json.Decoder(dict[str, Raw])


def is_string(raw: Raw) -> bool:
    """Whether a value is written as a string."""
    view = memoryview(raw)
    return view.nbytes > 0 and view[0] == 0x22


def is_list(raw: Raw) -> bool:
    """Whether a value is written as a list."""
    view = memoryview(raw)
    return view.nbytes > 0 and view[0] == 0x5B


def is_null(raw: Raw) -> bool:
    """Whether a value is null, or not there."""
    return raw == NULL


def word_of(raw: Raw) -> str:
    """A text; empty where it is something else."""
    return str_decoder.decode(raw) if is_string(raw) else ""


def given(raw: Raw) -> bool:
    """Whether a value is there and not null."""
    return raw is not NULL and not is_null(raw)


def add_text(path: str, role: str, raw: Raw, sites: list[TextSite]) -> None:
    """Collect a text that may be absent or null.

    Raises:
        BadRequest: it is something else.
    """
    if raw is NULL or is_null(raw):
        return
    if not is_string(raw):
        raise BadRequest(f"'{path}' must be a string or null.", param=path)
    sites.append(TextSite(path, role, str_decoder.decode(raw), raw))


# Under these keys a part of a message holds text, or parts of its own.
_PART_TEXTS = ("text", "refusal", "thinking", "reasoning", "summary", "content")


MOST_NESTED = 12  # parts in parts; each level reads all of its inside again, so many would cost time without end


def texts_in(path: str, role: str, raw: Raw, sites: list[TextSite], depth: int = 0) -> None:
    """Collect the texts of a field that some servers fill with a string and some with parts, nested or not.

    Raises:
        RecursionError: nested more deeply than any server's parts are.
    """
    if raw is NULL:
        return
    if depth > MOST_NESTED:
        raise RecursionError
    if is_string(raw):
        sites.append(TextSite(path, role, str_decoder.decode(raw), raw))
    elif is_list(raw):
        for item in items_decoder.decode(raw):
            if bytes(memoryview(item)[:1]) == b"{":
                part = object_decoder.decode(item)
                for key in _PART_TEXTS:
                    texts_in(f"{path}[].{key}", role, part.get(key, NULL), sites, depth + 1)
            else:
                texts_in(f"{path}[]", role, item, sites, depth + 1)


_DEEPEST = 40  # levels of a schema; each reads all of its inside again


def strings_in(path: str, role: str, raw: Raw, depth: int = 0) -> list[TextSite]:
    """Every string of a value, however deep. Paths go on record, so no member's name, the caller's word, is in them.

    Raises:
        BadJSON: nested too deeply to be read.
    """
    first = bytes(memoryview(raw)[:1])
    if first == b'"':
        return [TextSite(path, role, str_decoder.decode(raw), raw)]
    if first not in {b"[", b"{"}:
        return []
    if depth > _DEEPEST:
        raise BadJSON(f"'{path.partition('.')[0]}' is nested too deeply.")
    if first == b"[":
        return [site for each in items_decoder.decode(raw) for site in strings_in(f"{path}[]", role, each, depth + 1)]
    members = object_decoder.decode(raw).values()
    return [site for each in members for site in strings_in(f"{path}.*", role, each, depth + 1)]
