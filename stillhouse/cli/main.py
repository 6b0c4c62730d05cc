"""``stillhouse``: one command, one small module for each of its verbs, loaded when called."""

from __future__ import annotations

import importlib
import os
import sys

import click

COMMANDS: dict[str, str] = {
    "serve": "Start the gateway.",
    "check": "Check policy and settings files; every mistake at once.",
    "explain": "Say where a prompt would go, and why.",
    "route": "Decide for many prompts: JSON lines in, JSON lines out.",
    "guard": "Run a policy's guards over many texts: JSON lines in, JSON lines out.",
    "report": "What was served, what it cost, what was saved.",
    "eval": "Run suites: ask, score, assert.",
    "simulate": "What a policy would cost and answer, on recorded outcomes.",
    "tune": "Look for the cheapest thresholds that keep a promise; a diff with its evidence.",
    "gate": "Judge a candidate against what it would replace, on every metric.",
    "policy": "Propose, approve, roll out and roll back policies.",
    "label": "Have the answers worth most judged, and check the judge.",
    "distill": "Improve a small tier from the prompts it failed.",
    "train": "Adapt the scorer to your own outcomes or feedback.",
    "scorer": "List the scorers, choose one, go back.",
    "migrate": "Carry over what another gateway or eval tool wrote.",
    "ledger": "Look after the ledger: info, prune, export.",
    "cells": "Run several gateways, each for some of the tenants, behind an existing proxy.",
    "models": "List, add and remove weights for the embedded engine.",
    "keys": "Make, list and revoke API keys.",
    "pin": "Send all traffic to one tier, within a second.",
    "unpin": "Let the policy decide again.",
    "doctor": "Check this installation and a running gateway.",
}


class _Lazy(click.Group):
    """Imports a command's module when it is called, so that ``--help`` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"stillhouse.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stillhouse")
def cli() -> None:
    """Stillhouse sends every prompt to the smallest distilled model that answers it well."""


def main() -> None:
    """Entry point. Bad input never ends in a traceback."""
    # Our matrices are small: a second BLAS thread made `train` use three times the CPU and end no sooner, and a
    # gateway's workers would each hold a buffer for every core of the machine. Read when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from stillhouse.names import NameTaken, check_names

    try:
        check_names()
    except NameTaken as taken:
        click.echo(f"error: {taken}", err=True)
        sys.exit(2)
    try:
        cli()
    except BrokenPipeError:  # the reader of our output left; that is its right
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:  # a full disk, a folder that is not ours: nothing a traceback would mend
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{(error.strerror or type(error).__name__).lower()}", err=True)
        sys.exit(2)
