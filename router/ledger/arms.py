"""What the ledger knows of the two arms of a roll-out: new rows, new judgements, and what was usual before.

Read in the order of their row numbers, in bounded stretches, so that a look costs milliseconds however long the
ledger is. Numbers and names only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from router.ledger.store import open_reader
from router.types import Frozen

STRETCH = 20_000  # row numbers a look
LATE_MS = 10_000  # a judgement may stand in the file so long before its request does
USUAL = 2_000  # rows that what is usual is taken from
FAR = 200_000  # row numbers it is looked for in


class ArmRow(Frozen, frozen=True, kw_only=True):
    """One request of an arm. Units as in ``RequestRecord``."""

    rowid: int
    id: str
    variant: str
    tenant: str
    session: str | None
    outcome: str
    mode: str
    cost_nano: int | None
    total_ms: float | None


class Judgement(Frozen, frozen=True, kw_only=True):
    """The first judgement of one request of an arm."""

    rowid: int
    id: str
    variant: str
    tenant: str
    session: str | None
    score: float


class Usual(Frozen, frozen=True, kw_only=True):
    """What answers of one policy cost and took: sorted, unknown ones left out."""

    costs: tuple[int, ...]
    times: tuple[float, ...]


class Arms:
    """Questions about one roll-out's variants."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def before(self, at_ms: int) -> tuple[int, int]:
        """The last row number before a time, of requests and of judgements."""
        row = self._db.execute(
            "SELECT min(rowid) FROM (SELECT rowid FROM requests WHERE at_ms >= ? ORDER BY at_ms LIMIT 1000)", (at_ms,)
        ).fetchone()[0]
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        given = self._db.execute("SELECT coalesce(max(rowid), 0) FROM feedback WHERE given_ms < ?", (at_ms,))
        return (last if row is None else row - 1), given.fetchone()[0]

    def rows(self, variants: Sequence[str], after: int) -> tuple[int, list[ArmRow]]:
        """The rows of a stretch behind ``after``, and its end."""
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        end = min(last, after + STRETCH)
        names = ", ".join(("rowid", *ArmRow.__struct_fields__[1:]))
        found = self._db.execute(
            f"SELECT {names} FROM requests WHERE rowid > ? AND rowid <= ? "  # noqa: S608
            f"AND variant IN ({', '.join('?' * len(variants))}) ORDER BY rowid",
            (after, end, *variants),
        )
        fields = ArmRow.__struct_fields__
        return max(after, end), [ArmRow(**dict(zip(fields, row, strict=True))) for row in found]

    def judgements(self, variants: Sequence[str], after: int, now_ms: int) -> tuple[int, list[Judgement]]:
        """The first judgements of requests behind ``after``, and where to go on.

        A judgement whose request is not in the file yet is waited for, not passed over.
        """
        found = self._db.execute(
            "SELECT f.rowid, f.request_id, r.variant, r.tenant, r.session, f.score, f.given_ms, "
            "EXISTS (SELECT 1 FROM feedback g WHERE g.request_id = f.request_id AND g.rowid < f.rowid) "
            "FROM feedback f LEFT JOIN requests r ON r.id = f.request_id WHERE f.rowid > ? ORDER BY f.rowid LIMIT ?",
            (after, STRETCH),
        ).fetchall()
        kept, end = [], after
        for rowid, request_id, variant, tenant, session, score, given_ms, again in found:
            if variant is None and given_ms > now_ms - LATE_MS:
                break
            end = rowid
            if variant in variants and not again:
                kept.append(
                    Judgement(rowid=rowid, id=request_id, variant=variant, tenant=tenant, session=session, score=score)
                )
        return end, kept

    def usual(self, policy_hash: str) -> Usual:
        """What the latest answers of a policy cost and took."""
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        rows = self._db.execute(
            "SELECT cost_nano, total_ms FROM requests WHERE rowid > ? AND policy_hash = ? AND mode = 'routed' "
            "AND outcome = 'ok' ORDER BY rowid DESC LIMIT ?",
            (last - FAR, policy_hash, USUAL),
        ).fetchall()
        costs = sorted(cost for cost, _ in rows if cost is not None)
        return Usual(costs=tuple(costs), times=tuple(sorted(ms for _, ms in rows if ms is not None)))

    def means(self, policy: str, before_ms: int) -> dict[str, dict[str, tuple[float, int]]]:
        """Tenant -> quality, errors, blocked -> mean goodness and how many, of the latest rows before a time."""
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        span = (last - FAR, policy, before_ms)
        out: dict[str, dict[str, tuple[float, int]]] = {}
        bad = ", ".join(f"'{word}'" for word in ERRORS)
        for tenant, n, errors, blocked in self._db.execute(
            f"SELECT tenant, count(*), avg(outcome IN ({bad})), avg(outcome LIKE 'blocked%') FROM requests "  # noqa: S608
            "WHERE rowid > ? AND policy = ? AND at_ms < ? AND mode = 'routed' GROUP BY tenant",
            span,
        ):
            out[tenant] = {"errors": (1 - errors, n), "blocked": (1 - blocked, n)}
        for tenant, n, score in self._db.execute(
            "SELECT tenant, count(*), avg(score) FROM feedback JOIN requests ON requests.id = feedback.request_id "
            "WHERE requests.rowid > ? AND policy = ? AND requests.at_ms < ? GROUP BY tenant",
            span,
        ):
            out.setdefault(tenant, {})["quality"] = (score, n)
        return out


ERRORS = ("upstream_error", "internal_error", "refused", "bad_request", "client_gone")
"""Outcomes in which no answer came. A caller's own mistakes are among them: they are alike in both arms."""


@contextmanager
def arms(path: Path) -> Iterator[Arms]:
    """Open a ledger to read of its arms.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with closing(open_reader(path)) as db:
        yield Arms(db)
