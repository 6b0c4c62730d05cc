"""What a clone must give: counts and digests, kept as numbers so that no text is.

Per source and split: how many rows, and a digest over their sorted ids. Per model: how many outcomes, and
a digest over sorted ids with scores to four decimals. A model is checked by itself because the largest
files of a clone may be missing (a partial clone, Git LFS): what is there can still be vouched for.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.importers.outcomes import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evals.importers.rows import Row

EXPECTED: Final = Path(__file__).with_name("expected.json")
#: Rows of the test split are for judging from outside; nothing about them is kept here.
KEPT_BACK: Final = "test"


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """Counts and digests of rows, source by source; the test split is left out."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.split != KEPT_BACK:
            by_source[row.source].append(row)
    return {source: _of_source(members) for source, members in sorted(by_source.items())}


def _of_source(rows: Sequence[Row]) -> dict[str, Any]:
    splits: dict[str, list[str]] = defaultdict(list)
    models: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        splits[row.split or "all"].append(f"{row.id} {row.prompt_hash} {row.stem_hash}")
        for model, score in row.scores.items():
            models[model].append(f"{row.id} {score:.4f}")
    return {
        "splits": {name: _count(lines) for name, lines in sorted(splits.items())},
        "models": {name: _count(lines) for name, lines in sorted(models.items())},
    }


def _count(lines: Sequence[str]) -> dict[str, Any]:
    return {"rows": len(lines), "digest": hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]}


def read_expected(name: str, path: Path = EXPECTED) -> dict[str, Any]:
    """What importer ``name`` gave when the figures were recorded.

    Raises:
        OutcomeError: the file is missing or not JSON, or has nothing under that name.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found: dict[str, Any] = stored[name]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise OutcomeError(f"{path}: nothing to check {name!r} against ({type(error).__name__})") from error
    return found


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What is wrong with a clone, and what could not be checked; one sentence each."""
    wrong: list[str] = []
    unchecked: list[str] = []
    for source in sorted({*found, *expected}):
        if source not in found or source not in expected:
            wrong.append(f"{source}: {'no rows came out' if source not in found else 'not known to expected.json'}")
            continue
        for split, want in expected[source]["splits"].items():
            wrong += _differs(f"{source}, split {split}", found[source]["splits"].get(split), want)
        have, known = found[source]["models"], expected[source]["models"]
        for model in sorted({*have, *known}):
            if model not in have:
                unchecked.append(f"{source}: no outcomes of {model}; its file is not in this clone")
            elif model not in known:
                unchecked.append(f"{source}: {model} was not there when expected.json was made")
            else:
                wrong += _differs(f"{source}, model {model}", have[model], known[model])
    return wrong, unchecked


def _differs(what: str, found: Mapping[str, Any] | None, want: Mapping[str, Any]) -> list[str]:
    if found is None or found["rows"] != want["rows"]:
        return [f"{what}: {found['rows'] if found else 0} rows, expected {want['rows']}"]
    if found["digest"] != want["digest"]:
        return [f"{what}: as many rows as expected ({want['rows']}) but other ids or scores"]
    return []
