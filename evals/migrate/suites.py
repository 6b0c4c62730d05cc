"""What the importers of eval tools make: suites in our grammar, each with its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml


@dataclass(slots=True)
class Made:
    """One suite.

    Attributes:
        name: of the suite, and of its two files.
        suite: as it is written; without ``suite`` and ``data``.
        rows: ``{id, messages | prompt, reference?, stem?, …}``.
    """

    name: str
    suite: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def suite_text(made: Made, fields: Mapping[str, str] | None = None) -> str:
    """The suite's YAML; ``fields`` are names of columns that are not the usual ones."""
    data: dict[str, Any] = {"file": f"{made.name}.jsonl"}
    if fields:
        data["fields"] = dict(fields)
    head = {"suite": made.name, "about": made.suite["about"], "data": data}
    rest = {name: value for name, value in made.suite.items() if name != "about"}
    return yaml.dump({**head, **rest}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def rows_bytes(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The rows as JSON Lines."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def write(suites: Iterable[Made], out: Path) -> list[Path]:
    """Write every suite and its rows into a folder; the suites' files.

    Raises:
        FileExistsError: one of the files is there already; nothing was written.
    """
    made = list(suites)
    for one in made:
        for path in (out / f"{one.name}.yaml", out / f"{one.name}.jsonl"):
            if path.exists():
                raise FileExistsError(path)
    out.mkdir(parents=True, exist_ok=True)
    for one in made:
        (out / f"{one.name}.jsonl").write_bytes(rows_bytes(one.rows))
        (out / f"{one.name}.yaml").write_text(suite_text(one), "utf-8")
    return [out / f"{one.name}.yaml" for one in made]
