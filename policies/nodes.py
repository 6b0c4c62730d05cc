"""YAML with places and without surprises: text in, a tree of nodes out, or every mistake with its line.

The subset is YAML 1.2's core schema, stricter still, because each surprise below has cost somebody a night:

- only ``true`` and ``false`` are booleans; ``no``, ``on`` and ``True`` are text;
- only plain decimal numbers are numbers; ``010``, ``0x1f``, ``1_000`` and ``.inf`` are text;
- equal keys in one mapping are refused (PyYAML keeps the last one silently);
- tags, merge keys and several documents are refused; aliases may be used, within a limit on what they
  expand to.

A scalar keeps the letters it was written with, so that ``1.10`` where text is wanted can be mended.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from policies.mistakes import Mistake, Mistakes, Path, show_path

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 200_000
MAX_DEPTH = 40

Scalar = str | int | float | bool | None
_At = tuple[int, int]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)?(?:\.[0-9]+|(?<=[0-9])\.)?(?:(?<=[0-9.])[eE][-+]?[0-9]+)?")
_NOT_YAML = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """One value and its place.

    Attributes:
        line, column: where it begins, from 1.
        value: a scalar, a tuple of nodes, or a mapping of keys to entries.
        raw: the letters of a scalar; empty for lists and mappings.
        size: nodes below and including this one, aliases counted each time.
        end: line and column just behind it; those of the last value inside for what ends by its indentation.
    """

    line: int
    column: int
    value: Scalar | tuple[Node, ...] | Mapping[str, Entry]
    raw: str = ""
    size: int = 1
    end: tuple[int, int] = (1, 1)

    def data(self) -> Any:
        """The value as plain dicts, lists and scalars."""
        if isinstance(self.value, tuple):
            return [item.data() for item in self.value]
        if isinstance(self.value, Mapping):
            return {key: entry.node.data() for key, entry in self.value.items()}
        return self.value

    def find(self, path: Path) -> tuple[Node, Path]:
        """Follow ``path`` as far as it exists; give back the last node and the path to it.

        Parts that the tree does not have, such as a missing key or a name that a union adds, are stepped over.
        """
        node: Node = self
        seen: Path = ()
        for part in path:
            below = node.step(part)
            if below is not None:
                node, seen = below, (*seen, part)
        return node, seen

    def step(self, part: str | int) -> Node | None:
        """The node below, if there is one."""
        if isinstance(part, int):
            inside = isinstance(self.value, tuple) and 0 <= part < len(self.value)
            return self.value[part] if inside and isinstance(self.value, tuple) else None
        entry = self.value.get(part) if isinstance(self.value, Mapping) else None
        return entry.node if entry else None

    def place(self, path: Path, *, on_key: bool = False) -> tuple[int, int]:
        """Line and column to point at: a scalar itself; the key of settings, of a list, or ``on_key``."""
        node, seen = self.find(path)
        if seen and isinstance(seen[-1], str) and (on_key or isinstance(node.value, Mapping | tuple)):
            parent, _ = self.find(seen[:-1])
            if isinstance(parent.value, Mapping):
                entry = parent.value[seen[-1]]
                return entry.line, entry.column
        return node.line, node.column


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place and its value."""

    line: int
    column: int
    node: Node


def decode(raw: bytes, *, file: str) -> str:
    """Bytes of a file as text.

    Raises:
        Mistakes: it is too long, or not UTF-8; the place of the first bad byte is named.
    """
    if len(raw) > MAX_BYTES:
        words = f"the file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read"
        raise Mistakes([Mistake(file, 1, 1, show_path(()), words)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8-sig", errors="replace")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise Mistakes([Mistake(file, line, column, show_path(()), message, "save the file as UTF-8")]) from None


def parse(text: str, *, file: str) -> tuple[Node, list[Mistake]]:
    """Text as a tree of nodes whose root is a mapping, with the mistakes that left a tree to look at.

    Raises:
        Mistakes: there is no tree: a fault of syntax (it ends the reading, so mistakes after it
            are not seen), an empty file, a root that is no mapping, a file beyond the limits.
    """
    if len(text) > MAX_BYTES:
        words = f"the file has {len(text):,} characters; at most {MAX_BYTES:,} are read"
        raise Mistakes([Mistake(file, 1, 1, show_path(()), words)])
    text = text.removeprefix("\ufeff")
    stray = _NOT_YAML.search(text)
    if stray:
        line, column = text.count("\n", 0, stray.start()) + 1, stray.start() - text.rfind("\n", 0, stray.start())
        words = f"the character U+{ord(stray[0]):04X} is not allowed in YAML"
        hint = 'in double quotes, write it as an escape such as "\\u0007"'
        raise Mistakes([Mistake(file, line, column, show_path(()), words, hint)])
    builder = _Builder(file)
    try:
        root = builder.build(yaml.parse(text, Loader=_LOADER))
    except _TooMuchError:
        raise Mistakes(builder.mistakes) from None
    except yaml.MarkedYAMLError as error:
        raise Mistakes([*builder.mistakes, _syntax(error, text, file)]) from None
    if root is None or root.value is None:
        raise Mistakes([*builder.mistakes, Mistake(file, 1, 1, show_path(()), "the file is empty")])
    if not isinstance(root.value, Mapping):
        words = f"the file must hold settings as 'key: value', not {kind(root.value)}"
        raise Mistakes([*builder.mistakes, Mistake(file, root.line, root.column, show_path(()), words)])
    return root, builder.mistakes


def kind(value: object) -> str:
    """What a value is, in words, with its article."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "the boolean " + str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "settings" if isinstance(value, Mapping) else "a list"


def resolve(raw: str) -> Scalar:
    """What an unquoted scalar means."""
    if raw in {"", "~", "null"}:
        return None
    if raw in {"true", "false"}:
        return raw == "true"
    if _INT.fullmatch(raw):
        return int(raw)
    if _FLOAT.fullmatch(raw) and any(c.isdigit() for c in raw):
        number = float(raw)
        if math.isfinite(number) and not _looks_whole(raw):
            return number
    return raw


def _looks_whole(raw: str) -> bool:
    """An integer too long for 64 bits stays text: as a float it would lose digits."""
    return raw.lstrip("+-").isdigit()


def _at(event: yaml.Event) -> _At:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _behind(event: yaml.Event, inside: Iterable[_At] = ()) -> _At:
    """Where a value ends: for a closing bracket behind it, for a block behind the last value in it."""
    start, end = event.start_mark, event.end_mark
    closed = start is not None and end is not None and (start.line, start.column) != (end.line, end.column)
    if end is not None and (closed or not inside):
        return end.line + 1, end.column + 1
    return max(inside, default=(1, 1))


class _TooMuchError(Exception):
    """The file is beyond a limit; the mistake is in the builder."""


@dataclass(slots=True)
class _Builder:
    """Turns the parser's events into nodes and keeps what is wrong on the way."""

    file: str
    mistakes: list[Mistake] = field(default_factory=list)
    _anchors: dict[str, Node | None] = field(default_factory=dict)
    _path: list[str | int] = field(default_factory=list)
    _nodes: int = 0

    def wrong(self, at: _At, message: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(self.file, *at, show_path(tuple(self._path)), message, hint))

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.wrong(_at(event), "a second document begins here", "keep one document a file")
                    return root
                root = self._node(next(events), events)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        at = _at(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), at)
        if len(self._path) > MAX_DEPTH:
            del self._path[3:]
            self.wrong(at, f"nested deeper than {MAX_DEPTH} levels")
            raise _TooMuchError
        tag: str | None = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self.wrong(at, f"the tag {tag!r} is not allowed", "write the value without '!'")
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style and tag is None
            value = resolve(event.value) if plain else event.value
            node = self._count(Node(*at, value, event.value, end=_behind(event)))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(at, events)
        else:
            node = self._mapping(at, events)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _sequence(self, at: _At, events: Iterator[yaml.Event]) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            self._path.append(len(items))
            items.append(self._node(event, events))
            self._path.pop()
        end = _behind(event, [item.end for item in items])
        return self._count(Node(*at, tuple(items), size=1 + sum(item.size for item in items), end=end))

    def _mapping(self, at: _At, events: Iterator[yaml.Event]) -> Node:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key, key_at = self._key(event, events), _at(event)
            self._path.append(key or "?")
            node = self._node(next(events), events)
            if key is not None and self._fits(key, key_at, event, entries):
                entries[key] = Entry(*key_at, node)
            self._path.pop()
        size = 1 + sum(entry.node.size for entry in entries.values())
        end = _behind(event, [entry.node.end for entry in entries.values()])
        return self._count(Node(*at, entries, size=size, end=end))

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event]) -> str | None:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        hint = "a value that begins with '{' or '[' needs quotes to be text"
        self.wrong(_at(event), "a key must be a plain word", hint)
        self._node(event, events)
        return None

    def _fits(self, key: str, at: _At, event: yaml.Event, entries: Mapping[str, Entry]) -> bool:
        if key == "<<" and not getattr(event, "style", None):
            self.wrong(at, "merge keys ('<<') are not part of YAML 1.2", "write the keys out")
        elif key in entries:
            words = f"the key {key!r} stands here again; line {entries[key].line} has it already"
            self.wrong(at, words, "keep one of the two")
        else:
            return True
        return False

    def _alias(self, name: str, at: _At) -> Node:
        target = self._anchors.get(name)
        if target is not None:
            end = at[0], at[1] + 1 + len(name)
            return self._count(Node(*at, target.value, target.raw, target.size, end))
        if name in self._anchors:
            self.wrong(at, f"the alias '*{name}' contains itself")
        else:
            hint = f'if it is text, quote it: "*{name}"'
            self.wrong(at, f"'*{name}' names an anchor that does not exist", hint)
        return Node(*at, None)

    def _count(self, node: Node) -> Node:
        """Refuse a file whose aliases expand to more than a person would write."""
        self._nodes += 1
        if node.size > MAX_NODES or self._nodes > MAX_NODES:
            self.wrong((node.line, node.column), f"the file expands to more than {MAX_NODES:,} values")
            raise _TooMuchError
        return node


_MISFITS = ("expected key", "expected ':'", "block end", "document start", "'-' indicator")


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Mistake:
    """A fault of syntax in words, at the place where it can be mended."""
    at = error.problem_mark or error.context_mark
    line, column = (at.line, at.column) if at else (0, 0)
    problem, context = str(error.problem), str(error.context)
    opens = ("quoted", "flow sequence", "flow mapping")
    opened = error.context_mark if any(word in context for word in opens) else None
    lines = text.split("\n")
    if line >= len(text.rstrip().split("\n")):  # the file ends too early: point at where it ends
        line = text.rstrip().count("\n")
        column = len(lines[line].rstrip())
    here = lines[line]
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent:
        column = indent.index("\t")
        words, hint = "a tab indents this line", "indent with spaces"
    elif "mapping values are not allowed" in problem:
        words = "a second ': ' on this line, or a line indented too far"
        hint = "quote text that holds ': '; give the keys of one mapping the same indentation"
    elif "cannot start any token" in problem:
        words, hint = (
            f"a value cannot begin with {here[column : column + 1]!r}",
            "put the value in single quotes",
        )
    elif "escape" in problem:
        words = "this escape is not known in double quotes"
        hint = "in a pattern, use single quotes: they keep every backslash as it is"
    elif opened and "unexpected end of stream" in problem:
        line, column = opened.line, opened.column
        words, hint = "this quote is never closed", "close it on the same line"
    elif opened:
        line, column = opened.line, opened.column
        bracket, closing = ("[", "]") if "sequence" in context else ("{", "}")
        words, hint = f"'{bracket}' opens here and is not closed properly", f"close it with '{closing}'"
    elif "flow node" in context:
        found = max(text.rfind("["), text.rfind("{"))
        line, column = text.count("\n", 0, found), found - text.rfind("\n", 0, found) - 1
        words, hint = f"'{text[found]}' opens here and is never closed", "close it on the same line"
    elif any(sign in problem for sign in _MISFITS):
        words = "this line does not fit the lines above it"
        hint = "check its indentation, and quote text with special characters"
    else:
        words, hint = problem, "put text with special characters in quotes"
    return Mistake(file, line + 1, column + 1, show_path(()), words, hint)
