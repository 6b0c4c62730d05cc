"""``stillhouse models``: the weights on this machine, and the one door for more."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from router.types import TIER_NAMES, Lineage, TierName
from stillhouse.cli import show

if TYPE_CHECKING:
    from router.registry.weights import Weights

_MIB = 1 << 20
_GIB = 1 << 30


@click.group(invoke_without_command=True, help="List, add and remove weights for the embedded engine.")
@click.option("--verify", is_flag=True, help="Also compute each file's SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
@click.pass_context
def command(ctx: click.Context, verify: bool, as_json: bool) -> None:  # noqa: D103
    if ctx.invoked_subcommand is None:
        _list(verify, as_json)


@command.command("list", help="Show the weights with their lineage (also without this word).")
@click.option("--verify", is_flag=True, help="Also compute each file's SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
def list_models(verify: bool, as_json: bool) -> None:  # noqa: D103
    _list(verify, as_json)


def _list(verify: bool, as_json: bool) -> None:
    from router.registry.home import home
    from router.registry.weights import WeightsError, candidates, load_weights

    try:
        here = (*load_weights(home()), *candidates(home()))
        listed = [(weights, _state(weights, verify)) for weights in here]
    except WeightsError as error:
        show.fail(error.message, error.hint)
    if as_json:
        for weights, state in listed:
            show.json_line(_as_json(weights, state))
    elif listed:
        _tables(listed)
    else:
        show.line("No weights are here.")
    if not as_json and {weights.tier for weights, _ in listed if not weights.candidate} != set(TIER_NAMES):
        show.note("Add a tier: stillhouse models add small|medium|large PATH|URL --sha256 HEX")
    if any(state != "ready" for _, state in listed):
        raise SystemExit(1)


@command.command("add", help="Bring a GGUF file in: copied from PATH, or downloaded from an https URL.")
@click.argument("tier", type=click.Choice(TIER_NAMES))
@click.argument("source", metavar="PATH|URL")
@click.option("--sha256", required=True, metavar="HEX", help="The digest the file must have.")
@click.option("--name", help="The model's name at the endpoint. Default: from the file's name.")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    help="Tokens of prompt and answer. Default: trained, at most 8192.",
)
@click.option(
    "--share",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="Weight beside others of the tier.",
)
@click.option("--tools", is_flag=True, help="Send it requests with tools: only if you know that it calls them.")
@click.option("--link", is_flag=True, help="Use the file where it is instead of a copy.")
@click.option("--max-gib", type=click.FloatRange(min=0, min_open=True), default=64.0, show_default=True)
@click.option("--family", default="unknown", help="Lineage: the model family.")
@click.option("--teacher", default="unknown", help="Lineage: the model it learned from.")
@click.option("--student-base", default="unknown", help="Lineage: the model it was before.")
@click.option("--dataset-hash", default="unknown", help="Lineage: of what it was trained on.")
@click.option("--recipe-hash", default="unknown", help="Lineage: of how it was trained.")
@click.option(
    "--gate",
    type=click.Choice(["unknown", "passed", "failed"]),
    default="unknown",
    help="Lineage: the verdict.",
)
@click.option("--generation", type=click.IntRange(min=1), default=1, help="Lineage: counts a tier's models.")
def add_model(  # noqa: D103
    tier: TierName,
    source: str,
    sha256: str,
    name: str | None,
    context: int | None,
    share: float,
    tools: bool,
    link: bool,
    max_gib: float,
    family: str,
    teacher: str,
    student_base: str,
    dataset_hash: str,
    recipe_hash: str,
    gate: Literal["unknown", "passed", "failed"],
    generation: int,
) -> None:
    from router.registry.home import home
    from router.registry.weights import WeightsError, add
    from router.registry.weights_fetch import FetchError

    lineage = Lineage(
        family=family,
        teacher=teacher,
        student_base=student_base,
        dataset_hash=dataset_hash,
        recipe_hash=recipe_hash,
        gate=gate,
        generation=generation,
    )
    try:
        weights = add(
            home(),
            tier,
            source,
            sha256,
            today=dt.datetime.now(tz=dt.UTC).date().isoformat(),
            name=name,
            context=context,
            tools=tools,
            share=share,
            lineage=lineage,
            link=link,
            max_bytes=int(max_gib * _GIB),
            progress=show.progress,
        )
    except (WeightsError, FetchError) as error:
        show.fail(error.message, error.hint)
    show.line(
        f"{weights.name} serves the {weights.tier} tier: {_size(weights.bytes)}, "
        f"{weights.context} tokens of context, {'with' if weights.tools else 'without'} tools, "
        f"memory budget {_size(weights.memory_bytes)}."
    )
    show.note("A running gateway takes it up when it is started again.")


@command.command("remove", help="Take a model off the list, and its file away if 'add' made it.")
@click.argument("name")
def remove_model(name: str) -> None:  # noqa: D103
    from router.registry.home import home
    from router.registry.weights import WeightsError, remove

    try:
        weights = remove(home(), name)
    except WeightsError as error:
        show.fail(error.message, error.hint)
    kept = f" The file {weights.path} is kept." if Path(weights.path).exists() else ""
    served = "is no candidate any more for" if weights.candidate else "no longer serves"
    show.line(f"{weights.name} {served} the {weights.tier} tier.{kept}")


def _state(weights: Weights, thoroughly: bool) -> str:
    from router.registry.weights import WeightsError, state_of, verify

    state = state_of(weights)
    if state != "ready" or not thoroughly:
        return state
    try:
        verify(weights, show.progress)
    except WeightsError:
        return "changed"
    return state


def _tables(listed: list[tuple[Weights, str]]) -> None:
    show.table(
        ("tier", "model", "size", "context", "tools", "state"),
        [
            (
                f"{weights.tier} (candidate)" if weights.candidate else weights.tier,
                weights.name,
                _size(weights.bytes),
                str(weights.context),
                "yes" if weights.tools else "no",
                state,
            )
            for weights, state in listed
        ],
        title="Weights on this machine",
    )
    show.table(
        ("model", "lineage", "licence", "from"),
        [(weights.name, _lineage(weights.lineage), weights.licence, _origin(weights)) for weights, _ in listed],
        title="Where they come from",
    )


def _lineage(lineage: Lineage) -> str:
    """What is known, then what is not, in one cell."""
    facts = {
        "family": lineage.family,
        "teacher": lineage.teacher,
        "student base": lineage.student_base,
        "dataset": lineage.dataset_hash,
        "recipe": lineage.recipe_hash,
        "gate": lineage.gate,
    }
    known = [f"{what} {word}" for what, word in facts.items() if word != "unknown"]
    unknown = [what for what, word in facts.items() if word == "unknown"]
    missing = [f"unknown: {', '.join(unknown)}"] if unknown else []
    return "; ".join([f"generation {lineage.generation}", *known, *missing])


def _origin(weights: Weights) -> str:
    """The host of a URL, the name of a file."""
    from urllib.parse import urlsplit

    return urlsplit(weights.origin).hostname or Path(weights.origin).name


def _as_json(weights: Weights, state: str) -> dict[str, Any]:
    import msgspec

    value: dict[str, Any] = msgspec.to_builtins(weights)
    return value | {"state": state}


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"
