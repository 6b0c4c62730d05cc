"""A run as tables for a terminal. The command line prints them; nothing here knows how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from evals.reports import told, words
from evals.reports.summary import Summary

_MARKS = {"pass": "pass", "fail": "FAIL", "error": "not decided"}
_SLICES = 30
_LOSSES = 5
_LINE = 100


class Table(NamedTuple):
    """Columns and rows of plain text, with a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def print_run(summary: Summary, line: Callable[[str], None], table: Callable[..., None]) -> None:
    """Print the run with the command line's own ways: ``line(text)``, ``table(columns, rows, title)``."""
    for sentence in lines(summary):
        line(sentence)
    for found in tables(summary):
        line("")
        table(found.columns, found.rows, found.title)


def lines(summary: Summary) -> Iterator[str]:
    """The verdict in one to four lines, for above the tables."""
    yield f"{summary.run.suite}: {words.VERDICTS[summary.run.verdict].lower()}"
    yield from (words.inert(sentence) for sentence in told.headline(summary))


def tables(summary: Summary) -> Iterator[Table]:
    """The tables, in the order of the HTML report; empty ones are left out."""
    found = (
        _checks(summary),
        _targets(summary),
        _frontier(summary),
        _slices(summary),
        _tiers(summary),
        _losses(summary),
    )
    for table in found:
        if table.rows:
            yield Table(table.title, table.columns, tuple(tuple(map(words.inert, row)) for row in table.rows))


def _checks(summary: Summary) -> Table:
    rows = tuple(
        (_MARKS[check.verdict], check.says, check.target, told.check_value(check), check.why)
        for check in summary.run.checks
    )
    return Table("Checks", ("", "check", "target", "found", "why"), rows)


def _targets(summary: Summary) -> Table:
    return Table("Targets", told.TARGET_COLUMNS, tuple(map(told.target_row, summary.targets)))


def _frontier(summary: Summary) -> Table:
    found = summary.frontier
    rows = tuple(told.frontier_rows(found)) if found and found.lines else ()
    return Table("Quality and cost", ("", "cost of 1,000 answers", "quality"), rows)


def _slices(summary: Summary) -> Table:
    held = any(line.against for line in summary.slices)
    rows = tuple(
        (*told.slice_row(line), *(told.slice_against(line) if held else ())) for line in summary.slices[:_SLICES]
    )
    return Table("Slices", (*told.SLICE_COLUMNS, *(("change", "p, adjusted") if held else ())), rows)


def _tiers(summary: Summary) -> Table:
    found = summary.confusion
    if found is None:
        return Table("", (), ())
    rows = tuple((tier, *(f"{n:,}" for n in counts)) for tier, counts in zip(found.expected, found.counts, strict=True))
    return Table("Tiers: meant and served", ("meant", *(tier or "no answer" for tier in found.served)), rows)


def _losses(summary: Summary) -> Table:
    rows = tuple(
        (told.loss_mark(loss), told.tags(loss.item), words.cut(" ".join(loss.item.prompt.split()), _LINE))
        for loss in summary.losses[:_LOSSES]
    )
    return Table("Worst regressions" if summary.reference else "Weakest answers", ("", "row", "prompt"), rows)
