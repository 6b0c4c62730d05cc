"""What the ledger knows of the two arms of a roll-out: new rows, new judgements, and what was usual before.

Read in the order of their row numbers, in bounded stretches, so that a look costs milliseconds however long the
ledger is. Numbers and names only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from router.ledger.db import Db, LedgerError
from router.ledger.place import Place
from router.ledger.store import open_reader
from router.types import Frozen

STRETCH = 20_000  # row numbers a look
LATE_MS = 10_000  # a judgement may stand in the file so long before its request does
USUAL = 2_000  # rows that what is usual is taken from
CHAT = "/v1/chat/completions"  # /v1/route says where a request would go; that is no outcome
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

    def __init__(self, db: Db) -> None:
        self._db = db

    def before(self, at_ms: int) -> tuple[int, int]:
        """The last row number before a time, of requests and of judgements."""
        row = self._db.execute(
            "SELECT min(rowid) FROM (SELECT rowid FROM requests WHERE at_ms >= ? ORDER BY at_ms LIMIT 1000) AS first",
            (at_ms,),
        ).fetchone()[0]
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        given = self._db.execute("SELECT coalesce(max(rowid), 0) FROM feedback WHERE given_ms < ?", (at_ms,))
        return (last if row is None else row - 1), given.fetchone()[0]

    def rows(self, variants: Sequence[str], after: int) -> tuple[int, list[ArmRow]]:
        """The rows of a stretch behind ``after``, and its end.

        Raises:
            LedgerError: rows that were read already are gone, so what is new cannot be told.
        """
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        if last < after:
            raise LedgerError("the ledger is shorter than it was: it was pruned to its end, or replaced by another")
        end = min(last, after + STRETCH)
        names = ", ".join(("rowid", *ArmRow.__struct_fields__[1:]))
        found = self._db.execute(
            f"SELECT {names} FROM requests WHERE rowid > ? AND rowid <= ? "  # noqa: S608
            f"AND variant IN ({', '.join('?' * len(variants))}) AND endpoint = '{CHAT}' ORDER BY rowid",
            (after, end, *variants),
        )
        fields = ArmRow.__struct_fields__
        return end, [ArmRow(**dict(zip(fields, row, strict=True))) for row in found]

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

    def means(
        self, policy: str, before_ms: int, errors: Sequence[str], scale: tuple[float, float] | None
    ) -> dict[str, dict[str, tuple[float, int]]]:
        """Tenant -> signal -> mean goodness and of how many, over the latest rows before a time.

        Args:
            policy: its name.
            before_ms: the time.
            errors: the outcomes that count as errors.
            scale: the cost that counts most, and the milliseconds above which an answer is slow; None leaves both out.
        """
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]
        cap, slow = scale or (1.0, 0.0)
        given = {"after": last - FAR, "policy": policy, "before": before_ms, "cap": cap, "slow": slow}
        bad = ", ".join(f"'{word}'" for word in errors)
        columns = {
            "errors": f"CASE WHEN outcome IN ({bad}) THEN 0.0 ELSE 1.0 END",
            "blocked": "CASE WHEN outcome LIKE 'blocked%' THEN 0.0 ELSE 1.0 END",
            "quality": "(SELECT score FROM feedback WHERE request_id = requests.id ORDER BY rowid LIMIT 1)",
        }
        if scale is not None:
            share = "CASE WHEN cost_nano < :cap THEN cost_nano / :cap ELSE 1.0 END"
            columns["cost"] = f"CASE WHEN outcome = 'ok' AND cost_nano IS NOT NULL THEN 1.0 - {share} END"
            quick = "CASE WHEN total_ms <= :slow THEN 1.0 ELSE 0.0 END"
            columns["latency"] = f"CASE WHEN outcome = 'ok' AND total_ms IS NOT NULL THEN {quick} END"
        out: dict[str, dict[str, tuple[float, int]]] = {}
        for signal, value in columns.items():
            rows = self._db.execute(
                f"SELECT tenant, avg(value), count(value) FROM (SELECT tenant, {value} AS value FROM requests "  # noqa: S608
                "WHERE rowid > :after AND policy = :policy AND at_ms < :before AND mode = 'routed') AS x "
                "GROUP BY tenant",
                given,
            )
            for tenant, mean, n in rows:
                if n:
                    out.setdefault(tenant, {})[signal] = (mean, n)
        return out


@contextmanager
def arms(place: Place) -> Iterator[Arms]:
    """Open a ledger to read of its arms.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with closing(open_reader(place)) as db:
        yield Arms(db)
