"""What labelling asks of the ledger: answers that nobody has judged, and those that somebody has."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from router.ledger.place import Place
from router.ledger.store import open_reader
from router.types import Frozen


class Unjudged(Frozen, frozen=True, kw_only=True):
    """A served answer without feedback; the columns are the ledger's.

    ``asked`` counts the requests of the span whose last ask was the same; ``reasons`` are the decision's sentences.
    """

    id: str
    at_ms: int
    tenant: str
    tier: str
    p_right: dict[str, float]
    novelty: float | None
    cost_nano: int | None
    asked: int
    artefact: str | None
    place: str | None
    reasons: tuple[str, ...]


_UNJUDGED = """
SELECT id, at_ms, tenant, tier_served, p_right, novelty, cost_nano, asked, artefact_hash, place, reasons FROM (
    SELECT *, count(*) OVER same AS asked, row_number() OVER (same ORDER BY at_ms DESC, id) AS rank,
           max(CASE WHEN EXISTS (SELECT 1 FROM feedback WHERE feedback.request_id = requests.id) THEN 1 ELSE 0 END)
               OVER same AS judged
    FROM requests
    WHERE outcome = 'ok' AND tier_served IS NOT NULL AND at_ms >= :since_ms
      AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant)
    WINDOW same AS (PARTITION BY tenant, tier_served, coalesce(prompt_hash, id))
) AS every WHERE rank = 1 AND judged = 0 ORDER BY at_ms, id
"""


class Found(NamedTuple):
    """The answers among those that were wanted, and how many there are in all."""

    rows: list[Unjudged]
    prompts: int


def unjudged(place: Place, wanted: Container[str], since_ms: int = 0, tenant: str | None = None) -> Found:
    """Of each prompt that a tier answered and nobody judged, the newest answer, where it is ``wanted``; oldest first.

    Memory holds those that are wanted; a ledger of a year is passed through.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    rows, prompts = [], 0
    with closing(open_reader(place)) as db:
        for row in db.stream(_UNJUDGED, {"since_ms": since_ms, "tenant": tenant}):
            prompts += 1
            if row[0] in wanted:
                rows.append(_unjudged(row))
    return Found(rows, prompts)


def _unjudged(row: Sequence[Any]) -> Unjudged:
    return Unjudged(
        id=row[0], at_ms=row[1], tenant=row[2], tier=row[3], p_right=json.loads(row[4]) if row[4] else {},
        novelty=row[5], cost_nano=row[6], asked=row[7], artefact=row[8], place=row[9],
        reasons=tuple(reason["text"] for reason in json.loads(row[10])),
    )  # fmt: skip


class ByPeople(Frozen, frozen=True, kw_only=True):
    """The mean score that people gave an answer."""

    id: str
    at_ms: int
    score: float
    reasons: tuple[str, ...]


_BY_PEOPLE = """
SELECT requests.id, requests.at_ms, given.score, reasons FROM (
    SELECT request_id, avg(score) AS score FROM feedback WHERE who IN ({marks}) GROUP BY request_id
) AS given JOIN requests ON requests.id = given.request_id
WHERE requests.at_ms >= ? ORDER BY requests.at_ms DESC, requests.id
"""


def judged_by(place: Place, people: Sequence[str], since_ms: int = 0) -> list[ByPeople]:
    """Answers that one of ``people`` judged, newest first.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    sql = _BY_PEOPLE.format(marks=", ".join("?" * len(people)))
    with closing(open_reader(place)) as db:
        rows = db.execute(sql, (*people, since_ms)).fetchall()
    return [
        ByPeople(id=row[0], at_ms=row[1], score=row[2], reasons=tuple(r["text"] for r in json.loads(row[3])))
        for row in rows
    ]
