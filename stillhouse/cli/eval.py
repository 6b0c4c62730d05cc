"""``stillhouse eval``: run suites; the exit status says whether what they assert holds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.runs.execute import Done, Plan, Wishes
    from evals.runs.record import Check
    from evals.runs.runner import Progress
    from evals.suites.grammar import Suite
    from evals.suites.protocol import Protocol

_HELP = """Run suites: ask, score, assert.

SUITE is the name of one that ships or a YAML file; without any, those that ship are listed.

Exit status: 0 all that is asserted holds; 1 an assertion failed; 2 the suite, its data or settings are wrong;
3 it could not be decided (answers are missing, the budget is used up, it was interrupted).
"""
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(help=_HELP)
@click.argument("suites", nargs=-1)
@click.option("--against", default="", metavar="RUN", help="Compare with this run: an id, a folder, 'last' or 'none'.")
@click.option("--repeat", type=click.IntRange(1, 100), help="Ask each row so many times.")
@click.option("--data", type=click.Path(path_type=Path), help="What an importer reads, or the folder of outcome files.")
@click.option("--config", type=_FILE, help="Settings file with the models, in place of the suite's.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), metavar="USD", help="Spend at most this much.")
@click.option("--parallel", type=click.IntRange(1, 256), help="The most calls at once.")
@click.option("--fresh", is_flag=True, help="Ask again what is known.")
@click.option("--runs", type=click.Path(file_okay=False, path_type=Path), help="Where runs are kept.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be asked, ask nothing.")
@click.option("--junit", type=_FILE, help="Write the verdicts as JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a suite.")
@click.option("--report", is_flag=True, help="Print the whole report: targets, slices, what got worse.")
@click.option("--html", type=_FILE, help="Write the report as one HTML file.")
@click.option("--markdown", type=_FILE, help="Write the report as Markdown.")
def command(  # noqa: D103
    suites: tuple[str, ...], against: str, repeat: int | None, data: Path | None, config: Path | None,
    budget: float | None, parallel: int | None, fresh: bool, runs: Path | None, dry_run: bool, junit: Path | None,
    as_json: bool, report: bool, html: Path | None, markdown: Path | None,
) -> None:  # fmt: skip
    from evals.runs.execute import EXIT_CONFIG, Wishes
    from evals.runs.store import runs_folder

    if not suites:
        _list()
        return
    wishes = Wishes(
        runs=runs_folder(runs), against=against, repeat=repeat, data=data, config=config, budget_usd=budget,
        parallel=parallel, fresh=fresh, command=" ".join(["stillhouse eval", *sys.argv[2:]]),
    )  # fmt: skip
    protocols, asked = _read(suites)
    if (html or markdown) and (len(asked) != 1 or protocols):
        show.fail("--html and --markdown report one suite that is asked", code=EXIT_CONFIG)
    plans = _plans(asked, wishes)
    lines = _protocol_lines(protocols, data)
    if dry_run:
        for line in lines:
            show.line(" ".join(line[1:]))
        for plan in plans:
            _say_plan(plan)
        return
    done: list[Done] = []
    for plan in plans:
        done.append(_run(plan, wishes))
        _tell(done[-1], as_json)
        _reports(done[-1], wishes, html, markdown, whole=report)
    if junit is not None:
        from evals.runs.junit import junit as xml

        junit.write_text(xml(done), encoding="utf-8")
    raise SystemExit(max([each.exit_code for each in done] + [_protocols(lines)]))


# --- before ------------------------------------------------------------------------------------------


def _list() -> None:
    from evals.suites.grammar import Suite
    from evals.suites.read import FOLDER, load, names

    rows = []
    for name in names():
        suite = load(FOLDER / f"{name}.yaml")
        kinds = (
            dict.fromkeys(target.kind for target in suite.targets) if isinstance(suite, Suite) else {"a protocol": 1}
        )
        rows.append([name, ", ".join(kinds), suite.about])
    show.table(["suite", "targets", "what it is for"], rows)


def _read(suites: Sequence[str]) -> tuple[list[Protocol], list[tuple[Path, Suite]]]:
    """The protocols and the suites that are asked, or every mistake of all files."""
    from evals.suites.grammar import Suite
    from evals.suites.read import find, load
    from policies.mistakes import Mistakes

    protocols: list[Protocol] = []
    asked: list[tuple[Path, Suite]] = []
    wrong: list[str] = []
    for name in suites:
        try:
            path = find(name)
            found = load(path)
        except Mistakes as mistakes:
            wrong.append(str(mistakes))
            continue
        if isinstance(found, Suite):
            asked.append((path, found))
        else:
            protocols.append(found)
    if wrong:
        show.fail("the suite has mistakes:\n" + "\n".join(wrong), "docs/evals.md explains every setting")
    return protocols, asked


def _plans(asked: Sequence[tuple[Path, Suite]], wishes: Wishes) -> list[Plan]:
    from evals.runs.asking import ConfigError
    from evals.runs.execute import plan
    from policies.mistakes import Mistakes

    try:
        return [plan(suite, path, wishes) for path, suite in asked]
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except Mistakes as mistakes:
        show.fail(f"the data has mistakes:\n{mistakes}")


def _say_plan(plan: Plan) -> None:
    """What a run would do and what it can show, before it does anything."""
    suite = plan.suite
    calling = sum(target.calls for target in suite.targets)
    calls = calling * len(plan.rows) * plan.samples
    show.note(
        f"{suite.suite}: {len(plan.rows)} rows, {len(suite.targets)} targets, at most {calls:,} answers to ask for "
        f"({plan.samples} a row)"
    )
    if plan.left_out:
        show.note(f"{plan.left_out:,} rows are left out: not every model that the suite names has an outcome there")
    if plan.sees is None:
        show.note("it can show no difference of quality between two runs at 80 % power: too few questions")
    else:
        show.note(
            f"the smallest difference of quality it can show is {plan.sees:.1%} at 80 % power, where "
            f"{plan.discordant:.0%} of rows come out otherwise"
        )


# --- running -----------------------------------------------------------------------------------------


def _run(plan: Plan, wishes: Wishes) -> Done:
    from evals.runs.asking import ConfigError
    from evals.runs.execute import EXIT_INFRASTRUCTURE, execute

    _say_plan(plan)
    try:
        return asyncio.run(execute(plan, wishes, _progress))
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except OSError as error:  # answers or the run could not be kept
        show.fail(str(error), code=EXIT_INFRASTRUCTURE)
    finally:
        show.status("")


def _progress(at: Progress) -> None:
    show.status(progress_line(at))


def progress_line(at: Progress) -> str:
    """Where a run stands, in one line."""
    left = "" if at.left is None or at.done == at.total else f", {_clock(at.left)} left"
    errors = f", {at.errors} without a score" if at.errors else ""
    money = f", {at.spent_nano / 1e9:.4f} usd" if at.calls else ""
    return f"{at.target}  {at.done:,} of {at.total:,}{errors}, {at.calls:,} calls{money}{left}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    )


def _protocol_lines(protocols: Sequence[Protocol], data: Path | None) -> list[list[str]]:
    from evals.runs.asking import ConfigError
    from evals.runs.protocols import commands

    try:
        return commands(protocols, data)
    except ConfigError as error:
        show.fail(str(error), error.hint)


def _protocols(lines: Sequence[Sequence[str]]) -> int:
    from evals.runs.execute import EXIT_INFRASTRUCTURE, EXIT_PASS
    from evals.runs.protocols import run

    return EXIT_PASS if run(lines, show.note) else EXIT_INFRASTRUCTURE


# --- after -------------------------------------------------------------------------------------------


def _tell(done: Done, as_json: bool) -> None:
    if as_json:
        from evals.runs.junit import as_json as facts

        show.json_line(facts(done))
        return
    run = done.run
    rows = [[check.verdict, check.target, check.says, _figure(check), check.why] for check in run.checks]
    if rows:
        show.table(["verdict", "target", "assertion", "figure (95 %)", "why"], rows, run.suite)
    spent = f", {run.spent_nano / 1e9:.6f} usd spent" if run.calls else ""
    show.line(
        f"{run.suite}: {run.verdict}; {len(done.items):,} answers, {run.cached:,} of them known, {run.calls:,} calls, "
        f"{run.errors} missing{spent}"
    )
    if done.stopped:
        show.line(f"incomplete: {done.stopped}")
    show.line(f"run {run.id} in {done.folder}")


def _figure(check: Check) -> str:
    if check.value is None:
        return ""
    kind = check.says.split(" ", 1)[0]
    if kind in {"cost", "latency"}:
        return f"{check.value:.6f} usd" if kind == "cost" else f"{check.value:.1f} ms"
    ends = f" ({check.low:.3f} to {check.high:.3f})" if check.low is not None and check.high is not None else ""
    return f"{check.value:.3f}{ends}, n = {check.n}"


def _reports(done: Done, wishes: Wishes, html: Path | None, markdown: Path | None, *, whole: bool) -> None:
    """The reports of a run, from its folder; loaded only where one is wanted."""
    if not (html or markdown or whole):
        return
    from evals.reports.load import load
    from evals.reports.summary import summarise
    from evals.runs.store import find_run

    against = done.run.against
    loaded = load(done.folder, find_run(against, wishes.runs) if against else None)
    summary = summarise(loaded)
    if whole:
        from evals.reports import terminal

        for line in terminal.lines(summary):
            show.line(line)
        for table in terminal.tables(summary):
            show.table(table.columns, table.rows, table.title)
    if html is not None:
        from evals.reports.html import render

        html.write_text(render(loaded, summary), encoding="utf-8")
    if markdown is not None:
        from evals.reports.markdown import render as render_markdown

        markdown.write_text(render_markdown(summary), encoding="utf-8")
