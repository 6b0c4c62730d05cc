"""Reference prices of tier families: what a tier would cost where no deployment says what it does cost.

They make forecasts and hypothetical savings possible; whatever is computed with them says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from router.types import Price

_FILE = Path(__file__).with_name("families-2026-11.json")


@cache
def _families() -> Mapping[str, Mapping[str, Price]]:
    table = json.loads(_FILE.read_text("utf-8"))
    return {
        name: {
            tier: Price(input=row["input"], output=row["output"], source=f"reference:{table['date']}:{row['source']}")
            for tier, row in tiers.items()
        }
        for name, tiers in table["families"].items()
    }


def has_prices(family: str) -> bool:
    """Whether there are reference prices of this very family."""
    return family in _families()


def reference_prices(family: str) -> Mapping[str, Price]:
    """Tier -> list price of ``family``; those of ``generic`` for a family without any."""
    families = _families()
    return families.get(family, families["generic"])
