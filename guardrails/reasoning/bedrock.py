"""Bringing over a policy of Amazon Bedrock's Automated Reasoning: its exported definition as our settings.

The definition holds ``types`` (enums), ``variables`` and ``rules`` (SMT-LIB with words beside it). Readings, or
translators, are ours to add: Bedrock always asks models.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from guardrails.config import refuse, suggest
from guardrails.types import GuardConfigError

_TYPES: Final = MappingProxyType({"BOOL": "bool", "INT": "int", "REAL": "number", "NUMBER": "number"})


def from_bedrock(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The settings ``variables`` and ``rules`` of a policy definition, as ``export`` gives it.

    Raises:
        GuardConfigErrors: a part is missing, or a variable has an unknown type.
    """
    mistakes: list[GuardConfigError] = []
    enums = dict(_types(definition, mistakes))
    variables: dict[str, Any] = {}
    for index, given in enumerate(definition.get("variables", ())):
        try:
            variables[given["name"]] = _variable(given, enums)
        except (KeyError, TypeError, GuardConfigError) as error:
            mistakes.append(_at(("variables", index), error))
    rules: dict[str, Any] = {}
    for index, given in enumerate(definition.get("rules", ())):
        try:
            words = given.get("alternateExpression")
            rules[given["id"]] = {"smt": given["expression"]} | ({"words": words} if words else {})
        except (KeyError, TypeError, AttributeError) as error:
            mistakes.append(_at(("rules", index), error))
    refuse(mistakes)
    return {"variables": variables, "rules": rules}


def _types(definition: Mapping[str, Any], mistakes: list[GuardConfigError]) -> list[tuple[str, list[str]]]:
    found = []
    for index, given in enumerate(definition.get("types", ())):
        try:
            found.append((given["name"], [value["value"] for value in given["values"]]))
        except (KeyError, TypeError) as error:
            mistakes.append(_at(("types", index), error))
    return found


def _variable(given: Mapping[str, Any], enums: Mapping[str, list[str]]) -> dict[str, Any]:
    kind = given["type"]
    said = {"description": given.get("description") or given["name"]}
    if kind in enums:
        return {"type": "enum", "values": list(enums[kind])} | said
    known = _TYPES.get(str(kind).upper())
    if known is None:
        raise GuardConfigError(("type",), f"unknown type {kind!r}", suggest(str(kind), (*_TYPES, *enums)))
    return {"type": known} | said


def _at(path: tuple[str | int, ...], error: Exception) -> GuardConfigError:
    if isinstance(error, GuardConfigError):
        return GuardConfigError((*path, *error.path), error.message, error.hint)
    return GuardConfigError(
        path, f"this is not a part of a policy definition ({error})", "give the exported definition"
    )
