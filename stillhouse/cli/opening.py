"""Opening the ledger for a command: where it lies by default, and its errors in a person's words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from stillhouse.cli import show

ledger_option: Callable[[Any], Any] = click.option(
    "--ledger", type=click.Path(path_type=Path), help="The ledger's file (default: ledger.db in STILLHOUSE_HOME)."
)


def ledger_path(chosen: Path | None) -> Path:
    """The file that was named, else the one that ``stillhouse serve`` writes by default."""
    from router.registry.home import home

    return chosen or home() / "ledger.db"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the ledger's file into a message and exit code 2."""
    from router.ledger.db import LedgerError

    try:
        yield
    except LedgerError as error:
        show.fail(str(error))
    except sqlite3.Error as error:
        show.fail(f"ledger {path}: {error}", "Is the disk full, or the file damaged? Nothing was half done.")
