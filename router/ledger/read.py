"""The read side of the ledger. It opens the file read-only and knows nothing of the writer."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS, as_dict, story
from router.ledger.store import open_reader

_SHOWN_ATTEMPT = (*ATTEMPT_COLUMNS, "generation")


class Reader:
    """Questions to a ledger. A context manager; one connection, closed at the end."""

    def __init__(self, path: Path) -> None:
        """Open ``path``.

        Raises:
            LedgerError: there is no such ledger, or it has another shape.
        """
        self.path = path
        self._db: sqlite3.Connection = open_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def request(self, request_id: str) -> dict[str, object] | None:
        """One request with its attempts in order; None when it is not there."""
        row = self._db.execute(
            f"SELECT {', '.join(REQUEST_COLUMNS)} FROM requests WHERE id = ?",  # noqa: S608
            (request_id,),
        ).fetchone()
        if row is None:
            return None
        return story(as_dict(REQUEST_COLUMNS, row), self._attempts(request_id))

    def _attempts(self, request_id: str) -> list[dict[str, object]]:
        rows = self._db.execute(
            f"SELECT {', '.join(_SHOWN_ATTEMPT)} FROM attempts WHERE request_id = ? ORDER BY n",  # noqa: S608
            (request_id,),
        )
        return [as_dict(_SHOWN_ATTEMPT, row) for row in rows]
