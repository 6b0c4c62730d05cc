"""What a curation says of itself in its manifest, to the steps that come after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.distill.curate.clean import LIKELY, SURE


def guards_of(manifest: Path) -> tuple[Mapping[str, Any], ...]:
    """The guards that what comes to the rows later must pass: those that the rows passed. Without a manifest all."""
    try:
        rules = json.loads(manifest.read_bytes())["rules"]
        return LIKELY if rules.get("names", True) else SURE
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return LIKELY
