"""Runs of suites for tests: two targets on the same rows, written as the runner writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from evals.runs.record import Item, Run


def write_run(folder: Path, items: Sequence[Item], **changes: Any) -> Path:
    """A run's folder."""
    given: dict[str, Any] = {
        "id": folder.name,
        "suite": "everyday",
        "suite_hash": "aa",
        "targets": tuple(dict.fromkeys(item.target for item in items)),
        "started": "2026-11-24T00:00:00Z",
        "ended": "2026-11-24T00:01:00Z",
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(msgspec.json.encode(Run(**{**given, **changes})))
    (folder / "items.jsonl").write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    return folder


def item(number: int, quality: float | None, target: str = "new", **changes: Any) -> Item:
    """One answer, judged by ``exact``."""
    given: dict[str, Any] = {
        "quality": quality,
        "model": "m",
        "scores": {} if quality is None else {"exact": quality},
        "error": "" if quality is not None else "no answer",
        "cost_nano": 1_000,
        "latency_ms": 100.0,
    }
    return Item(target=target, id=f"row-{number}", **{**given, **changes})
