"""A foreign YAML file as a tree that knows where everything stands and what has been accounted for.

Foreign files are read as their own program reads them (YAML 1.1, merge keys, the last of two equal keys), not as
strictly as ours. Whoever reads a value accounts for it; what nobody accounted for is found at the end with its line, so
a setting that this code has never heard of is named like the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

MOST_NODES: Final = 1_000_000
MOST_BYTES: Final = 32 * 1024 * 1024
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Escapes of JSON strings, one by one; YAML has no pairs of surrogates.
_ESCAPES: Final = re.compile(r"(?i)\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|u(d[89a-f][0-9a-f]{2})|.)")
_TABS: Final = re.compile(r"^\t+", re.MULTILINE)


class ForeignError(ValueError):
    """The file cannot be read at all: which, where, and why."""


class Tree:
    """One value.

    Attributes:
        path: as people write it, ``model_list[0].litellm_params.model``.
        line: counted from 1.
        value: a scalar, a list of trees, or a mapping of names to trees.
    """

    __slots__ = ("_seen", "line", "path", "value")

    def __init__(self, path: str, line: int, value: object) -> None:
        self.path = path
        self.line = line
        self.value: object = value
        self._seen = False

    def __iter__(self) -> Iterator[Tree]:
        """The items of a list; nothing else has any."""
        if isinstance(self.value, list):
            self._seen = True
            yield from self.value

    def entries(self) -> Mapping[str, Tree]:
        """The entries of a mapping; nothing else has any."""
        if isinstance(self.value, dict):
            self._seen = True
            return self.value
        return {}

    def get(self, name: str) -> Tree | None:
        """An entry that is there and not null."""
        found = self.entries().get(name)
        return None if found is None or found.value is None else found

    def within(self, *names: str) -> Tree | None:
        """An entry of an entry."""
        found: Tree | None = self
        for name in names:
            found = None if found is None else found.get(name)
        return found

    def text(self, name: str) -> str | None:
        """An entry that is text, a number or a truth value, as text; accounted for."""
        found = self.get(name)
        if found is None or isinstance(found.value, list | dict):
            return None
        found.account()
        return str(found.value)

    def number(self, name: str) -> float | None:
        """An entry that is a number, or a text that is one; accounted for only then."""
        found = self.get(name)
        if found is None or isinstance(found.value, bool) or not isinstance(found.value, int | float | str):
            return None
        try:
            number = float(found.value)
        except ValueError:
            return None
        found.account()
        return number

    def truth(self, name: str) -> bool | None:
        """An entry that is true or false; accounted for only then."""
        found = self.get(name)
        if found is None or not isinstance(found.value, bool):
            return None
        found.account()
        return found.value

    def account(self) -> Tree:
        """All of this has been dealt with."""
        self._seen = True
        for below in self._below():
            below.account()
        return self

    def left(self) -> Iterator[Tree]:
        """The largest parts that nobody accounted for, in order."""
        if self.value is None or self.value in ([], {}):
            return  # it says nothing
        if not self._seen:
            yield self
            return
        for below in self._below():
            yield from below.left()

    def _below(self) -> Iterator[Tree]:
        if isinstance(self.value, list):
            yield from self.value
        elif isinstance(self.value, dict):
            yield from self.value.values()

    def data(self) -> Any:
        """Plain lists, mappings and scalars."""
        if isinstance(self.value, list):
            return [item.data() for item in self.value]
        if isinstance(self.value, dict):
            return {name: item.data() for name, item in self.value.items()}
        return self.value


def read_tree(text: str, *, file: str, listed: bool = False) -> Tree:
    """Read a YAML (or JSON) text; ``listed`` lets its root be a list.

    Raises:
        ForeignError: it is not YAML, is beyond the limits, or its root is no mapping.
    """
    if len(text) > MOST_BYTES:
        raise ForeignError(f"{file}: {len(text):,} characters; at most {MOST_BYTES:,} are read")
    if text.lstrip()[:1] in {"{", "["}:  # JSON may be indented with tabs, YAML may not
        text = _ESCAPES.sub(_unescaped, _TABS.sub(lambda found: " " * len(found[0]), text))
    builder = _Builder(file)
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            builder.loader = loader
            root = None if node is None else builder.tree(node, "")
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise ForeignError(f"{file}:{where}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise ForeignError(f"{file}: not YAML, or nested too deeply") from None
    if root is None or not isinstance(root.value, (dict, list) if listed else dict):
        raise ForeignError(f"{file}:1: the file holds no settings ('name: value')")
    return root


def _unescaped(found: re.Match[str]) -> str:
    high, low, alone = found.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return "\ufffd" if alone else "/" if found[0] == "\\/" else found[0]


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.loader: Any = None
        self.nodes = 0

    def tree(self, node: Any, path: str) -> Tree:
        """One node; an anchor that is used twice is built twice, for it is accounted for at each place."""
        self.nodes += 1
        line = node.start_mark.line + 1
        if self.nodes > MOST_NODES:
            raise ForeignError(f"{self.file}:{line}: the file expands to more than {MOST_NODES:,} values")
        if isinstance(node, yaml.SequenceNode):
            return Tree(path, line, [self.tree(item, f"{path}[{i}]") for i, item in enumerate(node.value)])
        if isinstance(node, yaml.MappingNode):
            self.loader.flatten_mapping(node)
            entries: dict[str, Tree] = {}
            for key, value in node.value:
                name = str(self.loader.construct_object(key, deep=True))
                entries[name] = self.tree(value, f"{path}.{name}" if path else name)
                entries[name].line = key.start_mark.line + 1
            return Tree(path, line, entries)
        scalar: object = self.loader.construct_object(node, deep=True)
        if not isinstance(scalar, str | int | float | bool | None):
            scalar = str(node.value)  # a date: the letters as they were written
        return Tree(path, line, scalar)
