"""``stillhouse unpin``: the end of a bad day."""

from __future__ import annotations

import click

from stillhouse.cli import show
from stillhouse.cli.opening import changing
from stillhouse.cli.pin import PIN


@click.command(help="Let the policy decide again.")
def command() -> None:  # noqa: D103
    with changing() as place:
        path = place / PIN
        pinned = path.exists()
        path.unlink(missing_ok=True)
    if pinned:
        show.line("The pin is removed; the policy decides again within a second.")
    else:
        show.line("Nothing was pinned.")
