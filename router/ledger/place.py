"""Where a ledger lies: a SQLite file, or a PostgreSQL that several gateways share."""

from __future__ import annotations

import hashlib
from pathlib import Path

from router.postgres import Dsn
from router.types import Frozen


class Remote(Frozen, frozen=True):
    """A ledger in PostgreSQL.

    Attributes:
        dsn: where.
        folder: of this machine; records wait in it while the server is away.
    """

    dsn: Dsn
    folder: Path

    def __str__(self) -> str:
        return str(self.dsn)


Place = Path | Remote


def waiting_room(place: Place) -> Path:
    """What the names of a ledger's waiting files begin with: the file itself, or one for each server and database."""
    if isinstance(place, Path):
        return place
    return place.folder / f"ledger-{hashlib.sha256(str(place).encode()).hexdigest()[:12]}"


def name_of(place: Place) -> str:
    """The same for one ledger wherever it is opened from."""
    said = str(place.resolve()) if isinstance(place, Path) else str(place)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
