"""Whether a JSON value meets a JSON Schema: the part of the language that structured outputs use.

Annotations are passed over. A keyword that is not known here is not guessed at: ``Unsupported`` is raised,
so that a check that could not run is never taken for one that was passed. Recursion ends at ``_DEEPEST``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_DEEPEST = 64
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples",
     "deprecated", "readOnly", "writeOnly", "strict", "name"}
)  # fmt: skip


class Unsupported(Exception):
    """The schema says something that is not checked here."""


def meets(value: Any, schema: Any, root: Any = None, depth: int = 0) -> bool:
    """Whether ``value`` meets ``schema``.

    Raises:
        Unsupported: a keyword or reference is not known, or the schema is nested too deeply.
    """
    if root is None:
        _refuse_unknown(schema, 0)
        root = schema
    if depth > _DEEPEST:
        raise Unsupported("the schema is nested too deeply")
    if isinstance(schema, bool):
        return schema

    def inner(item: Any, part: Any) -> bool:
        return meets(item, part, root, depth + 1)

    return all(_keyword(value, name, said, schema, root, inner) for name, said in schema.items())


def _keyword(
    value: Any, name: str, said: Any, schema: Mapping[str, Any], root: Any, inner: Callable[[Any, Any], bool]
) -> bool:
    if name in _ANNOTATIONS:
        return True
    if name == "$ref":
        return inner(value, _resolve(said, root))
    return _KEYWORDS[name](value, said, schema, inner)


def _refuse_unknown(schema: Any, depth: int) -> None:
    """Look at every keyword first: an unknown one must be told also where another has failed already."""
    if isinstance(schema, bool):
        return
    if depth > _DEEPEST:
        raise Unsupported("the schema is nested too deeply")
    if not isinstance(schema, Mapping):
        raise Unsupported("a schema must be an object")
    for name, said in schema.items():
        if name in ("properties", "$defs", "definitions"):
            parts = list(said.values())
        elif name in ("anyOf", "allOf", "oneOf"):
            parts = list(said)
        else:
            parts = [said] if name in ("items", "additionalProperties") else []
        if name not in _ANNOTATIONS and name not in _KEYWORDS and name != "$ref":
            raise Unsupported(f"the schema's keyword {name!r} is not checked here")
        for part in parts:
            _refuse_unknown(part, depth + 1)


def _resolve(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Unsupported("only references inside the schema are followed")
    here = root
    for part in [p for p in reference[1:].split("/") if p]:
        if not isinstance(here, Mapping) or part not in here:
            raise Unsupported("a reference leads nowhere")
        here = here[part]
    return here


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: _is_number(v) and float(v).is_integer(),
    "number": _is_number,
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def _type(value: Any, said: Any, *_: Any) -> bool:
    names = said if isinstance(said, list) else [said]
    if not all(isinstance(name, str) and name in _TYPES for name in names):
        raise Unsupported("an unknown type")
    return any(_TYPES[name](value) for name in names)


def _same(a: Any, b: Any) -> bool:
    """JSON equality: ``1`` is ``1.0``, but ``true`` is not ``1``."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def _properties(value: Any, said: Mapping[str, Any], _schema: Any, inner: Callable[[Any, Any], bool]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(inner(value[key], part) for key, part in said.items() if key in value)


def _additional(value: Any, said: Any, schema: Mapping[str, Any], inner: Callable[[Any, Any], bool]) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(inner(item, said) for key, item in value.items() if key not in known)


def _items(value: Any, said: Any, _schema: Any, inner: Callable[[Any, Any], bool]) -> bool:
    return not isinstance(value, list) or all(inner(item, said) for item in value)


def _required(value: Any, said: list[str], *_: Any) -> bool:
    return not isinstance(value, dict) or all(key in value for key in said)


def _bound(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    return lambda value, said, *_: isinstance(value, bool) or not isinstance(value, kind) or holds(value, said)


_KEYWORDS: Mapping[str, Callable[..., bool]] = {
    "type": _type,
    "enum": lambda value, said, *_: any(_same(value, item) for item in said),
    "const": lambda value, said, *_: _same(value, said),
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
    "items": _items,
    "anyOf": lambda value, said, _schema, inner: any(inner(value, part) for part in said),
    "allOf": lambda value, said, _schema, inner: all(inner(value, part) for part in said),
    "oneOf": lambda value, said, _schema, inner: sum(inner(value, part) for part in said) == 1,
    "minimum": _bound((int, float), lambda v, s: v >= s),
    "maximum": _bound((int, float), lambda v, s: v <= s),
    "exclusiveMinimum": _bound((int, float), lambda v, s: v > s),
    "exclusiveMaximum": _bound((int, float), lambda v, s: v < s),
    "minLength": _bound(str, lambda v, s: len(v) >= s),
    "maxLength": _bound(str, lambda v, s: len(v) <= s),
    "minItems": _bound(list, lambda v, s: len(v) >= s),
    "maxItems": _bound(list, lambda v, s: len(v) <= s),
}
