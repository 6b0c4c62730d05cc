"""Policies and tables for the tests of tuning."""

from __future__ import annotations

from typing import Any

from policies.load import load_policy
from policies.policy import Policy


def policy_of(**settings: Any) -> Policy:
    """A policy with these settings, without a file of its own kept."""
    import tempfile
    from pathlib import Path

    import yaml

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(yaml.safe_dump({"stillhouse": 1, "name": "ours", **settings}, allow_unicode=True), "utf-8")
        return load_policy(path)
