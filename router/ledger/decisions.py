"""What was decided and what came of it, a million requests at a time: for simulations. Numbers and names, never text.

A cell that crosses from SQLite costs more than all else, so the words of a request, which repeat, cross as one text,
and what is JSON is decoded a page at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

import msgspec

from router.ledger.place import Place
from router.ledger.read import EVERYTHING, Span
from router.ledger.store import open_reader

_PAGE: Final = 20_000
_PART: Final = "\x1f"
#: A judge of this name is an implicit signal (a retry, a broken answer): weak, and not counted as a judgement.
SIGNAL: Final = "signal"


class ByTier(msgspec.Struct, frozen=True, gc=False):
    """One number of each tier, where it is known."""

    small: float | None = None
    medium: float | None = None
    large: float | None = None


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What rules saw of a request; see ``router.types.Features``."""

    language: str = "und"
    input_tokens: int = 0
    tools: bool = False
    images: bool = False
    findings: tuple[str, ...] = ()
    max_output: int = 0


class Kind(NamedTuple):
    """What many requests have in common; empty words are unknown ones.

    Attributes:
        found: whether a guard in force found something. turned: whether a turn or a session had a say.
        climbed: whether a cascade was at work. moved: whether a tier was missing and another took its place.
        stood_in: whether a call went to a stand-in after a failure. escalated: whether an answer was turned down.
    """

    tenant: str
    tag: str
    mode: str
    family: str
    wanted: str
    served: str
    outcome: str
    guard_in: str
    found: bool
    turned: bool
    climbed: bool
    moved: bool
    stood_in: bool
    escalated: bool


class Page(NamedTuple):
    """Requests, column by column; ``None`` is unknown.

    Attributes:
        kind, flags: what ``kind_of`` reads.
        row: their places in the file.
        cluster: a name shared by requests that are not independent: of one session, or with equal prompts.
    """

    kind: tuple[str, ...]
    flags: list[int]
    row: tuple[int, ...]
    at_ms: tuple[int, ...]
    cluster: tuple[str | None, ...]
    propensity: tuple[float, ...]
    cost: tuple[int | None, ...]
    baseline: tuple[int | None, ...]
    total_ms: tuple[float | None, ...]
    novelty: tuple[float | None, ...]
    seen: list[Seen]
    p_right: list[ByTier]
    predicted: list[ByTier]


_WORDS: Final = (
    "tenant",
    "coalesce(tag, '')",
    "mode",
    "coalesce(family, '')",
    "coalesce(tier_wanted, '')",
    "coalesce(tier_served, '')",
    "outcome",
    "guard_in",
    "CASE WHEN fallbacks > 0 THEN 1 ELSE 0 END",
    "CASE WHEN escalations > 0 THEN 1 ELSE 0 END",
)
_CELLS: Final = (
    f"format('{_PART.join(['%s'] * len(_WORDS))}', {', '.join(_WORDS)})",
    "rowid",
    "at_ms",
    "coalesce(session, prompt_hash)",
    "propensity",
    "cost_nano",
    "baseline_nano",
    "total_ms",
    "novelty",
    "reasons",
    "findings",
    "coalesce(features, '{}')",
    "coalesce(p_right, '{}')",
    "coalesce(predicted_cost, '{}')",
)
_FEEDBACK: Final = """
SELECT requests.rowid, avg(score)
FROM feedback JOIN requests ON requests.id = feedback.request_id
WHERE who <> :signal GROUP BY requests.rowid ORDER BY requests.rowid
"""


_FOUND, _TURNED, _CLIMBED, _MOVED = 1, 2, 4, 8


def kind_of(text: str, flags: int) -> Kind:
    """Read ``Page.kind`` and ``Page.flags``. A separator inside a caller's own words is read as part of the tag."""
    parts = text.split(_PART)
    tag = len(parts) - len(_WORDS) + 2
    mode, family, wanted, served, outcome, guard_in, stood_in, escalated = parts[tag:]
    return Kind(
        tenant=parts[0],
        tag=_PART.join(parts[1:tag]),
        mode=mode,
        family=family,
        wanted=wanted,
        served=served,
        outcome=outcome,
        guard_in=guard_in,
        found=bool(flags & _FOUND),
        turned=bool(flags & _TURNED),
        climbed=bool(flags & _CLIMBED),
        moved=bool(flags & _MOVED),
        stood_in=stood_in == "1",
        escalated=escalated == "1",
    )


def _flags(reasons: str, findings: str) -> int:
    """What the reasons and findings say, without decoding them: SQLite's own search is slower than Python's."""
    flags = _FOUND if len(findings) > 2 and '"shadow":false' in findings else 0
    if '"id":"session-' in reasons or '"id":"turn-' in reasons or '"id":"errand' in reasons:
        flags |= _TURNED
    if '"id":"cascade-' in reasons:
        flags |= _CLIMBED
    if '"id":"tier-missing' in reasons:
        flags |= _MOVED
    return flags


def bounds(place: Place) -> tuple[int, int]:
    """The first place in the file, and the one behind the last; (0, 0) where nothing is stored.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with closing(open_reader(place)) as db:
        low, high = db.execute("SELECT min(rowid), max(rowid) FROM requests").fetchone()
    return (0, 0) if low is None else (int(low), int(high) + 1)


def decisions(place: Place, span: Span = EVERYTHING, rows: tuple[int, int] | None = None) -> Iterator[Page]:
    """Every stored request but those that asked guards only, in the order in which they were written.

    Args:
        place: the ledger.
        span: which requests.
        rows: only those between these places in the file, the second exclusive.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    low, high = rows or (-(1 << 62), 1 << 62)
    query = (
        f"SELECT {', '.join(_CELLS)} FROM requests WHERE rowid >= :low AND rowid < :high "  # noqa: S608
        f"AND mode <> 'guard' AND {span.where()} ORDER BY rowid"
    )
    seen, tiers = msgspec.json.Decoder(list[Seen]), msgspec.json.Decoder(list[ByTier])
    with closing(open_reader(place)) as db:
        cursor = db.stream(query, {**span.parameters(), "low": low, "high": high})
        while page := cursor.fetchmany(_PAGE):
            yield _page(page, seen, tiers)


def _page(
    page: list[tuple[Any, ...]], seen: msgspec.json.Decoder[list[Seen]], tiers: msgspec.json.Decoder[list[ByTier]]
) -> Page:
    kind, row, at_ms, cluster, propensity, cost, baseline, total_ms, novelty, reasons, findings, *texts = zip(
        *page, strict=True
    )
    features, p_right, predicted = ("[" + ",".join(column) + "]" for column in texts)
    flags = list(map(_flags, reasons, findings))
    return Page(
        kind, flags, row, at_ms, cluster, propensity, cost, baseline, total_ms, novelty,
        seen.decode(features), tiers.decode(p_right), tiers.decode(predicted),
    )  # fmt: skip


def judgements(place: Place) -> list[tuple[int, float]]:
    """Place in the file -> mean of all judgements of that answer but signals, by place.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with closing(open_reader(place)) as db:
        found: list[tuple[int, float]] = db.execute(_FEEDBACK, {"signal": SIGNAL}).fetchall()
    return found
