"""What people, judges and signals said of an answer: one row for each of them, never changed.

Feedback comes rarely and its giver waits for the word that it is kept, so it does not go through the
writer's queue: ``give`` commits by itself and returns when the row is in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from router.ledger.db import Db
from router.ledger.place import Place
from router.ledger.store import open_reader, open_writer
from router.types import Frozen

WHO = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Who judged: ``person``, ``judge``, ``signal``, or a name of the caller's own."""

_COLUMNS = ("who", "score", "given_ms", "key_id")
_INSERT = (
    "INSERT INTO feedback (request_id, at_ms, who, score, given_ms, key_id) "
    "VALUES (:request_id, :at_ms, :who, :score, :given_ms, :key_id) ON CONFLICT DO NOTHING"
)


class Feedback(Frozen, frozen=True, kw_only=True):
    """One judgement of one answer.

    Attributes:
        request_id: the ``x-request-id`` of the answer.
        at_ms: when that request came; with it, pruning needs no join.
        who: one judgement for each; see ``WHO``.
        score: 0 (useless) .. 1 (right).
        given_ms: when the judgement came.
        key_id: with which key.
    """

    request_id: str
    at_ms: int
    who: str
    score: float
    given_ms: int
    key_id: str | None = None


def give(place: Place, feedback: Feedback) -> tuple[float, bool]:
    """Keep a judgement; returns the score that is kept, and whether it is this one that was added.

    A second judgement by the same ``who`` changes nothing: the first one's score comes back.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: the disk failed, or another process held the file for too long.
    """
    with closing(open_writer(place)) as db, db.together():
        row = {name: getattr(feedback, name) for name in feedback.__struct_fields__}
        added = db.execute(_INSERT, row).rowcount == 1
        kept = db.execute("SELECT score FROM feedback WHERE request_id = :request_id AND who = :who", row).fetchone()
    return float(kept[0]), added


def feedback_of(db: Db, ids: Sequence[object]) -> dict[object, list[dict[str, object]]]:
    """Request -> its judgements, in the order they came."""
    rows = db.execute(
        f"SELECT request_id, {', '.join(_COLUMNS)} FROM feedback WHERE request_id IN ({', '.join('?' * len(ids))}) "  # noqa: S608
        "ORDER BY given_ms, rowid",
        ids,
    )
    said: dict[object, list[dict[str, object]]] = {}
    for row in rows:
        said.setdefault(row[0], []).append(dict(zip(_COLUMNS, row[1:], strict=True)))
    return said


class Judged(Frozen, frozen=True, kw_only=True):
    """One judged answer, as training reads it: no text, only what the ledger keeps.

    ``score`` is the mean over all who judged. ``question`` is equal for repeats of one prompt, where that is known.
    """

    request_id: str
    artefact_hash: str
    place: str
    tier: str
    score: float
    question: str


_JUDGED = """
SELECT requests.id, artefact_hash, place, tier_served, given.score, coalesce(prompt_hash, requests.id)
FROM (
    SELECT request_id, avg(score) AS score FROM (
        SELECT request_id, score FROM feedback
        UNION ALL SELECT request_id, score FROM weak_labels WHERE :weak = 1
    ) AS every GROUP BY request_id
) AS given JOIN requests ON requests.id = given.request_id
WHERE place IS NOT NULL AND artefact_hash IS NOT NULL AND tier_served IS NOT NULL
  AND requests.at_ms >= :since_ms AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant)
ORDER BY requests.at_ms, requests.id
"""


def judged(place: Place, since_ms: int = 0, tenant: str | None = None, *, weak: bool = False) -> list[Judged]:
    """Every judged answer whose prompt's place was kept, oldest first; labels that are kept apart, where asked for.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with closing(open_reader(place)) as db:
        rows = db.execute(_JUDGED, {"since_ms": since_ms, "tenant": tenant, "weak": int(weak)}).fetchall()
    names = Judged.__struct_fields__
    return [Judged(**dict(zip(names, row, strict=True))) for row in rows]
