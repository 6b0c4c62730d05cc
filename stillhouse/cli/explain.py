"""``stillhouse explain``: one prompt's decision in words."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from router.core.cascade import planned
from router.core.decide import Caller
from router.errors import BadRequest
from router.types import TIER_NAMES, Reason, TierName
from stillhouse.cli import show
from stillhouse.cli.moved import Moved, moved

if TYPE_CHECKING:
    from router.core.wire import ChatRequest
    from stillhouse.cli.offline import Bench, Judged


@click.command(help="Say where a prompt would go, and why. Asks no model. '-' reads the prompt from standard input.")
@click.argument("prompt", required=False)
@click.option(
    "--messages", type=click.File("rb"), help="A conversation instead: a JSON list of messages, or a request."
)
@click.option("--policy", default="balanced", show_default=True, help="Policy file or preset.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file: real tiers and prices.")
@click.option("--tenant", default="default", show_default=True)
@click.option("--tag", "tags", multiple=True, help="As sent in x-stillhouse-tag.")
@click.option("--tier", type=click.Choice(TIER_NAMES), help="As sent in x-stillhouse-tier.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(  # noqa: D103
    prompt: str | None, messages: IO[bytes] | None, policy: str, config: Path | None, tenant: str,
    tags: tuple[str, ...], tier: str | None, as_json: bool,
) -> None:  # fmt: skip
    from stillhouse.cli.offline import bench, settings_or_none

    if (prompt is None) == (messages is None):
        show.fail("give either a PROMPT or --messages FILE", "stillhouse explain --help")
    request = _asked(prompt) if prompt is not None else _conversation(messages)
    ready = bench(policy, settings_or_none(config))
    judged = ready.judge(request, Caller(tenant=tenant, tags=tags, tier=tier))  # type: ignore[arg-type]
    prompt = request.ask()
    if as_json:
        show.json_line(_as_json(ready, judged, prompt))
    else:
        _as_words(ready, judged, prompt)


def _asked(prompt: str) -> ChatRequest:
    """A bare prompt; ends the command with words where it is not text."""
    from stillhouse.cli.offline import request_of

    if prompt == "-":
        prompt = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return request_of(prompt)
    except BadRequest:  # the one thing that can be wrong with a bare prompt
        show.fail("the prompt is not UTF-8", "save it as UTF-8; '-' reads it from standard input")


def _conversation(file: IO[bytes] | None) -> ChatRequest:
    """A file's messages; ends the command with words where they are not OpenAI's."""
    from stillhouse.cli.offline import request_of

    assert file is not None
    try:
        said = json.loads(file.read())
        body = said if isinstance(said, dict) else {"messages": said}
        return request_of(None, body.get("messages") or [], body.get("tools"))
    except (ValueError, BadRequest) as error:
        words = error.message if isinstance(error, BadRequest) else "it is not JSON in UTF-8"
        show.fail(f"{file.name}: {words}", "a list of messages, each with a role and a content")


def _causes(ready: Bench, judged: Judged, prompt: str) -> Moved | None:
    if ready.scorer is None or judged.score is None:
        return None
    if judged.score != ready.scorer.score(prompt, judged.score.family):
        return None  # a turn that counts as more than its last ask: the reasons say so, and no parts would add up
    return moved(ready.scorer, prompt, judged.score.family)


def _as_json(ready: Bench, judged: Judged, prompt: str) -> dict[str, object]:
    from router.serve.doors.sides import decision_words

    causes = _causes(ready, judged, prompt)
    return {
        "policy": ready.policy.name,
        "policy_hash": ready.policy.hash,
        "layers": list(ready.policy.layers),
        "blocked": judged.blocked,
        **decision_words(judged.decision, judged.score, _climbed(ready, judged)[0]),
        **(causes.as_dict() if causes else {"moved": [], "wording": []}),
        "findings": [f.as_dict() for f in judged.findings],
    }


def _climbed(ready: Bench, judged: Judged) -> tuple[tuple[TierName, ...], Reason | None]:
    return planned(ready.policy.body, judged.decision, judged.score, judged.features, ready.fleet)


def _as_words(ready: Bench, judged: Judged, prompt: str) -> None:
    decision, score, features = judged.decision, judged.score, judged.features
    layers = " > ".join(ready.policy.layers)
    show.line(f"{decision.wanted}, because: {decision.because.text}")
    climbed, why_not = _climbed(ready, judged)
    cascade = ready.policy.body.cascade
    if climbed and cascade is not None:
        show.line(f"tried in turn: {', '.join(climbed)}; an answer is kept if it satisfies {', '.join(cascade.checks)}")
    elif why_not is not None:
        show.line(why_not.text)
    show.line(
        f"policy {ready.policy.name}@{ready.policy.hash[:12]} (layers: {layers}), family {ready.policy.body.family}"
    )
    show.line()
    if score is not None:
        rows = [
            (t, _share(score.p_right.get(t)), _tokens(score.output_tokens.get(t)), _usd(decision.cost.get(t)))
            for t in TIER_NAMES
        ]
        show.table(("tier", "right with", "output tokens", "predicted cost"), rows)
        show.line(
            f"complexity {score.complexity:.2f}   novelty {score.novelty:.2f}   "
            f"language {features.language}   about {features.input_tokens} tokens in"
        )
        show.line()
        if causes := _causes(ready, judged, prompt):
            show.table(("what moved the complexity", "logit", "points", "direction"), causes.rows())
        show.line()
    show.table(
        ("step", "reason", "layer"),
        [(str(i), r.text, r.layer or "-") for i, r in enumerate(_reasons(ready, judged), 1)],
        title="how the policy decided",
    )
    for finding in judged.findings:
        show.line(f"guard {finding.guard}: {finding.category} at {finding.start}-{finding.end} ({finding.action.word})")
    if judged.blocked:
        show.line("The input guards would stop this request before any model is asked.")


def _reasons(ready: Bench, judged: Judged) -> list[Reason]:
    """The reasons; without settings there are no models whose absence could be one."""
    known = bool(ready.fleet.deployments)
    return [r for r in judged.decision.reasons if known or r.id != "no-tier"]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _tokens(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _usd(nano: int | None) -> str:
    return "unknown" if nano is None else f"${nano / 1e9:.6f}"
