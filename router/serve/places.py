"""Where a cell's files lie, how a changed one is told, and what the operator's pin says."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from router.ledger.place import Place, Remote
from router.registry.home import home
from router.serve.settings import Settings, dsn_of
from router.types import TierName

if TYPE_CHECKING:
    pass

log = logging.getLogger("stillhouse")


def ledger_place(settings: Settings) -> Place:
    """Where the ledger lies.

    Raises:
        ValueError: the secret that names it is not there.
    """
    if settings.ledger is None:
        return home() / "ledger.db"
    dsn = dsn_of(settings.ledger)
    return Path(settings.ledger).expanduser() if dsn is None else Remote(dsn, home())


def keys_path(settings: Settings) -> Path:
    """Where the keys lie."""
    return Path(settings.keys_file).expanduser() if settings.keys_file else home() / "keys.json"


def pin_path() -> Path:
    """Where ``stillhouse pin`` leaves its word for running gateways."""
    return home() / "pin.json"


def read_pin() -> TierName | None:
    """The pinned tier, if any; a damaged file counts as none and is said aloud."""
    try:
        tier = json.loads(pin_path().read_text())["tier"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        log.error("the pin file %s is damaged; nothing is pinned", pin_path())
        return None
    return tier if tier in get_args(TierName) else None


def stamp(path: Path) -> tuple[int, int]:
    """When a file was written, and its size: another stamp is another content. Zeros where it cannot be looked at."""
    try:
        stat = path.stat()
    except OSError:  # gone, or no longer ours: what reads it says which
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
