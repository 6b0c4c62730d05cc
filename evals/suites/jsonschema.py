"""Writes the JSON Schema that lets editors complete and check suites: ``python -m evals.suites.jsonschema``.

A schema cannot say everything the loader checks; ``stillhouse eval SUITE --dry-run`` has the last word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from evals.suites.grammar import Suite
from evals.suites.scorer_kinds import KINDS
from evals.suites.sources import IMPORTERS
from policies.jsonschema import DIALECT, render

SCHEMA: Final = Path(__file__).with_name("schema.json")


def suite_schema() -> dict[str, Any]:
    """The schema of a suite, with the short forms of scorers and assertions."""
    schema = Suite.model_json_schema(by_alias=True)
    parts: dict[str, Any] = schema["$defs"]
    properties = schema["properties"]
    properties["scorers"]["items"] = {"anyOf": [{"enum": list(KINDS)}, {"$ref": "#/$defs/Scorer"}]}
    properties["assert"]["items"] = {"anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/Assertion"}]}
    parts["Data"]["properties"]["importer"] = {"enum": [*sorted(IMPORTERS), None], "default": None}
    return {**schema, "$schema": DIALECT, "title": "Stillhouse suite"}


def main() -> None:
    """Write the file."""
    SCHEMA.write_text(render(suite_schema()), encoding="utf-8")


if __name__ == "__main__":
    main()
