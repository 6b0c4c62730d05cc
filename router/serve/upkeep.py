"""What a gateway does for its ledger beside the requests: sums that run along, and days that are removed in time.

Constant work in storm and calm: a look once a minute, in a thread, whose steps are short transactions. Of several
gateways at one server the first does the work of a look and the others find it done.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from router.ledger.archive import retire
from router.ledger.captures import expire
from router.ledger.db import LedgerError
from router.ledger.rollup import roll_up

if TYPE_CHECKING:
    from router.ledger.place import Place
    from router.serve.cell import Cell

log = logging.getLogger("stillhouse")
LOOK_SECONDS = 60.0
RETIRE_LOOKS = 60  # every so many looks days are removed


async def keep_up(cell: Cell) -> None:
    """Look after the cell's ledger until cancelled; what fails is said, and tried again."""
    place, settings = cell.ledger.place, cell.settings
    looks = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        keep = settings.ledger_keep_days if looks % RETIRE_LOOKS == 0 else None
        looks += 1
        await asyncio.to_thread(look, place, keep, settings.ledger_exports, cell.now_ms())
        if looks % RETIRE_LOOKS == 1:
            await asyncio.to_thread(forget, cell.captures.path, cell.now_ms())


def forget(captures: Path, now_ms: int) -> None:
    """Remove captures whose time is over, also where no policy captures any more."""
    try:
        if removed := expire(captures, now_ms):
            log.info("captures: %d were removed, their time is over", removed)
    except LedgerError as error:
        log.error("captures: their upkeep failed and is tried again: %s", error)


def look(place: Place, keep_days: int | None, exports: str | None, now_ms: int) -> None:
    """One look: sum up what is new; remove what is older than ``keep_days``, where a number is given."""
    try:
        roll_up(place)
        if keep_days is not None:
            folder = None if exports is None else Path(exports).expanduser()
            before = now_ms - int(timedelta(days=keep_days).total_seconds() * 1000)
            if removed := sum(retire(place, folder, before)):
                log.info("ledger: %d requests older than %d days were removed", removed, keep_days)
    except (LedgerError, sqlite3.Error, OSError) as error:
        log.error("ledger: its upkeep failed and is tried again: %s", error)
