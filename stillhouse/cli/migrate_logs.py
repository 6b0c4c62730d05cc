"""``stillhouse migrate litellm-logs`` and ``bedrock-logs``: logged calls as rows and as observed requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from evals.migrate.calls import Calls

_FILES: Callable[[Any], Any] = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_OUT: Callable[[Any], Any] = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Rows as JSON Lines (.jsonl or .jsonl.gz)."
)
_LEDGER: Callable[[Any], Any] = click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new ledger of what the policy would have done; read it with 'report --observe --ledger'.",
)
_CONFIG: Callable[[Any], Any] = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings with the deployments; for --ledger."
)
_POLICY: Callable[[Any], Any] = click.option(
    "--policy", default="balanced", show_default=True, help="Policy file or preset; for --ledger."
)
_WHAT = (
    "The rows hold prompts and answers: keep them as you keep those. 'stillhouse route --in' decides for them. With "
    "--ledger the policy's decisions are kept beside what was paid, without a text."
)


@click.command(help=f"Read LiteLLM's spend logs (.json, .jsonl or .csv; also .gz). {_WHAT}")
@_FILES
@_OUT
@_LEDGER
@_CONFIG
@_POLICY
def litellm_logs(**options: Any) -> None:  # noqa: D103
    from evals.migrate.litellm_logs import litellm_calls

    _run(litellm_calls, **options)


@click.command(help=f"Read Amazon Bedrock's model invocation logs (.json or .json.gz, as they lie in S3). {_WHAT}")
@_FILES
@_OUT
@_LEDGER
@_CONFIG
@_POLICY
def bedrock_logs(**options: Any) -> None:  # noqa: D103
    from evals.migrate.bedrock_logs import bedrock_calls

    _run(bedrock_calls, **options)


def _run(
    read: Callable[[list[Path]], Calls],
    *,
    files: tuple[Path, ...],
    out: Path | None,
    ledger: Path | None,
    config: Path | None,
    policy: str,
) -> None:
    from evals.migrate.calls import LogError, write_calls

    if out is None and ledger is None:
        raise click.UsageError("Say where it goes: --out FILE for rows, --ledger FILE for a report.")
    if ledger is not None and config is None:
        raise click.UsageError("--ledger needs --config: the deployments say which tier each model is of.")
    for path in (out, ledger):
        if path is not None and path.exists():
            show.fail(f"{path} is there already", "give another name, or remove it")
    try:
        calls = read(list(files))
    except LogError as error:
        show.fail(f"nothing was written:\n{error}")
    if out is not None:
        written = write_calls(calls.found, out)
        show.line(f"{written:,} calls in {out}")
    for reason, n in calls.skipped.items():
        show.line(f"{n:,} rows left out: {reason}")
    if ledger is not None and config is not None:
        _keep(calls, ledger, config, policy)


def _keep(calls: Calls, ledger: Path, config: Path, policy: str) -> None:
    from stillhouse.cli.hindsight import keep
    from stillhouse.cli.offline import bench, settings_or_none
    from stillhouse.cli.opening import explained

    ready = bench(policy, settings_or_none(config))
    with explained(ledger):
        told = keep(show.progress(calls.found, len(calls.found), "deciding"), ready, ledger)
    kept = told.pop("kept", 0)
    show.line(f"{kept:,} decisions in {ledger}: stillhouse report --observe --ledger {ledger}")
    for reason, n in sorted(told.items()):
        show.line(f"{n:,} calls not judged: {reason}")
