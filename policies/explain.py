"""Pydantic's errors in plain words: what is wrong, and a guess at what was meant.

A value is repeated in a message so that it can be found, but never where its name says it may be a
credential, and never at length.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from policies.mistakes import Path, Problem, holds_secret, problems_of
from policies.nodes import Node, kind

_LONGEST_ECHO = 40
_LISTED_KEYS = 12
_TRUE_WORDS = frozenset({"yes", "on", "y", "true", "1"})
_FALSE_WORDS = frozenset({"no", "off", "n", "false", "0"})


def explain(error: ErrorDetails, model: type[BaseModel], root: Node) -> Iterator[Problem]:
    """One pydantic error as problems whose paths begin at the root of the file."""
    loc = tuple(part for part in error["loc"] if part != "[key]")
    node, seen = root.find(loc)
    problems = problems_of(error)
    if _is_echo(error, node):
        return
    if problems:
        for problem in problems:
            yield replace(problem, path=(*seen, *problem.path))
    elif error["type"] == "missing":
        yield Problem((*root.find(loc[:-1])[1], loc[-1]), "is required")
    elif error["type"] == "extra_forbidden":
        yield Problem(seen, "unknown key", _unknown_key(str(loc[-1]), loc[:-1], model), on_key=True)
    elif holds_secret(seen):
        yield Problem(seen, *_wrong_secret(error, node))
    else:
        yield Problem(seen, *_wrong_value(error, node))


def _is_echo(error: ErrorDetails, node: Node) -> bool:
    """Whether pydantic only says again that something else is wrong."""
    if error["type"] == "too_short" and isinstance(node.value, tuple):
        least: int = error["ctx"]["min_length"]
        return len(node.value) >= least  # it does not count wrong items
    return error["type"] == "default_factory_not_called"


def closest(word: str, known: list[str]) -> str:
    """The one of ``known`` that a typo most likely meant, or an empty string."""
    lower = word.lower().replace("-", "_")
    if lower in known:
        return lower
    return next(iter(difflib.get_close_matches(lower, known, n=1, cutoff=0.7)), "")


def echo(raw: str) -> str:
    """A value's letters on one line, cut where they are long."""
    shown = raw if len(raw) <= _LONGEST_ECHO else raw[: _LONGEST_ECHO - 1] + "…"
    return " ".join(shown.split())


def _unknown_key(key: str, parent: Path, model: type[BaseModel]) -> str:
    """Guess what an unknown key meant: a typo, or a key that belongs one level deeper."""
    here = _model_at(model, parent)
    if here is None:
        return ""
    known = [field.alias or name for name, field in here.model_fields.items()]
    meant = closest(key, known)
    if meant:
        return f"did you mean {meant!r}?"
    for name, field in here.model_fields.items():
        below = _inner_model(field.annotation)
        if below is not None and key in below.model_fields:
            return f"it belongs under {name!r}"
    return "known keys: " + ", ".join(known) if len(known) <= _LISTED_KEYS else ""


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model that describes the settings at ``path``; list indices and mapping keys are stepped over."""
    here: type[BaseModel] | None = model
    for part in path:
        fields = {} if here is None else {field.alias or name: field for name, field in here.model_fields.items()}
        if part in fields:
            here = _inner_model(fields[str(part)].annotation)
    return here


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """The first model inside an annotation such as ``tuple[Rule, ...] | None``."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_inner_model, get_args(annotation))), None)


def _wrong_value(error: ErrorDetails, node: Node) -> tuple[str, str]:
    ctx: Mapping[str, Any] = error.get("ctx", {})
    wanted = _WANTED.get(error["type"])
    if wanted is not None:
        words, hint = wanted
        return f"expected {words}, found {_found(node)}", hint(node)
    limit = _LIMITS.get(error["type"])
    if limit is not None:
        return limit(ctx, node)
    message = error["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:], ""


def _wrong_secret(error: ErrorDetails, node: Node) -> tuple[str, str]:
    """What may be said about a value that may be a credential: nothing of its letters."""
    pattern = error.get("ctx", {}).get("pattern")
    if pattern:
        return "this value is not in the form that is allowed here", f"it must match {pattern}"
    return _wrong_value(error, replace(node, raw="not shown"))[0], ""


def _found(node: Node) -> str:
    if isinstance(node.value, Mapping | tuple | bool) or node.value is None:
        return kind(node.value)
    return f"{kind(node.value)} ({echo(node.raw)})"


def _as_text(node: Node) -> str:
    return f'quote it to make it text: "{echo(node.raw)}"' if node.raw else ""


def _as_boolean(node: Node) -> str:
    word = node.raw.lower()
    if word in _TRUE_WORDS:
        return "write true"
    return "write false" if word in _FALSE_WORDS else "write true or false"


def _as_number(node: Node) -> str:
    """Guess the number behind ``95%``, ``0,95``, ``1_000``, ``"3"`` or ``010``."""
    if isinstance(node.value, int | float):
        return ""
    raw = node.raw.strip()
    percent = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", raw)
    if percent:
        return f"numbers have no '%': as a share, {percent[1]}% is {float(percent[1]) / 100:g}"
    if re.fullmatch(r"[0-9]+,[0-9]{1,2}", raw):
        return f"write {raw.replace(',', '.')}"
    bare = raw.replace("_", "").replace(",", "").replace(" ", "")
    if re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)?", bare):
        return f"write {bare.lstrip('+').lstrip('0') or '0'}"
    return "write a plain number, without a unit"


def _as_list(node: Node) -> str:
    scalar = not isinstance(node.value, Mapping) and node.raw
    return f"write [{echo(node.raw)}]" if scalar else "write one item a line, each after '- '"


def _as_settings(node: Node) -> str:
    return "write 'key: value' lines below it, indented" if not isinstance(node.value, tuple) else "remove the '- '"


_WANTED: Mapping[str, tuple[str, Callable[[Node], str]]] = {
    "string_type": ("text", _as_text),
    "bool_type": ("true or false", _as_boolean),
    "bool_parsing": ("true or false", _as_boolean),
    "int_type": ("a whole number", _as_number),
    "int_parsing": ("a whole number", _as_number),
    "int_from_float": ("a whole number", lambda _: ""),
    "float_type": ("a number", _as_number),
    "float_parsing": ("a number", _as_number),
    "tuple_type": ("a list", _as_list),
    "list_type": ("a list", _as_list),
    "set_type": ("a list", _as_list),
    "frozen_set_type": ("a list", _as_list),
    "dict_type": ("settings", _as_settings),
    "model_type": ("settings", _as_settings),
    "model_attributes_type": ("settings", _as_settings),
}


def _not_one_of(ctx: Mapping[str, Any], node: Node) -> tuple[str, str]:
    expected = str(ctx["expected"]).replace("True", "true").replace("False", "false")
    known = re.findall(r"'([^']*)'", expected)
    meant = closest(node.raw, known) if known else ""
    found = repr(echo(node.raw)) if isinstance(node.value, str) else _found(node)
    return f"expected {expected}, found {found}", f"did you mean {meant!r}?" if meant else ""


def _bound(words: str, key: str) -> Callable[[Mapping[str, Any], Node], tuple[str, str]]:
    def say(ctx: Mapping[str, Any], node: Node) -> tuple[str, str]:
        hint = ""
        share = key == "le" and ctx[key] == 1 and isinstance(node.value, int | float)
        if share and 1 < float(node.raw) <= 100:
            hint = f"a share runs from 0 to 1: write {float(node.raw) / 100:g}"
        return f"must be {words} {ctx[key]:g}, found {echo(node.raw)}", hint

    return say


def _length(words: str, key: str) -> Callable[[Mapping[str, Any], Node], tuple[str, str]]:
    def say(ctx: Mapping[str, Any], node: Node) -> tuple[str, str]:
        unit = "characters" if isinstance(node.value, str) else "items"
        count = len(node.value) if isinstance(node.value, str | tuple | Mapping) else 0
        return f"must have at {words} {ctx[key]} {unit if ctx[key] != 1 else unit[:-1]}, found {count}", ""

    return say


def _pattern(ctx: Mapping[str, Any], node: Node) -> tuple[str, str]:
    """A value that breaks a pattern; where a tidied-up form of it fits, that is the hint."""
    slug = re.sub(r"[^a-z0-9]+", "-", node.raw.lower()).strip("-")
    fits = bool(slug) and re.search(str(ctx["pattern"]), slug) is not None
    words = f"{echo(node.raw)!r} is not in the form that is allowed here"
    return words, f"write {slug}" if fits else f"it must match {ctx['pattern']}"


_LIMITS: Mapping[str, Callable[[Mapping[str, Any], Node], tuple[str, str]]] = {
    "literal_error": _not_one_of,
    "enum": _not_one_of,
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "string_too_short": _length("least", "min_length"),
    "too_short": _length("least", "min_length"),
    "string_too_long": _length("most", "max_length"),
    "too_long": _length("most", "max_length"),
    "string_pattern_mismatch": _pattern,
}
