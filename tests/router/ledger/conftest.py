"""Every question that is asked of a ledger is asked of both stores: one contract."""

from pathlib import Path

import pytest

from router.ledger.place import Place, Remote
from router.postgres import Dsn


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a ledger may lie: nothing is there yet."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    return Remote(Dsn(request.getfixturevalue("postgres_dsn")), tmp_path)
