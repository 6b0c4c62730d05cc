"""The read side of the ledger: questions in SQL, over a file opened read-only. It knows no writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from router.ledger.feedback import feedback_of
from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS, as_dict, story
from router.ledger.store import open_reader
from router.ledger.sums import (
    DAY_MS,
    MEASURES,
    PARTS,
    Dimension,
    Part,
    Percentiles,
    Sums,
    grouped_sql,
    latency_rows_sql,
    percentiles,
    rolled_sql,
    rows_sql,
)
from router.types import Frozen

_SHOWN_ATTEMPT = (*ATTEMPT_COLUMNS, "generation")
_PAGE = 500


class Span(Frozen, frozen=True, kw_only=True):
    """Which requests are asked about. ``None`` means all.

    ``since_ms`` is exact for stored rows; a day that has been pruned counts whole when it began after
    the start of ``since_ms``'s own day.
    """

    since_ms: int | None = None
    tenant: str | None = None
    policy: str | None = None

    def where(self, *, rolled: bool) -> str:
        """SQL over the named parameters of ``parameters``."""
        since = "day >= :since_day" if rolled else "at_ms >= :since_ms"
        tests = [since] if self.since_ms is not None else []
        tests += [f"{name} = :{name}" for name in ("tenant", "policy") if getattr(self, name) is not None]
        return " AND ".join(tests) or "true"

    def parameters(self) -> dict[str, str | int | None]:
        """The values for ``where``."""
        day = None if self.since_ms is None else self.since_ms // DAY_MS
        return {"since_ms": self.since_ms, "since_day": day, "tenant": self.tenant, "policy": self.policy}


EVERYTHING = Span()


class Group(Frozen, frozen=True, kw_only=True):
    """One line of a grouping: its keys in the order that was asked for, and its sums."""

    keys: tuple[str | int, ...]
    sums: Sums


class Info(Frozen, frozen=True, kw_only=True):
    """What a ledger holds. Times are milliseconds since the epoch; None when there are no rows."""

    requests: int
    attempts: int
    first_ms: int | None
    last_ms: int | None
    pruned_requests: int
    pruned_days: int
    migrations: tuple[str, ...]


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
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    # --- single requests

    def request(self, request_id: str) -> dict[str, object] | None:
        """One request with its attempts in order; None when it is not there."""
        row = self._db.execute(
            f"SELECT {', '.join(REQUEST_COLUMNS)} FROM requests WHERE id = ?",  # noqa: S608
            (request_id,),
        ).fetchone()
        return None if row is None else self._story(row)

    def requests(self, span: Span = EVERYTHING) -> Iterator[dict[str, object]]:
        """Every stored request with its attempts, oldest first.

        Reads page by page: memory stays flat, and no long transaction keeps the log from shrinking.
        """
        page = (
            f"SELECT rowid, {', '.join(REQUEST_COLUMNS)} FROM requests "  # noqa: S608
            f"WHERE (at_ms, rowid) > (:at_ms, :rowid) AND {span.where(rolled=False)} "
            f"ORDER BY at_ms, rowid LIMIT {_PAGE}"
        )
        at = REQUEST_COLUMNS.index("at_ms") + 1
        place: dict[str, str | int | None] = {"at_ms": -(1 << 62), "rowid": 0}
        while rows := self._db.execute(page, {**span.parameters(), **place}).fetchall():
            for row in rows:
                yield self._story(row[1:])
            place = {"at_ms": rows[-1][at], "rowid": rows[-1][0]}

    def _story(self, row: Sequence[str | int | float | None]) -> dict[str, object]:
        request = as_dict(REQUEST_COLUMNS, row)
        attempts = self._db.execute(
            f"SELECT {', '.join(_SHOWN_ATTEMPT)} FROM attempts WHERE request_id = ? ORDER BY n",  # noqa: S608
            (request["id"],),
        )
        shown = [as_dict(_SHOWN_ATTEMPT, attempt) for attempt in attempts]
        return story(request, shown, feedback_of(self._db, str(request["id"])))

    # --- sums; what has been pruned is counted too

    def groups(self, by: Sequence[Dimension], span: Span = EVERYTHING) -> list[Group]:
        """Sums by the given dimensions, in their order. With none: one group, or none at all."""
        source = f"{rows_sql(by, span.where(rolled=False))} UNION ALL {rolled_sql(by, span.where(rolled=True))}"
        rows = self._db.execute(grouped_sql(by, source), span.parameters())
        n = len(by)
        return [
            Group(keys=tuple(row[:n]), sums=Sums(**dict(zip(MEASURES, row[n:], strict=True))))
            for row in rows
            if row[n] is not None  # the sum over nothing
        ]

    def latency(self, span: Span = EVERYTHING) -> dict[Part, Percentiles]:
        """Percentiles of answered requests; a part that was never measured is missing."""
        found: dict[Part, Percentiles] = {}
        for part in PARTS:
            stored = latency_rows_sql(part, span.where(rolled=False))
            rolled = f"SELECT * FROM daily_latency WHERE part = '{part}' AND {span.where(rolled=True)}"  # noqa: S608
            rows = self._db.execute(
                f"SELECT bucket_us, sum(requests) FROM ({stored} UNION ALL {rolled}) GROUP BY bucket_us",  # noqa: S608
                span.parameters(),
            )
            if (described := percentiles(rows)) is not None:
                found[part] = described
        return found

    def info(self) -> Info:
        """What the ledger holds."""
        one = self._db.execute
        requests, first, last = one("SELECT count(*), min(at_ms), max(at_ms) FROM requests").fetchone()
        pruned, days = one("SELECT coalesce(sum(requests), 0), count(DISTINCT day) FROM daily").fetchone()
        return Info(
            requests=requests,
            attempts=one("SELECT count(*) FROM attempts").fetchone()[0],
            first_ms=first,
            last_ms=last,
            pruned_requests=pruned,
            pruned_days=days,
            migrations=tuple(name for (name,) in one("SELECT name FROM migrations ORDER BY name")),
        )
