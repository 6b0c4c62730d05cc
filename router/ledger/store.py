"""Opening a ledger, wherever it lies, to write or only to read."""

from __future__ import annotations

from pathlib import Path

from router.ledger import sqlite
from router.ledger.db import Db
from router.ledger.place import Place


def open_writer(place: Place) -> Db:
    """Open a ledger for writing; create it and bring it to the newest shape.

    Raises:
        LedgerError: it cannot be opened, is another program's, or newer than this code.
    """
    if isinstance(place, Path):
        return sqlite.open_writer(place)
    from router.ledger import postgres

    return postgres.open_writer(place)


def open_reader(place: Place) -> Db:
    """Open a ledger to read it; nothing is created or changed.

    Raises:
        LedgerError: there is none, or it has another shape.
    """
    if isinstance(place, Path):
        return sqlite.open_reader(place)
    from router.ledger import postgres

    return postgres.open_reader(place)
