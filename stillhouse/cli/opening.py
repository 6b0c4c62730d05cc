"""Opening the ledger for a command: where it lies by default, and its errors in a person's words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from router.ledger.place import Place
    from router.registry.shared import Shared

ledger_option: Callable[[Any], Any] = click.option(
    "--ledger",
    help="The ledger's file, or the env:NAME, file:PATH or postgresql:// URL of a server "
    "(default: $STILLHOUSE_LEDGER, else ledger.db in STILLHOUSE_HOME).",
)


def ledger_place(chosen: str | Path | None) -> Place:
    """The ledger that was named, else the one of the environment, else what ``stillhouse serve`` writes by default."""
    from router.ledger.place import Remote
    from router.registry.home import home
    from router.serve.settings import dsn_of

    named = str(chosen or os.environ.get("STILLHOUSE_LEDGER", ""))
    if not named:
        return home() / "ledger.db"
    try:
        dsn = dsn_of(named)
    except ValueError as error:
        show.fail(str(error))
    return Path(named).expanduser() if dsn is None else Remote(dsn, home())


@contextlib.contextmanager
def explained(place: Place) -> Iterator[None]:
    """Turn what goes wrong with the ledger's file into a message and exit code 2."""
    from router.ledger.db import LedgerError

    try:
        yield
    except LedgerError as error:
        show.fail(str(error))
    except sqlite3.Error as error:
        show.fail(f"ledger {place}: {error}", "Is the disk full, or the file damaged? Nothing was half done.")


@contextlib.contextmanager
def changing() -> Iterator[Path]:
    """The registry's folder, for a change: the home folder, or what $STILLHOUSE_REGISTRY's server takes as a whole."""
    from router.registry.home import home

    shared = _shared()
    if shared is None:
        yield home()
        return
    from router.postgres import PostgresError

    try:
        with contextlib.closing(shared):
            shared.join()
            with shared.editing() as place:
                yield place
    except PostgresError as error:
        show.fail(f"registry: {error}", "Nothing was changed.")


def looked() -> Path:
    """The home folder, with the shared registry's state of now where there is one."""
    from router.postgres import PostgresError
    from router.registry.home import home

    shared = _shared()
    if shared is not None:
        try:
            with contextlib.closing(shared):
                shared.join()
        except PostgresError as error:
            show.note(f"registry: {error}; this is the last state that was seen here.")
    return home()


def _shared() -> Shared | None:
    from router.registry.home import home
    from router.registry.shared import Shared
    from router.serve.settings import dsn_of

    named = os.environ.get("STILLHOUSE_REGISTRY", "")
    if not named:
        return None
    try:
        dsn = dsn_of(named)
    except ValueError as error:
        show.fail(f"STILLHOUSE_REGISTRY: {error}")
    if dsn is None:
        show.fail("STILLHOUSE_REGISTRY names no PostgreSQL: it is env:NAME, file:PATH, or a URL")
    return Shared(dsn, home())
