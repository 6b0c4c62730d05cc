"""``stillhouse distill``: from the prompts that small tiers failed to a candidate tier, step by step."""

from __future__ import annotations

import importlib

import click

STEPS: dict[str, str] = {
    "import": "Bring texts into the loop: captures, or logs of other gateways.",
    "curate": "Choose what to learn from, and freeze what to judge by.",
    "label": "Ask a teacher for the answers that are missing.",
    "export": "Write the rows in another trainer's format.",
    "train": "Make a student of what was chosen.",
    "gate": "Judge a student against what it would replace, on every metric.",
    "register": "List a student as a candidate for a tier; nothing serves it by itself.",
    "shadow": "Ask a candidate what callers asked, and compare; nothing is served.",
    "propose": "Put a policy forward that names a candidate, where the gate says yes.",
    "status": "Show what a loop failed on, learned and was told by the gate.",
}


class _Steps(click.Group):
    """Imports a step when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(STEPS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in STEPS:
            return None
        step: click.Command = importlib.import_module(f"stillhouse.cli.distill_{name}").command
        return step


@click.group(cls=_Steps)
def command() -> None:
    """Improve a small tier from the prompts it failed. Each step leaves files; a step that was cut short goes on."""
