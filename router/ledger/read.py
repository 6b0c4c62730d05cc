"""The read side of the ledger: questions in SQL, over a connection that may only read. It knows no writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from router.ledger.db import Db
from router.ledger.feedback import feedback_of
from router.ledger.place import Place
from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS, as_dict, story
from router.ledger.store import open_reader
from router.ledger.sums import (
    DAY_MS,
    LATENCY_KEYS,
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
_LATENCY = ", ".join((*LATENCY_KEYS, "part", "bucket_us", "requests"))
_PAGE = 500


class Span(Frozen, frozen=True, kw_only=True):
    """Which requests are asked about. ``None`` means all.

    ``since_ms`` is exact for stored rows; ``since_ms``'s own day counts whole where it has been pruned.
    """

    since_ms: int | None = None
    tenant: str | None = None
    policy: str | None = None

    def where(self) -> str:
        """The stored rows, in SQL over ``parameters``."""
        return self._tests("" if self.since_ms is None else "at_ms >= :since_ms")

    def _tests(self, since: str) -> str:
        tests = [f"({since})"] if since else []
        tests += [f"{name} = :{name}" for name in ("tenant", "policy") if getattr(self, name) is not None]
        return " AND ".join(tests) or "1 = 1"

    def beside_sums(self) -> tuple[str, ...]:
        """The stored rows that ``sums`` does not count: those behind them, and what is left of the first day.

        Each is a test by itself and no row passes two, so that each can use an index of its own.
        """
        behind = "rowid > (SELECT rolled_to FROM upkeep)"
        if self.since_ms is None:
            return (self._tests(behind),)
        gone = "(SELECT pruned_ms FROM upkeep) > :day_ms"
        return (
            self._tests(f"{behind} AND +at_ms >= :since_ms AND (+at_ms >= :next_ms OR {gone})"),
            self._tests(f"at_ms >= :since_ms AND at_ms < :next_ms AND NOT {gone}"),
        )

    def sums(self) -> str:
        """The daily sums: of all days behind the first, and of the first where its rows are gone."""
        first = "day > :day OR (day = :day AND (SELECT pruned_ms FROM upkeep) > :day_ms)"
        return self._tests("" if self.since_ms is None else first)

    def parameters(self) -> dict[str, str | int | None]:
        """The values for all of them."""
        day = (self.since_ms or 0) // DAY_MS
        return {
            "since_ms": self.since_ms, "day": day, "day_ms": day * DAY_MS, "next_ms": (day + 1) * DAY_MS,
            "tenant": self.tenant, "policy": self.policy,
        }  # fmt: skip


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

    def __init__(self, place: Place) -> None:
        """Open the ledger at ``place``.

        Raises:
            LedgerError: there is no such ledger, or it has another shape.
        """
        self._db: Db = open_reader(place)

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
        """Every stored request with its attempts, oldest first."""
        return self.stored(span.where(), span.parameters())

    def stored(self, where: str, given: Mapping[str, Any]) -> Iterator[dict[str, object]]:
        """The requests that pass a test in our own SQL, oldest first.

        Reads page by page: memory stays flat, and no long transaction keeps the log from shrinking.
        """
        page = (
            f"SELECT rowid, {', '.join(REQUEST_COLUMNS)} FROM requests "  # noqa: S608
            f"WHERE at_ms >= :at_ms AND (at_ms > :at_ms OR rowid > :rowid) AND {where} "
            f"ORDER BY at_ms, rowid LIMIT {_PAGE}"
        )
        at = REQUEST_COLUMNS.index("at_ms") + 1
        place = {"at_ms": -(1 << 62), "rowid": 0}
        while rows := self._db.execute(page, {**given, **place}).fetchall():
            yield from self._stories([row[1:] for row in rows])
            place = {"at_ms": rows[-1][at], "rowid": rows[-1][0]}

    def last_row(self) -> int:
        """The number of the newest row; 0 where there is none."""
        return int(self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0])

    def days(self, before_ms: int) -> list[int]:
        """The days before a time that have rows, in order."""
        days, at = [], -(1 << 62)
        next_one = "SELECT min(at_ms) FROM requests WHERE at_ms >= ? AND at_ms < ?"
        while (found := self._db.execute(next_one, (at, before_ms)).fetchone()[0]) is not None:
            days.append(found // DAY_MS)
            at = (days[-1] + 1) * DAY_MS
        return days

    def _story(self, row: Sequence[Any]) -> dict[str, object]:
        return next(self._stories([row]))

    def _stories(self, rows: Sequence[Sequence[Any]]) -> Iterator[dict[str, object]]:
        """A page of requests with what hangs on them, in two further questions."""
        requests = [as_dict(REQUEST_COLUMNS, row) for row in rows]
        ids = [request["id"] for request in requests]
        times = [int(str(request["at_ms"])) for request in requests]
        marks = ", ".join("?" * len(ids))
        found = self._db.execute(
            f"SELECT {', '.join(_SHOWN_ATTEMPT)} FROM attempts WHERE request_id IN ({marks}) "  # noqa: S608
            "AND at_ms BETWEEN ? AND ? ORDER BY request_id, n",
            (*ids, min(times), max(times)),
        )
        attempts: dict[object, list[dict[str, object]]] = {}
        for attempt in found:
            shown = as_dict(_SHOWN_ATTEMPT, attempt)
            attempts.setdefault(shown["request_id"], []).append(shown)
        said = feedback_of(self._db, ids)
        for request in requests:
            yield story(request, attempts.get(request["id"], ()), said.get(request["id"], ()))

    # --- sums; what has been pruned is counted too

    def groups(self, by: Sequence[Dimension], span: Span = EVERYTHING) -> list[Group]:
        """Sums by the given dimensions, sorted. With none: one group, or none at all."""
        parts = [rows_sql(by, where) for where in span.beside_sums()] + [rolled_sql(by, span.sums())]
        n = len(by)
        rows = self._db.execute(grouped_sql(by, " UNION ALL ".join(parts)), span.parameters()).fetchall()
        rows.sort(key=lambda row: row[:n])
        return [
            Group(keys=tuple(row[:n]), sums=Sums(**dict(zip(MEASURES, row[n:], strict=True))))
            for row in rows
            if row[n] is not None  # the sum over nothing
        ]

    def latency(self, span: Span = EVERYTHING) -> dict[Part, Percentiles]:
        """Percentiles of answered requests; a part that was never measured is missing."""
        found: dict[Part, Percentiles] = {}
        for part in PARTS:
            parts = [latency_rows_sql(part, where, self._db.words) for where in span.beside_sums()]
            parts.append(f"SELECT {_LATENCY} FROM daily_latency WHERE part = '{part}' AND {span.sums()}")  # noqa: S608
            rows = self._db.execute(
                f"SELECT bucket_us, sum(requests) FROM ({' UNION ALL '.join(parts)}) AS x GROUP BY bucket_us",  # noqa: S608
                span.parameters(),
            )
            if (described := percentiles(rows)) is not None:
                found[part] = described
        return found

    def pruned(self, span: Span = EVERYTHING, test: str = "1 = 1") -> tuple[int, int]:
        """Requests of which only sums are left, and of how many days; ``test`` is our own SQL over both."""
        summed = f"day < (SELECT pruned_ms FROM upkeep) / {DAY_MS} AND {test} AND {span.sums()}"  # noqa: S608
        still = f"at_ms < (SELECT pruned_ms FROM upkeep) AND rowid <= (SELECT rolled_to FROM upkeep) AND {test}"  # noqa: S608
        given = span.parameters()
        one = self._db.execute
        gone, days = one(
            f"SELECT coalesce(sum(requests), 0), count(DISTINCT day) FROM daily WHERE {summed}",  # noqa: S608
            given,
        ).fetchone()
        late = one(f"SELECT count(*) FROM requests WHERE {still} AND {span.where()}", given).fetchone()[0]  # noqa: S608
        return gone - late, days

    def info(self) -> Info:
        """What the ledger holds."""
        one = self._db.execute
        requests, first, last = one("SELECT count(*), min(at_ms), max(at_ms) FROM requests").fetchone()
        pruned, days = self.pruned()
        return Info(
            requests=requests,
            attempts=one("SELECT count(*) FROM attempts").fetchone()[0],
            first_ms=first,
            last_ms=last,
            pruned_requests=pruned,
            pruned_days=days,
            migrations=tuple(name for (name,) in one("SELECT name FROM migrations ORDER BY name")),
        )
