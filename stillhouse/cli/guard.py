"""``stillhouse guard``: a policy's guards over many texts, offline. A row in, a row out, in order."""

from __future__ import annotations

import codecs
import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from stillhouse.cli import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guardrails import Rails

DIRECTIONS = ("input", "output")


@click.command(help="Guard many texts: JSON lines in, JSON lines out, in order. '-' is standard input or output.")
@click.option("--policy", default="balanced", show_default=True, help="Policy file or preset.")
@click.option("--in", "source", default="-", help='Rows {"id","text","direction":"input|output"}.')
@click.option("--out", "target", default="-", help="Where the verdicts go.")
def command(policy: str, source: str, target: str) -> None:  # noqa: D103
    if source == target != "-":
        show.fail("--in and --out name the same file", "give --out another name")
    from policies.load import load_policy
    from policies.mistakes import Mistakes

    try:
        rails = load_policy(policy).rails
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    with contextlib.ExitStack() as stack:
        try:
            rows = sys.stdin.buffer if source == "-" else stack.enter_context(Path(source).open("rb"))
            out = sys.stdout.buffer if target == "-" else stack.enter_context(Path(target).open("wb"))
        except OSError as error:
            show.fail(f"{error.filename} cannot be opened: {error.strerror}")
        for number, row in show.progress(numbered(rows), None, "guarding"):
            out.write(msgspec.json.encode(guard_row(rails, number, row)) + b"\n")


def numbered(rows: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, split on the newline only; empty ones and a leading byte order mark are left out."""
    for number, line in enumerate(rows, 1):
        row = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if row.strip():
            yield number, row


def guard_row(rails: Mapping[Any, Rails], number: int, row: bytes) -> dict[str, Any]:
    """The verdict on one row, or what is wrong with it. Errors never repeat the row's text."""
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
    verdict = rails[direction].check(text)
    return {
        "id": name,
        "action": verdict.action.word,
        "text": verdict.text,
        "findings": [finding.as_dict() for finding in verdict.findings],
    }
