"""A run as Markdown for a pull request: short, and no text of a run can become markup, a mention or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from evals.reports import told, words
from evals.reports.load import load
from evals.reports.summary import Loss, Summary, summarise
from evals.runs.record import Check

#: What one comment of a pull request holds, less some room.
MOST: Final = 60_000
_SLICES: Final = 20
_LOSSES: Final = 5
_TEXT: Final = 600
_MARKS: Final = {"pass": "✅", "fail": "❌", "error": "⚠️"}


def page(folder: Path, against: Path | None = None) -> str:
    """The report of the run in ``folder``."""
    return render(summarise(load(folder, against)))


def render(summary: Summary) -> str:
    """The page of a summary that was already made."""
    out = "\n".join(_lines(summary)) + "\n"
    return out if len(out) <= MOST else out[: out.rindex("\n", 0, MOST)] + "\n\nCut here: the HTML report has all.\n"


def _lines(summary: Summary) -> Iterator[str]:
    run = summary.run
    yield f"## {_MARKS[run.verdict]} {_plain(run.suite)}: {words.VERDICTS[run.verdict].lower()}"
    yield ""
    for sentence in told.headline(summary):
        yield f"{_plain(sentence)}  "
    yield ""
    if run.checks:
        yield from _table(("check", "target", "found", ""), map(_check, run.checks))
    if summary.targets:
        yield from _table(told.TARGET_COLUMNS, (map(_plain, told.target_row(t)) for t in summary.targets))
    if summary.frontier and len(summary.frontier.points) > 1:
        yield from _folded("Quality and cost, with baselines", _frontier(summary))
    if summary.slices:
        yield from _folded(f"Slices ({len(summary.slices)})", _slices(summary))
    if summary.losses and summary.reference:
        yield from _folded(f"Worst regressions ({summary.worse:,} rows got worse)", _losses(summary))
    yield from _folded(
        "How it was measured", (f"- {_plain(name)}: {_plain(value)}" for name, value in told.facts(summary))
    )


def _check(check: Check) -> tuple[str, ...]:
    says = f"{_MARKS[check.verdict]} {_plain(check.says)}"
    return says, _plain(check.target), told.check_value(check), _plain(check.why)


def _frontier(summary: Summary) -> Iterator[str]:
    assert summary.frontier is not None
    yield told.frontier_note(summary.frontier)
    yield ""
    rows = (map(_plain, row) for row in told.frontier_rows(summary.frontier))
    yield from _table(("", "cost of 1,000 answers", "quality"), rows)


def _slices(summary: Summary) -> Iterator[str]:
    held = any(line.against for line in summary.slices)
    if held:
        yield _plain(told.slices_note(summary))
        yield ""
    shown = summary.slices
    if len(shown) > _SLICES:
        # the thinnest say least
        largest = sorted(shown, key=lambda line: -line.answers)[:_SLICES]
        shown = tuple(line for line in shown if line in largest)
    rows = [[*told.slice_row(line), *(told.slice_against(line) if held else ())] for line in shown]
    columns = [*told.SLICE_COLUMNS, *(("change", "p, adjusted") if held else ())]
    yield from _table(columns, ([_plain(cell) for cell in row] for row in rows))
    if len(summary.slices) > len(shown):
        yield f"{len(summary.slices) - len(shown)} smaller slices are in the HTML report."


def _losses(summary: Summary) -> Iterator[str]:
    for loss in summary.losses[:_LOSSES]:
        yield f"**{told.loss_mark(loss)}** {_plain(told.tags(loss.item))}"
        yield ""
        yield from _texts(loss, summary)


def _texts(loss: Loss, summary: Summary) -> Iterator[str]:
    assert summary.reference is not None
    other = "" if loss.other is None else loss.other.answer or loss.other.error
    texts = [
        ("prompt", loss.item.prompt),
        (loss.item.target, loss.item.answer or loss.item.error),
        (summary.reference.name, other),
    ]
    for name, value in texts:
        yield f"{_plain(name)}:"
        yield _fenced(words.cut(value, _TEXT))
        yield ""


def _fenced(value: str) -> str:
    """A code block that no run of backticks in it can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", value)), default=0))
    return f"{fence}text\n{value}\n{fence}"


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{_plain(title)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _plain(value: str) -> str:
    """Words of a run as text in a line: no markup, no mention, no HTML, no new line."""
    line = " ".join(words.inert(value).split())
    escaped = re.sub(r"([\\`*_{}\[\]|~#])", r"\\\1", line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u2060").replace("://", ":\u2060//")
