"""Labels that are not to be believed by themselves: kept apart from feedback, never counted as such unless asked.

Same laws as feedback: one row for each request and ``who``, never changed, pruned with its request.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from router.ledger.feedback import Feedback
from router.ledger.place import Place
from router.ledger.store import open_reader, open_writer
from router.types import Frozen

_INSERT = (
    "INSERT INTO weak_labels (request_id, at_ms, who, score, given_ms, why) "
    "VALUES (:request_id, :at_ms, :who, :score, :given_ms, :why) ON CONFLICT DO NOTHING"
)


class WeakLabel(Frozen, frozen=True, kw_only=True):
    """One judgement that is not believed, and why it is not."""

    request_id: str
    at_ms: int
    who: str
    score: float
    given_ms: int
    why: str


def keep_weak(place: Place, labels: Sequence[Feedback], why: str) -> int:
    """Keep judgements apart, with the reason; how many were new.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: the disk failed, or another process held the file for too long; none is kept then.
    """
    rows = [
        {
            "request_id": x.request_id,
            "at_ms": x.at_ms,
            "who": x.who,
            "score": x.score,
            "given_ms": x.given_ms,
            "why": why,
        }
        for x in labels
    ]
    with closing(open_writer(place)) as db, db.together():
        return sum(db.execute(_INSERT, row).rowcount for row in rows)


def weak_labels(place: Place, since_ms: int = 0) -> list[WeakLabel]:
    """All of them, oldest request first.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    names = WeakLabel.__struct_fields__
    with closing(open_reader(place)) as db:
        rows = db.execute(
            f"SELECT {', '.join(names)} FROM weak_labels WHERE at_ms >= ? ORDER BY at_ms, request_id, who",  # noqa: S608
            (since_ms,),
        ).fetchall()
    return [WeakLabel(**dict(zip(names, row, strict=True))) for row in rows]
