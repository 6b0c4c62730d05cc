"""Policies and tables for the tests of tuning."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evals.tuning.table import Labels, Table, signed
from policies.load import load_policy
from policies.policy import Policy
from router.types import TIER_NAMES


def policy_of(**settings: Any) -> Policy:
    """A policy with these settings, without a file of its own kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(yaml.safe_dump({"stillhouse": 1, "name": "ours", **settings}, allow_unicode=True), "utf-8")
        return load_policy(path)


def recorded_table(rows: int, seed: int) -> Table:
    """A table in which every tier's outcome is known; dearer tiers are better, and the scorer is roughly right."""
    rng = np.random.default_rng(seed)
    hard = rng.random(rows)
    right = np.stack([1.0 - 0.8 * hard, 1.0 - 0.4 * hard, 1.0 - 0.2 * hard], axis=1)
    tokens = rng.integers(50, 500, size=(rows, 1))
    cost = tokens * np.array([220.0, 720.0, 2_400.0])
    return signed(
        Table(
            tiers=TIER_NAMES,
            quality=(rng.random((rows, 3)) < right).astype(np.float64),
            cost=cost,
            chance=np.clip(right + 0.05 * rng.standard_normal((rows, 3)), 0.01, 0.99),
            guess=np.round(cost * 1.1),
            latency=np.full((rows, 3), np.nan),
            novelty=rng.random(rows) * 0.9,
            input_tokens=rng.integers(5, 2_000, size=rows),
            stem=np.arange(rows, dtype=np.int32) // 2,
            slices={
                "tenant": Labels(("acme", "globex"), rng.integers(0, 2, rows).astype(np.int32)),
                "language": Labels(("en", "ko"), rng.integers(0, 2, rows).astype(np.int32)),
                "tag": Labels(("",), np.zeros(rows, dtype=np.int32)),
                "findings": Labels(("",), np.zeros(rows, dtype=np.int32)),
            },
            at_ms=np.arange(rows),
            taken=np.full(rows, -1, dtype=np.int8),
            propensity=np.ones(rows),
            source="made rows",
            fingerprint="",
            facts={"tools": np.zeros(rows, dtype=bool), "images": np.zeros(rows, dtype=bool)},
        )
    )
