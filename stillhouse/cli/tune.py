"""``stillhouse tune``: the cheapest thresholds that keep a policy's promise, as a diff with its evidence."""

from __future__ import annotations

import difflib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.tuning.tune import Setting, Tuned
    from policies.policy import Policy
    from router.score import Scorer

EXIT_REFUSED = 1
_FRONT_LINES = 10


@click.command(
    help="Look for the cheapest thresholds of POLICY that keep its promise on recorded outcomes; print the front, the "
    "reasons and a diff. Changes no file unless told to. Exit code 1: nothing can be proposed."
)
@click.argument("policy")
@click.option("--on", "source", required=True, metavar="FILE", help="Outcome rows with their prompts (also .gz).")
@click.option("--family", help="The family of the rows' models (default: the policy's).")
@click.option("--families", type=click.Path(dir_okay=False, path_type=Path), help="A file that says what families are.")
@click.option("--small", help="The model's name in the rows that is the small tier.")
@click.option("--medium", help="The model that is the medium tier.")
@click.option("--large", help="The model that is the large tier.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which rows choose and which certify.")
@click.option("--ahead", type=click.IntRange(min=1), help="Promise for the mean of so many coming requests, too.")
@click.option("--write", is_flag=True, help="Change the policy's file.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the changed policy here instead.")
@click.option("--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Write the evidence bundle here.")
@click.option("--json", "as_json", is_flag=True, help="The evidence bundle instead of tables.")
def command(  # noqa: D103
    policy: str, source: str, family: str | None, families: Path | None, small: str | None, medium: str | None,
    large: str | None, seed: int, ahead: int | None, write: bool, out: Path | None, evidence: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    from evals.importers.outcomes import OutcomeError
    from evals.tuning import sources
    from evals.tuning.choose import Unanswerable
    from evals.tuning.evidence import bundle, canonical, digest
    from evals.tuning.rationale import rationale
    from evals.tuning.tune import tune
    from stillhouse.cli.offline import say_whose_prices, scorer_in_use, settings_or_none

    scorer = scorer_in_use(settings_or_none(None))
    current = _load(policy, scorer)
    path = Path(source)
    if source == "ledger" and not path.exists():
        _ledger()
    if not path.is_file():
        show.fail(
            f"{path}: {'that is a folder' if path.is_dir() else 'there is no such file'}",
            "name outcome rows: one JSON object a line (docs/tuning.md)",
        )
    if sources.is_ledger(path):
        _ledger()
    if current.body.promise is None:
        show.fail(
            f"policy {current.name!r} promises nothing, so there is nothing to keep",
            "add a line such as promise: {max_quality_loss: 2%} to it (docs/policies.md, 'A promise')",
        )
    if families is None:
        say_whose_prices(family or current.body.family)
    models = {tier: name for tier, name in (("small", small), ("medium", medium), ("large", large)) if name}
    try:
        named = sources.family_of(family or current.body.family, families, models)
        table = sources.outcomes(path, named, scorer).table(current)
        found = tune(current, table, seed=seed, ahead=ahead)
    except (OutcomeError, Unanswerable) as error:
        show.fail(str(error), "docs/tuning.md says what rows are needed")
    words = rationale(found)
    text, changed = _changed(current, found, scorer)
    diff = "".join(_diff(current.source, text))
    made = bundle(found, current, changed, table, command=_command_line(), rationale=words, diff=diff)
    if as_json:
        show.line(canonical(made).decode().rstrip("\n"))
    else:
        _print(found, words, diff)
    if evidence is not None:
        evidence.write_bytes(canonical(made))
        _note(f"evidence: {evidence} (sha256 {digest(made)})", as_json)
    if found.proposed is None:
        raise SystemExit(EXIT_REFUSED)
    _write(current, text, write, out, as_json)


def _load(name: str, scorer: Scorer | None, text: str | None = None) -> Policy:
    from policies.load import load_policy
    from policies.mistakes import Mistakes

    try:
        return load_policy(name, families=frozenset(scorer.families) if scorer else None, text=text)
    except Mistakes as mistakes:
        if text is not None:
            show.fail(
                f"the change would not be allowed:\n{mistakes}",
                "a floor that promises another aim must be tuned itself",
            )
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")


def _ledger() -> NoReturn:
    show.fail(
        "a ledger knows only the tier that answered, so no loss can be seen in it",
        "tune on outcome rows, then try the change on the ledger: stillhouse simulate NEW --on ledger",
    )


def _changed(current: Policy, found: Tuned, scorer: Scorer | None) -> tuple[str, Policy | None]:
    """The policy's text as proposed, and the policy that it makes; unchanged where nothing is proposed."""
    from policies.edit import CannotEdit, set_quality
    from policies.yaml import read_text

    text = _exact(current.source) if found.proposed else read_text(current.source)
    if found.proposed is None:
        return text, None
    try:
        new = set_quality(text, "lose", {tier: figure for tier, figure in found.proposed.figures.items()})  # noqa: C416
    except CannotEdit as error:
        show.fail(f"{current.source}: {error}")
    changed = _load(str(current.source), scorer, new)
    quality = changed.body.quality
    assert quality is not None
    assert all(quality.figure(tier) == figure for tier, figure in found.proposed.figures.items())
    return new, changed


def _exact(path: Path) -> str:
    """A file's text with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def _diff(path: Path, text: str) -> list[str]:
    old = _exact(path)
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), path.name, f"{path.name} (proposed)", n=2
    )
    return [line if line.endswith("\n") else line + "\n" for line in lines]


def _command_line() -> str:
    return shlex.join(["stillhouse", *sys.argv[1:]])


def _write(current: Policy, text: str, write: bool, out: Path | None, as_json: bool) -> None:
    from policies.load import PRESETS

    target = out or (current.source if write else None)
    if target is None:
        return
    if PRESETS in target.resolve().parents:
        show.fail("a preset is part of the product", "write with --out to a file of your own")
    target.write_bytes(text.encode("utf-8"))
    _note(f"wrote {target}", as_json)


def _note(words: str, as_json: bool) -> None:
    click.echo(words, err=as_json)


# --- the picture


def _print(found: Tuned, words: str, diff: str) -> None:
    show.table(["", "lose", "loss", "saving"], _front(found), "The front: what is lost, what is saved")
    show.line()
    rows = [_row("current", found.current), *([_row("proposed", found.proposed)] if found.proposed else [])]
    show.table(["held-out rows", "loss", "at most", "saving", "95 %", "quality"], rows)
    show.line()
    show.line(words)
    if diff:
        show.line()
        show.line(diff.rstrip("\n"))


def _front(found: Tuned) -> list[list[str]]:
    """Some points of the front, the knee among them; the proposal stands where it belongs."""
    count = len(found.front)
    chosen = {round(i * (count - 1) / (_FRONT_LINES - 1)) for i in range(_FRONT_LINES)} | {found.knee}
    lines = []
    for index in sorted(k for k in chosen if 0 <= k < count):
        point = found.front[index]
        mark = "knee" if index == found.knee else ""
        lines.append((point.risk, [mark, _figures(point.figures), f"{point.risk:.2%}", f"{point.saving:.1%}"]))
    for name, setting in (("current", found.current), ("proposed", found.proposed)):
        if setting is not None:
            figures = _figures(setting.figures) if setting.figures else "(its own aim)"
            cells = [name, figures, f"{setting.shown.mean:.2%}", f"{setting.saving.value:.1%}"]
            lines.append((setting.shown.mean, cells))
    return [cells for _, cells in sorted(lines, key=lambda line: line[0])]


def _figures(figures: object) -> str:
    assert isinstance(figures, dict)
    return ", ".join(f"{tier} {figure:.4f}" for tier, figure in figures.items())


def _row(name: str, setting: Setting) -> list[str]:
    shown, saving = setting.shown, setting.saving
    between = f"{saving.low:.1%} to {saving.high:.1%}"
    return [name, f"{shown.mean:.2%}", f"{shown.upper:.2%}", f"{saving.value:.1%}", between, f"{setting.quality:.3f}"]
