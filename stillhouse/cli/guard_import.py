"""``stillhouse guard import``: a guardrail of Amazon Bedrock's as a policy."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from stillhouse.cli import show
from stillhouse.cli.guard import opened


@click.command(
    help="Read a guardrail as JSON ('aws bedrock get-guardrail' prints one, '-' is standard input) and write it as a "
    "policy. What a policy cannot carry is said on standard error and at its head."
)
@click.argument("file")
@click.option("--out", type=click.Path(path_type=Path), help="Where the policy goes (default: standard output).")
def command(file: str, out: Path | None) -> None:  # noqa: D103
    from policies.bedrock import ImportProblem, import_guardrail

    with opened(file) as source:
        content = source.read()
    try:
        made = import_guardrail(msgspec.json.decode(content))
    except ImportProblem as problem:
        show.fail(f"{file}: {problem}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        show.fail(
            f"{file}: it is not JSON in UTF-8", "aws bedrock get-guardrail --guardrail-identifier ID > guardrail.json"
        )
    for line in made.lost:
        show.note(f"not carried over: {line}")
    if out is None:
        show.line(made.text.rstrip())
        return
    if out.exists():
        show.fail(f"{out} is there already", "give another name, or remove it")
    out.write_text(made.text, encoding="utf-8")
    show.line(f"policy {made.name} is in {out}; 'stillhouse check {out}' checks it")
