"""``stillhouse gate``: a candidate against what it would replace, on every metric: yes, no, or it cannot be told."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.gate.values import Ruling
    from evals.gate.weigh import Named


@click.command(
    help="Judge CANDIDATE against what it would replace, on every metric. CANDIDATE is a run (folder or id), or a "
    "YAML or JSON file of means; '#' and a name choose a run's target or a file's system. With --on it is a policy, or "
    "a scorer. Exit codes: 0 yes, 1 no, 2 bad input, 3 it cannot be told, which is not a yes."
)
@click.argument("candidate")
@click.option(
    "--against", multiple=True, required=True, metavar="CURRENT", help="What it is judged against; repeatable."
)
@click.option("--also", multiple=True, metavar="RUN", help="The candidate on further data, e.g. a general set.")
@click.option("--also-against", multiple=True, metavar="RUN", help="The current one on that data; one for each --also.")
@click.option("--margin", multiple=True, metavar="METRIC=LOSS", help="The loss put up with: quality=0.01 or cost=10%.")
@click.option("--ignore", multiple=True, metavar="METRIC", help="Leave a metric out; the answer says so.")
@click.option("--improves", is_flag=True, help="Ask for a gain in at least one metric, too.")
@click.option("--on", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Outcome rows or a ledger.")
@click.option("--policy", default="balanced", show_default=True, help="With --on: under which two scorers are judged.")
@click.option("--family", help="With --on: the family of the rows' models (default: the policy's).")
@click.option("--families", type=click.Path(dir_okay=False, path_type=Path), help="A file that says what families are.")
@click.option("--small", help="With --on: the model in the rows that is the small tier.")
@click.option("--medium", help="The model that is the medium tier.")
@click.option("--large", help="The model that is the large tier.")
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs lie (default: runs in STILLHOUSE_HOME).")
@click.option("--out", type=click.Path(path_type=Path), help="Write the evidence here, as JSON, too.")
@click.option("--json", "as_json", is_flag=True, help="The evidence as one line of JSON instead of words.")
def command(  # noqa: D103 - the help above is the docstring
    candidate: str,
    against: tuple[str, ...],
    also: tuple[str, ...],
    also_against: tuple[str, ...],
    margin: tuple[str, ...],
    ignore: tuple[str, ...],
    improves: bool,
    on: Path | None,
    policy: str,
    family: str | None,
    families: Path | None,
    small: str | None,
    medium: str | None,
    large: str | None,
    runs: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from evals.gate import margins, telling
    from evals.gate.recorded import Outcomes
    from evals.gate.weigh import file_hash, hashes, load, load_decisions, weigh
    from router.ledger.db import LedgerError
    from router.registry.home import home

    if len(also) != len(also_against):
        show.fail(f"{len(also)} --also and {len(also_against)} --also-against; they come in pairs")
    folder = runs or home() / "runs"
    try:
        said = [margins.read_margin(text) for text in margin]
        if on is None:
            mine, theirs = load(candidate, folder), [load(name, folder) for name in against]
        else:
            models = {tier: name for tier, name in (("small", small), ("medium", medium), ("large", large)) if name}
            mine, theirs = load_decisions(candidate, against, Outcomes(on, family, families, models, policy))
        further = [(load(new, folder), load(old, folder)) for new, old in zip(also, also_against, strict=True)]
        ruling = weigh(mine, theirs, also=further, said=said, ignore=ignore, improves=improves)
    except (ValueError, LedgerError) as error:
        show.fail(
            str(error),
            "docs/gate.md says what can be judged; a policy or a scorer needs --on ROWS"
            if on is None
            else "docs/gate.md says what can be judged",
        )
    sides = [mine, *theirs, *(side for pair in further for side in pair)]
    data = dict(hashes(sides)) | ({str(on): file_hash(on)} if on is not None else {})
    if as_json or out is not None:
        told = evidence(ruling, data, mine)
        if out is not None:
            import json

            out.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        if as_json:
            show.json_line(told)
    if not as_json:
        _say(ruling)
    raise SystemExit(telling.EXIT[ruling.verdict])


def evidence(ruling: Ruling, data: dict[str, str], candidate: Named) -> dict[str, Any]:
    """What a proposal may carry: the ruling, of whom, what it rests on by hash, and how it was made.

    No clock and no machine are in it: the same rows, words and version give the same evidence.
    """
    from importlib.metadata import version

    from evals.gate import telling
    from evals.gate.columns import DRAWS, SEED

    return {
        "kind": "gate",
        "format": 1,
        "command": shlex.join(["stillhouse", *sys.argv[1:]]),
        "versions": {"stillhouse": version("stillhouse"), "numpy": version("numpy")},
        "candidate": {"kind": candidate.kind, "name": candidate.name, "digest": candidate.digest},
        "data": data,
        "seed": SEED,
        "draws": DRAWS,
        **telling.as_json(ruling),
    }


def _say(ruling: Ruling) -> None:
    from evals.gate import telling

    show.line(telling.headline(ruling))
    show.line()
    show.table(telling.COLUMNS, telling.table(ruling.findings))
    if ruling.slices:
        show.table(telling.COLUMNS, telling.table(ruling.slices), "slices that are worse")
    for words in telling.reasons(ruling.findings):
        show.line(words)
    if told := telling.slices_line(ruling):
        show.line(told)
    for note in ruling.notes:
        show.note(f"note: {note}.")
