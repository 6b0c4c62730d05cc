"""``stillhouse migrate``: what other gateways and eval tools wrote, carried over."""

from __future__ import annotations

import importlib

import click

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "litellm": ("migrate_litellm", "LiteLLM's config.yaml (and exported keys) as settings, a policy and a key file."),
    "litellm-logs": ("migrate_logs", "LiteLLM's spend logs as rows of prompts and costs."),
    "bedrock-logs": ("migrate_logs", "Amazon Bedrock's model invocation logs as rows of prompts and costs."),
    "openai-evals": ("migrate_evals", "An export of OpenAI's hosted evals as a suite with data."),
    "promptfoo": ("migrate_evals", "A promptfoo configuration as a suite with data."),
}


class _Group(click.Group):
    """Imports a subcommand's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"stillhouse.cli.{SUBCOMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in SUBCOMMANDS.items()])


@click.group(cls=_Group, help="Carry over what another gateway or eval tool wrote; what cannot be carried is named.")
def command() -> None:  # noqa: D103
    pass
