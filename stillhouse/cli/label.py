"""``stillhouse label``: pick the answers worth most, have them judged, and say how far the judge can be believed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import label_judge, label_person, show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import explained, ledger_option, ledger_place

if TYPE_CHECKING:
    from evals.labels.choosing import Choice
    from router.ledger.place import Place


@click.command(
    help="Pick the answers in the ledger that are worth most to judge (uncertain, frequent, costly), have a model or a "
    "person judge them, check the judge, and keep the labels. The ledger holds no text: bring it with --texts."
)
@click.option("--texts", type=click.Path(path_type=Path), help="JSON lines: id, messages, answer.")
@click.option("--judge", metavar="TIER|MODEL", help="A configured tier or model judges.")
@click.option("--person", is_flag=True, help="You judge, here in the terminal.")
@click.option("--export", "out", type=click.Path(path_type=Path), help="Write what is worth judging to a file instead.")
@click.option("--import", "brought", type=click.Path(path_type=Path), help="Keep the scores of such a file.")
@click.option("--signals", is_flag=True, help="Count the signs that nobody gave: regenerate, retry, tool errors …")
@click.option("--budget", metavar="MONEY", help="With --judge: at most so much, e.g. 5usd. Needed.")
@click.option(
    "--rows", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most so many answers."
)
@click.option(
    "--twice", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share judged in two wordings."
)
@click.option(
    "--people", multiple=True, default=("person",), show_default=True, help="Whose feedback checks the judge."
)
@click.option(
    "--as", "who", metavar="NAME", help="Who judged, in the ledger (default: person, or judge- and the model)."
)
@click.option("--keep", type=click.FloatRange(0, 1), help="The policy's quality.keep (default: the grammar's).")
@click.option("--refuse-weak", is_flag=True, help="Keep nothing of a judge that is not believed.")
@click.option("--dry-run", is_flag=True, help="Only show what would be judged.")
@click.option("--since", type=DURATION, metavar="SPAN", help="Only the last 12h, 7d, 8w …")
@click.option("--tenant", help="Only this tenant's requests.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file, for --judge.")
@click.option("--from-env", is_flag=True, help="Tiers from provider keys in the environment, for --judge.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103 - the help above is the docstring
    texts: Path | None,
    judge: str | None,
    person: bool,
    out: Path | None,
    brought: Path | None,
    signals: bool,
    budget: str | None,
    rows: int,
    twice: float,
    people: tuple[str, ...],
    who: str | None,
    keep: float | None,
    refuse_weak: bool,
    dry_run: bool,
    since: timedelta | None,
    tenant: str | None,
    config: Path | None,
    from_env: bool,
    ledger: str | None,
    as_json: bool,
) -> None:
    from policies.schema import DEFAULT_KEEP

    _one_of(judge is not None, person, out is not None, brought is not None, signals, dry_run and judge is None)
    _check_who(who)
    file = ledger_place(ledger)
    begin = 0 if since is None else int((datetime.now(UTC) - since).timestamp() * 1000)
    bar = DEFAULT_KEEP if keep is None else keep
    with explained(file):
        if signals:
            label_person.tell_signals(file, begin, tenant, as_json)
            return
        if brought is not None:
            label_person.bring(brought, file, who or "person", now_ms(), as_json)
            return
        if texts is None:
            show.fail("the ledger holds no text: bring it with --texts FILE", "docs/labels.md shows the form")
        judging = None
        if judge is not None:
            judging = label_judge.prepare(judge, budget, config, from_env)
        private = judging is None or judging.deployment.private
        choice = _choose(file, texts, rows, bar, begin, tenant, people if judging else (), private=private)
        _say_left(choice)
        if dry_run:
            label_person.tell_choice(choice, bar, as_json)
        elif out is not None:
            from evals.labels.elsewhere import export

            show.line(f"{export(choice, out, bar):,} answers written to {out}, the most valuable first.")
        elif judging is not None:
            label_judge.run(judging, choice, texts, file, who, twice, refuse_weak, as_json)
        else:
            label_person.ask(choice, file, who or "person")


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def _one_of(*ways: bool) -> None:
    if sum(ways) != 1:
        show.fail(
            "name one of --judge TIER, --person, --export FILE, --import FILE, --signals, --dry-run",
            "docs/labels.md says what each does",
        )


def _check_who(who: str | None) -> None:
    import re

    from router.ledger.feedback import WHO

    if who is not None and re.match(WHO, who) is None:
        show.fail(f"--as {who!r}: letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit")


def _choose(
    file: Place, texts: Path, rows: int, keep: float, since_ms: int, tenant: str | None, people: tuple[str, ...], *,
    private: bool,
) -> Choice:  # fmt: skip
    from evals.labels.choosing import choose
    from evals.labels.texts import TextsError

    try:
        return choose(
            file, texts, wanted=rows, keep=keep, since_ms=since_ms, tenant=tenant, people=people, private=private
        )
    except TextsError as error:
        show.fail(str(error), "docs/labels.md shows the form")


def _say_left(choice: Choice) -> None:
    if choice.left.texts:
        show.note(f"{choice.left.texts:,} of {choice.unjudged:,} unjudged prompts have no text in the file.")
    if choice.left.private:
        show.note(f"{choice.left.private:,} were kept on private models by a rule, and this judge is not private.")
    if not choice.rows:
        show.fail("nothing is left to judge", "bring more texts, a longer --since, or a private judge")
