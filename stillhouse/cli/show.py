"""How the command line speaks: tables, progress, errors. The one place that knows rich.

Without rich (it is the extra ``cli``) the same words come out in plain columns.
Results go to standard output; progress and errors to standard error.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import click

T = TypeVar("T")

EXIT_BAD_INPUT = 2


def width(text: str) -> int:
    """Terminal columns that ``text`` takes: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table. Cells are inert text: markup in them is shown, not obeyed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        _plain_table(columns, rows, title)
        return
    grid = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    Console(soft_wrap=False, highlight=False).print(grid)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    if title:
        click.echo(title)
    widths = [max(width(line[i]) for line in [columns, *rows]) for i in range(len(columns))]
    for line in [columns, ["-" * w for w in widths], *rows]:
        click.echo("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(line, widths, strict=True)).rstrip())


def line(text: str = "") -> None:
    """Print one line of a result."""
    click.echo(text)


def note(text: str) -> None:
    """Print one line that is not a result (to standard error)."""
    click.echo(text, err=True)


def json_line(value: Any) -> None:
    """Print ``value`` as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False))


def fail(message: str, hint: str = "", code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Say what is wrong and how to mend it, then leave with ``code``. Never a traceback."""
    click.echo(click.style("error: ", fg="red", bold=True) + message, err=True)
    if hint:
        click.echo(click.style("hint:  ", fg="cyan") + hint, err=True)
    raise SystemExit(code)


def status(text: str) -> None:
    """Replace the one line on standard error that moves; nothing where that is no terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def progress(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Yield ``items`` behind a progress bar on standard error; silent when it is not a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=total, label=label, file=sys.stderr) as bar:
        yield from bar
