"""The requests that were observed: what was done beside what the policy would have done. Read only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec

from router.ledger.place import Place
from router.ledger.read import EVERYTHING, Reader, Span
from router.ledger.store import open_reader
from router.types import Frozen


class Observed(Frozen, frozen=True, kw_only=True):
    """One observed request.

    Attributes:
        group: equal for requests of one conversation, and for those that begin with the same words.
        served, wanted: tiers; ``wanted`` is None where no opinion was formed.
        cost_nano: what was paid; None where the price or the tokens are unknown.
        estimated: the money rests on a reference price or on estimated tokens.
        predicted: tier -> nano-dollars as forecast. p_right: tier -> chance of a right answer.
        blocked, masked: what a guard would have done.
        cascaded: a cascade would have asked a cheaper tier first.
        missing: the wanted tier has no model here.
        feedback: the mean of what was said of the answer; None where nothing was.
    """

    group: str
    tenant: str
    policy: str
    outcome: str
    served: str | None
    wanted: str | None
    cost_nano: int | None
    estimated: bool
    predicted: dict[str, int]
    p_right: dict[str, float]
    blocked: bool
    masked: bool
    cascaded: bool
    missing: bool
    feedback: float | None


def _has(reason: str) -> str:
    return f"""(reasons LIKE '%"id":"{reason}"%')"""


_SQL = f"""
SELECT coalesce(session, prompt_hash, requests.id), tenant, policy, outcome, tier_served, tier_wanted, cost_nano,
  (price_source <> 'config' OR tokens_source IS DISTINCT FROM 'upstream'), predicted_cost, p_right,
  {_has("observed-block")}, {_has("observed-mask")}, {_has("observed-cascade")}, {_has("tier-missing")}, said.score
FROM requests LEFT JOIN (SELECT request_id, avg(score) AS score FROM feedback GROUP BY request_id) AS said
  ON said.request_id = requests.id
WHERE mode = 'observed' AND endpoint = '/v1/chat/completions' AND
"""  # noqa: S608 - our own words only
_costs = msgspec.json.Decoder(dict[str, int])
_chances = msgspec.json.Decoder(dict[str, float])


def observed(place: Place, span: Span = EVERYTHING) -> Iterator[Observed]:
    """Every observed request that is still stored, oldest first.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    where = span.where().replace("at_ms", "requests.at_ms")
    with closing(open_reader(place)) as db:
        for row in db.stream(f"{_SQL} {where} ORDER BY requests.at_ms, requests.id", span.parameters()):
            yield Observed(
                group=row[0], tenant=row[1], policy=row[2], outcome=row[3], served=row[4], wanted=row[5],
                cost_nano=row[6], estimated=bool(row[7]), predicted=_costs.decode(row[8]) if row[8] else {},
                p_right=_chances.decode(row[9]) if row[9] else {}, blocked=bool(row[10]), masked=bool(row[11]),
                cascaded=bool(row[12]), missing=bool(row[13]), feedback=row[14],
            )  # fmt: skip


def pruned(place: Place, span: Span = EVERYTHING) -> int:
    """Observed requests of which only daily sums are left; nothing can be forecast from those.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    with Reader(place) as reader:
        return reader.pruned(span, "mode = 'observed'")[0]
