"""``stillhouse guard``: a policy's guards over many texts, offline. A row in, a row out, in order.

Its subcommands try a policy's own cases, compare two policies, and read a guardrail of Amazon Bedrock's.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from stillhouse.cli import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guardrails import Rails
    from policies.policy import Policy

DIRECTIONS = ("input", "output")
SUBCOMMANDS = {
    "test": "Try a policy's own cases; exit status 1 when one fails.",
    "diff": "What would change between two policies, or was seen to change in the ledger.",
    "import": "Turn a guardrail of Amazon Bedrock's into a policy.",
}


class _Group(click.Group):
    """Imports a subcommand's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in SUBCOMMANDS:
            return None
        command: click.Command = importlib.import_module(f"stillhouse.cli.guard_{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(
    cls=_Group,
    invoke_without_command=True,
    help="Guard many texts: JSON lines in, JSON lines out, in order. '-' is standard input or output.",
)
@click.option("--policy", default="balanced", show_default=True, help="Policy file or preset.")
@click.option("--in", "source", default="-", help='Rows {"id","text","direction":"input|output"}, if need be "role".')
@click.option("--out", "target", default="-", help="Where the verdicts go.")
@click.pass_context
def command(ctx: click.Context, policy: str, source: str, target: str) -> None:  # noqa: D103
    if ctx.invoked_subcommand is not None:
        return
    if source == target != "-":
        show.fail("--in and --out name the same file", "give --out another name")
    rails = load(policy).rails
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(opened(source))
        try:
            out = sys.stdout.buffer if target == "-" else stack.enter_context(Path(target).open("wb"))
        except OSError as error:
            show.fail(f"{error.filename} cannot be opened: {error.strerror}")
        for number, row in show.progress(numbered(rows), None, "guarding"):
            out.write(msgspec.json.encode(guard_row(rails, number, row)) + b"\n")


def load(policy: str) -> Policy:
    """A policy by its file or a preset's name; ends the command with words where it cannot be had."""
    from policies.load import load_policy
    from policies.mistakes import Mistakes

    try:
        return load_policy(policy)
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")


@contextlib.contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """The rows to be read; ``-`` is standard input."""
    with contextlib.ExitStack() as stack:
        try:
            rows = sys.stdin.buffer if source == "-" else stack.enter_context(Path(source).open("rb"))
        except OSError as error:
            show.fail(f"{error.filename} cannot be opened: {error.strerror}")
        yield rows


def numbered(rows: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, split on the newline only; empty ones and a leading byte order mark are left out."""
    for number, line in enumerate(rows, 1):
        row = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if row.strip():
            yield number, row


class Row(msgspec.Struct, frozen=True):
    """One row that can be guarded.

    Attributes:
        role: who wrote the text; by default the user of a request, the assistant of an answer.
        query, sources: for guards that look at more than the text.
    """

    id: Any
    text: str
    direction: Any
    role: Any
    query: str
    sources: tuple[str, ...]


def read_row(number: int, row: bytes) -> Row | dict[str, Any]:
    """A row, or what is wrong with it. Errors never repeat the row's text."""
    from guardrails.common import ROLES, USUAL_ROLE

    name: Any = None

    def wrong(message: str) -> dict[str, Any]:
        return {"id": name, "error": {"message": message, "line": number}}

    try:
        value = msgspec.json.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wrong("The row is not JSON in UTF-8.")
    if not isinstance(value, dict):
        return wrong("The row must be a JSON object.")
    name = value.get("id")
    text, direction = value.get("text"), value.get("direction")
    if not isinstance(text, str):
        return wrong("'text' must be a string.")
    if direction not in DIRECTIONS:
        return wrong("'direction' must be 'input' or 'output'.")
    role = value.get("role", USUAL_ROLE[direction])
    if role not in ROLES:
        return wrong(f"'role' must be one of {', '.join(ROLES)}.")
    query, sources = value.get("query", ""), value.get("sources", [])
    if not isinstance(query, str):
        return wrong("'query' must be a string.")
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        return wrong("'sources' must be a list of strings.")
    return Row(name, text, direction, role, query, tuple(sources))


def guard_row(rails: Mapping[Any, Rails], number: int, row: bytes) -> dict[str, Any]:
    """The verdict on one row, or what is wrong with it."""
    from guardrails import check

    read = read_row(number, row)
    if not isinstance(read, Row):
        return read
    verdict = check(read.text, rails[read.direction], role=read.role, query=read.query, sources=read.sources)
    return {
        "id": read.id,
        "action": verdict.action.word,
        "text": verdict.text,
        "findings": [finding.as_dict() for finding in verdict.findings],
    }
