"""``stillhouse distill curate``: choose what to learn from, and freeze what to judge by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.distill.curate.rules import Rules

FIELDS = ("route", "tenant", "tier", "source", "teacher")


def _pairs(_ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in words)
    for name in pairs:
        if name not in FIELDS:
            raise click.BadParameter(f"{name!r} is none of the fields {', '.join(FIELDS)}; write FIELD=VALUE")
    return pairs


@click.command(
    name="curate",
    help="Choose the rows of the loop NAME from FILES (JSON Lines, one prompt with its answers a line; '.gz' too). "
    "Personal data is masked first; then prompts are held out by their content hash, for good; then duplicates and "
    "near-duplicates go; then rows are taken from the clusters where the small tier failed, and as many at random as a "
    "control. The same input gives the same bytes.",
)
@click.argument("name")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--where", multiple=True, callback=_pairs, metavar="FIELD=VALUE", help="Rows of the task; repeatable.")
@click.option(
    "--budget", type=click.IntRange(1, 200_000), default=15_000, show_default=True, help="Rows to learn from."
)
@click.option("--holdout", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share that is held out.")
@click.option("--holdout-rows", type=click.IntRange(0, 20_000), default=500, show_default=True, help="At most.")
@click.option("--general-rows", type=click.IntRange(0, 20_000), default=200, show_default=True, help="Of other work.")
@click.option("--personal", type=click.Choice(["mask", "drop"]), default="mask", show_default=True,
              help="What becomes of rows with personal data or secrets.")  # fmt: skip
@click.option("--keep-names", is_flag=True, help="Do not look for names of people and addresses.")
@click.option("--answers", is_flag=True, help="Leave out rows that no teacher has answered yet.")
@click.option("--licence", is_flag=True, help="Leave out rows whose teacher's terms are not known.")
@click.option("--policy", help="Leave out what this policy's guards of requests block.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order among equals.")
@click.option("--json", "as_json", is_flag=True, help="The manifest as one line of JSON.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, files: tuple[Path, ...], where: dict[str, str], budget: int, holdout: float, holdout_rows: int,
    general_rows: int, personal: Literal["mask", "drop"], keep_names: bool, answers: bool, licence: bool,
    policy: str | None, seed: int, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.curate.rules import Rules
    from evals.distill.curate.run import CurationError, curate
    from evals.distill.example import RowError
    from evals.distill.folder import Folder
    from router.registry.home import home

    rules = Rules(
        budget=budget, where=where, holdout=holdout, holdout_rows=holdout_rows, general_rows=general_rows,
        personal=personal, names=not keep_names, guards=_guards(policy), answers=answers, licence=licence, seed=seed,
    )  # fmt: skip
    try:
        folder = Folder.of(home(), name)
        manifest = curate(files, folder, rules, _tell)
    except ImportError:
        show.fail("curating needs scikit-learn", "pip install 'stillhouse[train]'")
    except (CurationError, RowError, ValueError) as error:
        show.fail(str(error))
    if as_json:
        click.echo(json.dumps(manifest, ensure_ascii=False))
        return
    _say(manifest, rules, folder.root)


def _guards(policy: str | None) -> tuple[dict[str, Any], ...]:
    if policy is None:
        return ()
    from policies.load import load_policy
    from policies.mistakes import Mistakes

    try:
        guards = load_policy(policy).body.guards.input
    except Mistakes as mistakes:
        show.fail(str(mistakes))
    return tuple(msgspec.to_builtins(guard) if isinstance(guard, msgspec.Struct) else dict(guard) for guard in guards)


def _tell(what: str, share: float) -> None:
    click.echo(f"{what} {share:.0%}", err=True)


def _say(manifest: dict[str, Any], rules: Rules, root: Path) -> None:
    rows = manifest["rows"]
    show.table(
        ("rows", "", ""),
        [
            ("read", f"{rows['read']:,}", f"personal data masked in {rows['masked']:,}"),
            *(("left out", f"{count:,}", reason) for reason, count in manifest["left_out"].items()),
            ("held out", f"{rows['holdout']:,}", "by content hash; never learned from"),
            ("other work", f"{rows['general']:,}", "to see what a student forgets"),
            ("to learn from", f"{rows['train']:,}", f"the small tier failed on {rows['failed_in_train']:,}"),
            ("at random", f"{rows['control']:,}", f"it failed on {rows['failed_in_control']:,}"),
        ],
    )
    worst = sorted(manifest["clusters"], key=lambda c: -c["train"])[:5]
    for cluster in worst:
        click.echo(
            f"  a cluster of {cluster['rows']:,} rows, {cluster['failure_rate']:.0%} failed: "
            f"{cluster['train']:,} taken, {cluster['control']:,} at random"
        )
    if manifest["licence"] != "allowed":
        click.echo("The teachers' terms are not known for all rows; see 'licences' in the manifest.")
    click.echo(f"Left in {root} (seed {rules.seed}).")
