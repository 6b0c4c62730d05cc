"""``stillhouse route``: decide for many prompts at once, offline. Every input row yields one row, in order."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from router.core.decide import Caller
from router.errors import BadRequest
from router.types import TIER_NAMES
from stillhouse.cli import show
from stillhouse.cli.guard import numbered

if TYPE_CHECKING:
    from stillhouse.cli.offline import Bench

_encode = msgspec.json.encode


@click.command(help="Decide for many prompts: JSON lines in, JSON lines out, in order.")
@click.option("--policy", default="balanced", show_default=True, help="Policy file or preset.")
@click.option("--in", "source", default="-", help='Rows {"id","prompt"} or {"id","messages","tools"}; - is stdin.')
@click.option("--out", "target", default="-", help="Where the decisions go; - is stdout.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file, for real prices.")
def command(policy: str, source: str, target: str, config: Path | None) -> None:  # noqa: D103
    from stillhouse.cli.offline import bench, settings_or_none

    ready = bench(policy, settings_or_none(config))
    with contextlib.ExitStack() as stack:
        try:
            rows = sys.stdin.buffer if source == "-" else stack.enter_context(Path(source).open("rb"))
            out = sys.stdout.buffer if target == "-" else stack.enter_context(Path(target).open("wb"))
        except OSError as error:
            show.fail(f"{error.filename} cannot be opened: {error.strerror}")
        for line, row in show.progress(numbered(rows), None, "deciding"):
            out.write(_encode(decide_row(ready, line, row)) + b"\n")


def decide_row(ready: Bench, line: int, row: bytes) -> dict[str, Any]:
    """The decision for one row, or what is wrong with it."""
    from stillhouse.cli.offline import request_of

    name: Any = None
    try:
        value = msgspec.json.decode(row)
        if not isinstance(value, dict):
            raise BadRequest("The row must be a JSON object.")
        name = value.get("id")
        prompt, messages = value.get("prompt"), value.get("messages")
        if (prompt is None) == (messages is None):
            raise BadRequest("The row needs either 'prompt' or 'messages'.")
        if prompt is not None and not isinstance(prompt, str):
            raise BadRequest("'prompt' must be a string.")
        request = request_of(prompt, messages, value.get("tools"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"id": name, "error": {"message": "The row is not JSON in UTF-8.", "line": line}}
    except BadRequest as error:
        return {"id": name, "error": {"message": error.message, "line": line}}
    judged = ready.judge(request, Caller())
    score, decision = judged.score, judged.decision
    return {
        "id": name,
        "tier": decision.wanted,
        "score": {t: None if score is None else score.p_right.get(t) for t in TIER_NAMES},
        "complexity": None if score is None else score.complexity,
        "reason": decision.because.id,
        "cost": {t: decision.cost.get(t) for t in TIER_NAMES},
    }
