"""Signs in the ledger that an answer did not do. Nobody gave them; each is a hint, and none is feedback.

They are read off the rows whenever they are asked for and stored nowhere, so they cannot be taken for judgements:

    regenerate    the same session asked the same again, with the conversation as it was
    retry         the same session asked the same again, further on in the conversation
    complaint     the next ask of the session says that the answer did not do
    tool_error    a tool that the answer called failed
    invalid_json  the answer breaks the form that was asked for, and was served all the same
    left          the caller left in the middle of the answer

Only sessions that the caller named are looked at. An agent's steps repeat their ask by nature, so ``retry`` looks at
requests without tools only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, Literal, NamedTuple, get_args

from router.core.turns import COMPLAINED, TOOL_FAILED
from router.ledger.db import Db
from router.ledger.place import Place
from router.ledger.store import open_reader
from router.types import Frozen

Kind = Literal["regenerate", "retry", "complaint", "tool_error", "invalid_json", "left"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SOON_MS: Final = 10 * 60_000
"""What comes later than this is another matter."""

DERIVED: Final = "~"
"""Begins the name of a session that the gateway made out: all who open with the same words share it, so what follows in
it may be somebody else's."""

_RIGHT: Final = 0.5


class Signal(Frozen, frozen=True, kw_only=True):
    """One sign about one answer."""

    request_id: str
    at_ms: int
    kind: Kind


class Worth(Frozen, frozen=True, kw_only=True):
    """What a kind of sign is worth, where answers have both a sign and feedback.

    Attributes:
        seen: answers with this sign.
        judged, bad: of those, how many have feedback, and how many of them a mean score below one half.
        judged_without, bad_without: the same of answers without any sign.
    """

    kind: Kind
    seen: int
    judged: int
    bad: int
    judged_without: int
    bad_without: int


class _Row(NamedTuple):
    id: str
    at_ms: int
    session: str | None
    tenant: str
    prompt_hash: str | None
    outcome: str
    turns: int
    tools: bool
    streaming: bool
    troubles: frozenset[str]


_ROWS = """
SELECT id, at_ms, session, tenant, prompt_hash, outcome, features, reasons,
       stream = 1 AND upstream_first_byte_ms IS NOT NULL
FROM requests
WHERE at_ms >= :since_ms AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant) AND tier_served IS NOT NULL
ORDER BY tenant, session, at_ms, id
"""

# An attempt that was kept though the check of its form had failed.
_BROKEN = """
SELECT DISTINCT requests.id, requests.at_ms
FROM attempts JOIN requests ON requests.id = attempts.request_id AND requests.at_ms = attempts.at_ms
WHERE requests.outcome = 'ok' AND attempts.outcome = 'ok' AND {format_ok} = 0
  AND requests.at_ms >= :since_ms AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant)
"""


def signals(place: Place, since_ms: int = 0, tenant: str | None = None) -> list[Signal]:
    """Every sign, by time; an answer may have several.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    given = {"since_ms": since_ms, "tenant": tenant}
    with closing(open_reader(place)) as db:
        broken = _BROKEN.format(format_ok=db.words.number_in("attempts.signals", "format_ok"))
        found = [
            Signal(request_id=request_id, at_ms=at_ms, kind="invalid_json")
            for request_id, at_ms in db.execute(broken, given)
        ]
        before: _Row | None = None
        for row in _rows(db, given):
            if row.outcome == "client_gone" and row.streaming:
                found.append(Signal(request_id=row.id, at_ms=row.at_ms, kind="left"))
            kind = None if before is None else _between(before, row)
            if before is not None and kind is not None:
                found.append(Signal(request_id=before.id, at_ms=before.at_ms, kind=kind))
            before = row
    return sorted(found, key=lambda signal: (signal.at_ms, signal.request_id, signal.kind))


def worth(place: Place, found: list[Signal], since_ms: int = 0, tenant: str | None = None) -> list[Worth]:
    """What each kind is worth by the feedback that answers have besides.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    asked = (
        "SELECT request_id, avg(score) FROM feedback "
        "JOIN requests ON requests.id = request_id "
        "WHERE requests.at_ms >= ? AND (CAST(? AS TEXT) IS NULL OR tenant = ?) GROUP BY request_id"
    )
    with closing(open_reader(place)) as db:
        scores = dict(db.execute(asked, (since_ms, tenant, tenant)).fetchall())
    signed = {signal.request_id for signal in found}
    without = [score for request_id, score in scores.items() if request_id not in signed]
    told = []
    for kind in KINDS:
        ids = {signal.request_id for signal in found if signal.kind == kind}
        known = [scores[request_id] for request_id in ids if request_id in scores]
        told.append(
            Worth(
                kind=kind, seen=len(ids), judged=len(known), bad=sum(score < _RIGHT for score in known),
                judged_without=len(without), bad_without=sum(score < _RIGHT for score in without),
            )
        )  # fmt: skip
    return told


def _rows(db: Db, given: dict[str, Any]) -> Iterator[_Row]:
    for id_, at_ms, session, tenant, prompt_hash, outcome, features, reasons, streaming in db.stream(_ROWS, given):
        seen = json.loads(features) if features else {}
        yield _Row(
            id_, at_ms, session, tenant, prompt_hash, outcome, int(seen.get("turns", 0)), bool(seen.get("tools")),
            bool(streaming), frozenset(r["text"] for r in json.loads(reasons) if r["id"] == "turn-trouble"),
        )  # fmt: skip


def _between(before: _Row, after: _Row) -> Kind | None:
    """What the next request of a session says about the answer before it."""
    if (
        before.session is None
        or before.session.startswith(DERIVED)
        or (before.tenant, before.session) != (after.tenant, after.session)
    ):
        return None
    if before.outcome != "ok" or after.at_ms - before.at_ms > SOON_MS:
        return None
    if before.prompt_hash is not None and before.prompt_hash == after.prompt_hash:
        if before.turns == after.turns:
            return "regenerate"
        if after.turns > before.turns and not before.tools and not after.tools:
            return "retry"
    if after.turns > before.turns:
        if any(text.startswith(COMPLAINED) for text in after.troubles):
            return "complaint"
        if any(text.startswith(TOOL_FAILED) for text in after.troubles):
            return "tool_error"
    return None
