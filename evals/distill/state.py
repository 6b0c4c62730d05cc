"""What a loop has come to, read from its folder: numbers and hashes, never a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from evals.distill.example import read_examples
from evals.distill.folder import Folder
from evals.distill.trainers.base import Student
from router.registry.weights import WeightsError, candidates

WORST: Final = 5  # clusters and losses that are shown
_BARS: Final = "▁▂▃▄▅▆▇█"


class StateError(ValueError):
    """A file of the loop is damaged; the message says which."""


def loops(home: Path) -> list[str]:
    """The names of all loops, sorted."""
    root = home / "distill"
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def state_of(folder: Folder) -> dict[str, Any]:
    """All that is known of a loop; what has not been done yet is missing or empty.

    Raises:
        StateError: there is no such loop, or a file is damaged.
    """
    if not folder.root.is_dir():
        raise StateError(f"there is no loop {folder.root.name!r}; 'stillhouse distill import' begins one")
    manifest = _read(folder.manifest) if folder.manifest.exists() else None
    return {
        "name": folder.root.name,
        "imported": sorted(path.stem for path in (folder.root / "rows").glob("*.jsonl")),
        "rows": manifest["rows"] if manifest else None,
        "left_out": manifest["left_out"] if manifest else {},
        "licence": manifest["licence"] if manifest else None,
        "failing": _failing(manifest) if manifest else [],
        "unanswered": _unanswered(folder.train) if manifest else 0,
        "labels": _read(labels) if (labels := folder.root / "labels" / "manifest.json").exists() else None,
        "exports": [_export(path) for path in sorted((folder.root / "exports").glob("*.json"))],
        "unfinished": sum(not (path.parent / "student.json").exists()
                          for path in (folder.root / "students").glob("*/asked.json")),
        "students": [_student(path) for path in sorted((folder.root / "students").glob("*/student.json"))],
        "registered": _registered(folder),
        "gates": [_gate(path) for path in sorted((folder.root / "gate").glob("*.json"))],
    }  # fmt: skip


def _registered(folder: Folder) -> dict[str, str]:
    """The digest of each student that is a candidate -> what it is called at the endpoint."""
    try:
        return {one.student: one.name for one in candidates(folder.root.parents[1]) if one.student}
    except WeightsError as error:
        raise StateError(str(error)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StateError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no JSON'}") from None
    if not isinstance(found, dict):
        raise StateError(f"{path} is no object")
    return found


def _unanswered(train: Path) -> int:
    try:
        return sum(row.answer is None for row in read_examples(train))
    except (OSError, ValueError) as error:
        raise StateError(f"{train} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _export(path: Path) -> dict[str, Any]:
    told = _read(path)
    return {name: told.get(name) for name in ("file", "format", "rows", "source", "hash")}


def _failing(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The clusters with the most failures."""
    numbered = [{"cluster": at, **cluster} for at, cluster in enumerate(manifest["clusters"])]
    return sorted(numbered, key=lambda c: (-c["rows"] * c["failure_rate"], c["cluster"]))[:WORST]


def _student(path: Path) -> dict[str, Any]:
    try:
        student = msgspec.json.decode(path.read_bytes(), type=Student)
    except (OSError, msgspec.MsgspecError):
        raise StateError(f"{path} is no student") from None
    told: dict[str, Any] = msgspec.to_builtins(student)
    return {"digest": path.parent.name, **told}


def _gate(path: Path) -> dict[str, Any]:
    told = _read(path)
    losses = [each for each in told.get("metrics", ()) if each.get("verdict") == "no"]
    return {
        "evidence": path.name, "candidate": told.get("candidate", {}).get("name", ""), "verdict": told.get("verdict"),
        "says": told.get("says", ""), "metrics": told.get("metrics", []),
        "student": told.get("student", {}).get("digest"), "losses": losses[:WORST],
    }  # fmt: skip


def curve(losses: list[list[float]], width: int = 24) -> str:
    """A learning curve in one line of text: the loss from its first step to its last."""
    values = [loss for _, loss in losses]
    if not values:
        return ""
    step = max(1, len(values) // width)
    shown, low, high = values[::step], min(values), max(values)
    span = (high - low) or 1.0
    bars = "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in shown)
    return f"{bars} {values[0]:.3g} → {values[-1]:.3g}"


def tree(state: dict[str, Any]) -> Iterator[str]:
    """Lineage: bases, the students made of them, and what the gate said of each."""
    said = {gate["student"]: gate["verdict"] for gate in state["gates"] if gate["student"]}
    by_base: dict[str, list[dict[str, Any]]] = {}
    for student in state["students"]:
        by_base.setdefault(student["base"], []).append(student)
    for base, students in sorted(by_base.items()):
        yield base
        for at, student in enumerate(students):
            last = at == len(students) - 1
            verdict = said.get(student["digest"], "not judged")
            yield f"{'└' if last else '├'}─ {student['name']} ({student['kind']}, {student['digest'][:12]}): {verdict}"
            trunk = "   " if last else "│  "
            if name := state["registered"].get(student["digest"]):
                yield f"{trunk}a candidate, called {name}"
            rows = f"{student['rows']:,} rows of {student['dataset_hash'][:12]}"
            yield f"{trunk}taught by {student['teacher'] or 'people'}, {rows}"
            if line := curve(student["losses"]):
                yield f"{trunk}loss {line}"
