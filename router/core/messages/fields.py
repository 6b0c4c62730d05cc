"""Reading a JSON object member by member, so that a wrong one is named by its path."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from router.errors import BadJSON, BadRequest

_object = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)
_KINDS = {b'"': "text", b"{": "object", b"[": "list", b"t": "bool", b"f": "bool", b"n": "null"}


def kind_of(raw: Raw) -> str:
    """``text``, ``object``, ``list``, ``bool``, ``null`` or ``number``."""
    return _KINDS.get(bytes(memoryview(raw)[:1]), "number")


class Fields:
    """One object of a body. A member that is ``null`` counts as absent.

    Attributes:
        path: where it lies, e.g. ``messages[0].content[1]``; empty for the body itself.
        raw: its members as they were written.
    """

    __slots__ = ("path", "raw")

    def __init__(self, raw: Raw | bytes, path: str) -> None:
        if kind_of(Raw(raw)) != "object":
            raise BadRequest(f"'{path}' must be an object.", param=path)
        self.path = path
        self.raw: dict[str, Raw] = decoded(_object, raw)

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Raw | None:
        """A member of any kind; None where it is absent or null."""
        raw = self.raw.get(name)
        return None if raw is None or kind_of(raw) == "null" else raw

    def of(self, name: str, kind: str, words: str) -> Raw | None:
        """A member of one kind; None where it is absent.

        Raises:
            BadRequest: it is of another kind.
        """
        raw = self.get(name)
        if raw is not None and kind_of(raw) != kind:
            raise BadRequest(f"'{self.at(name)}' must be {words}.", param=self.at(name))
        return raw

    def must(self, name: str, kind: str, words: str) -> Raw:
        """The same for a member that may not be absent."""
        raw = self.of(name, kind, words)
        if raw is None:
            raise BadRequest(f"'{self.at(name)}' is missing; it must be {words}.", param=self.at(name))
        return raw

    def word(self, name: str) -> str:
        """A text that must be there, decoded."""
        return str(decoded(_text, self.must(name, "text", "a string")))

    def text(self, name: str) -> Raw | None:
        """A text as it was written; None where it is absent."""
        return self.of(name, "text", "a string")

    def flag(self, name: str) -> bool:
        """True or false; false where it is absent."""
        raw = self.of(name, "bool", "true or false")
        return raw is not None and bytes(raw) == b"true"

    def number(self, name: str) -> Raw | None:
        """A number as it was written."""
        return self.of(name, "number", "a number")

    def count(self, name: str, least: int = 0) -> int | None:
        """A whole number of at least ``least``; None where it is absent."""
        raw = self.number(name)
        if raw is None:
            return None
        try:
            value = msgspec.json.decode(raw, type=int)
        except msgspec.MsgspecError:
            value = -1
        if not least <= value <= 2**53:
            raise BadRequest(f"'{self.at(name)}' must be an integer of at least {least}.", param=self.at(name))
        return value

    def items(self, name: str) -> list[tuple[Raw, str]]:
        """The items of a list, each with its path; empty where it is absent."""
        raw = self.of(name, "list", "a list")
        return [] if raw is None else items_of(raw, self.at(name))

    def object(self, name: str) -> Fields | None:
        """An object inside; None where it is absent."""
        raw = self.of(name, "object", "an object")
        return None if raw is None else Fields(raw, self.at(name))


def items_of(raw: Raw, path: str) -> list[tuple[Raw, str]]:
    """The items of a list, each with its path."""
    return [(item, f"{path}[{i}]") for i, item in enumerate(decoded(_items, raw))]


def decoded(decoder: msgspec.json.Decoder[Any], raw: Raw | bytes) -> Any:
    """What a decoder reads in JSON that has been checked.

    Raises:
        BadJSON: a string that is not Unicode, or too deep a nesting.
    """
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
