"""Writes the JSON Schemas that let editors complete and check policies and probes as they are typed.

``python -m policies.jsonschema`` writes ``policies/schema.json`` and ``policies/probes.schema.json``.
A schema cannot say everything the loader checks; ``stillhouse check`` has the last word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from guardrails.catalog import CATALOG, Guard
from guardrails.checks import CHECKS, CheckKind
from guardrails.common import Common
from policies.probes import Probes
from policies.schema import PolicyBody

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{model}"


def policy_schema() -> dict[str, Any]:
    """The schema of a policy file, with the settings of every guard in the catalogue."""
    schema = _schema_of(PolicyBody, "Stillhouse policy")
    definitions: dict[str, Any] = schema["$defs"]
    properties: dict[str, Any] = {}
    guards: list[Guard | CheckKind] = [*CATALOG.values(), *CHECKS.values()]
    for guard in guards:
        config = guard.config.model_json_schema(ref_template=_REFERENCE)
        definitions |= config.pop("$defs", {})
        config["properties"] |= {
            name: value
            for name, value in Common.model_json_schema()["properties"].items()
            if guard.name in CATALOG or name == "on_error"
        }
        definitions[guard.config.__name__] = config
        settings = {"anyOf": [{"$ref": f"#/$defs/{guard.config.__name__}"}, {"type": "null"}]}
        properties[guard.name] = {"description": guard.summary, **settings}
    definitions["Guard"] = {
        "description": "One guard: its name and its settings.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    for lists in ("Guards", "GuardLists"):
        for direction in ("input", "output"):
            definitions[lists]["properties"][direction]["items"] = {"$ref": "#/$defs/Guard"}
    return schema


def probes_schema() -> dict[str, Any]:
    """The schema of a probes file."""
    return _schema_of(Probes, "Stillhouse probes")


def render(schema: Mapping[str, Any]) -> str:
    """The file's text: the same schema gives the same bytes."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def files() -> dict[Path, str]:
    """Every file that this module writes, with its text."""
    here = Path(__file__).parent
    return {here / "schema.json": render(policy_schema()), here / "probes.schema.json": render(probes_schema())}


def _schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_REFERENCE)
    return {**schema, "$schema": DIALECT, "title": title}


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
