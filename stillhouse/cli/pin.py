"""``stillhouse pin TIER``: the operator's one command for a bad day."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from router.types import TIER_NAMES
from stillhouse.cli import show
from stillhouse.cli.opening import changing

PIN = "pin.json"


@click.command(help="Send all traffic of this machine's gateways to one tier, within a second.")
@click.argument("tier", type=click.Choice(TIER_NAMES))
def command(tier: str) -> None:  # noqa: D103
    with changing() as place:
        write_pin(place / PIN, tier)
    show.line(f"All traffic goes to {tier}. 'stillhouse unpin' lets the policy decide again.")


def write_pin(path: Path, tier: str) -> None:
    """Leave the word for running gateways, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"tier": tier}))
    os.replace(new, path)
