"""Own outcome rows for tests: the small tier fails whatever speaks of torque."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

TIERS = ("small", "medium", "large")


def own_rows(count: int = 120, seed: int = 3) -> list[dict[str, Any]]:
    """Rows as a user writes them, half of them hard."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        hard = k % 2
        text = f"Work out the torque of shaft {k}" if hard else f"Greet guest number {k} by name"
        chance = (0.1, 0.5, 0.9) if hard else (0.9, 0.9, 0.95)
        scores = {tier: float(rng.random() < p) for tier, p in zip(TIERS, chance, strict=True)}
        found.append({"id": f"own/{k}", "prompt": text, "scores": scores})
    return found


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
