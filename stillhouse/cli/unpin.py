"""``stillhouse unpin``: the end of a bad day."""

from __future__ import annotations

import click

from stillhouse.cli import show


@click.command(help="Let the policy decide again.")
def command() -> None:  # noqa: D103
    from router.serve.cell import pin_path

    path = pin_path()
    if path.exists():
        path.unlink()
        show.line("The pin is removed; the policy decides again within a second.")
    else:
        show.line("Nothing was pinned.")
