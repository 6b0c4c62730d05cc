"""One picture of a span of time: what ``stillhouse report`` prints and what it gives out as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from router.ledger.read import EVERYTHING, Group, Reader, Span
from router.ledger.sums import MEASURES, Dimension, Part, Percentiles, Sums
from router.types import Frozen

Trust = Literal["measured", "hypothetical", "unknown"]

_BY: tuple[Dimension, ...] = (
    "tier_wanted",
    "tier_served",
    "outcome",
    "error_code",
    "guard_in",
    "guard_out",
    "tokens_source",
)
_FAULTS = ("upstream_error", "internal_error")


class Tokens(Frozen, frozen=True, kw_only=True):
    """Tokens of served answers."""

    input: int = 0
    output: int = 0
    cached: int = 0


class TierLine(Frozen, frozen=True, kw_only=True):
    """What one tier served. ``tier`` is empty for requests that no model answered."""

    tier: str
    requests: int
    wanted: int
    tokens: Tokens
    cost_nano: int
    cost_unknown: int


class Saving(Frozen, frozen=True, kw_only=True):
    """Cost against always-large, over the requests where both are known.

    ``trust`` is ``hypothetical`` when a reference price or an estimated token count is among them, and
    ``unknown`` when there is nothing to compare.
    """

    trust: Trust
    requests: int
    cost_nano: int
    always_large_nano: int
    saved_nano: int
    saved_share: float | None


class Summary(Frozen, frozen=True, kw_only=True):
    """What was served, what it cost, what was saved, what went wrong.

    ``cost_trust`` is as in ``Saving``; ``cost_unknown`` counts answers that are missing from
    ``cost_nano`` because their price is not known. ``elsewhere`` counts answers of another tier than the
    wanted one. ``faults`` are errors that the caller did not cause.
    """

    requests: int
    tiers: tuple[TierLine, ...]
    tokens: dict[str, Tokens]
    cost_nano: int
    cost_unknown: int
    cost_trust: Trust
    saving: Saving
    attempts: int
    retries: int
    fallbacks: int
    escalations: int
    elsewhere: int
    guards: dict[str, dict[str, int]]
    outcomes: dict[str, int]
    errors: dict[str, int]
    faults: int
    latency_ms: dict[Part, Percentiles]


def summarize(reader: Reader, span: Span = EVERYTHING) -> Summary:
    """Read the sums of ``span`` and put them in order."""
    return _summary(reader.groups(_BY, span), reader.latency(span))


def _summary(groups: Sequence[Group], latency: Mapping[Part, Percentiles]) -> Summary:
    total = _total(groups)
    outcomes = _count(groups, "outcome")
    return Summary(
        requests=total.requests,
        tiers=_tiers(groups),
        tokens={source: _tokens(sums) for source, sums in _split(groups, "tokens_source").items() if source},
        cost_nano=total.cost_nano,
        cost_unknown=total.cost_unknown,
        cost_trust=_trust(total.cost_known, total.cost_hypothetical),
        saving=_saving(total),
        attempts=total.attempts,
        retries=total.retries,
        fallbacks=total.fallbacks,
        escalations=total.escalations,
        elsewhere=sum(g.sums.requests for g in groups if _key(g, "tier_served") and _differs(g)),
        guards={"input": _actions(groups, "guard_in"), "output": _actions(groups, "guard_out")},
        outcomes=outcomes,
        errors={code: n for code, n in _count(groups, "error_code").items() if code},
        faults=sum(outcomes.get(name, 0) for name in _FAULTS),
        latency_ms=dict(latency),
    )


def _key(group: Group, dimension: Dimension) -> str:
    return str(group.keys[_BY.index(dimension)])


def _differs(group: Group) -> bool:
    return _key(group, "tier_wanted") != "" and _key(group, "tier_wanted") != _key(group, "tier_served")


def _total(groups: Sequence[Group]) -> Sums:
    added = dict.fromkeys(MEASURES, 0)
    for group in groups:
        for name in MEASURES:
            added[name] += getattr(group.sums, name)
    return Sums(**added)


def _split(groups: Sequence[Group], dimension: Dimension) -> dict[str, Sums]:
    """Sums by the values of one dimension, the most frequent first."""
    parts: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        parts[_key(group, dimension)].append(group)
    sums = {value: _total(part) for value, part in parts.items()}
    return dict(sorted(sums.items(), key=lambda item: (-item[1].requests, item[0])))


def _count(groups: Sequence[Group], dimension: Dimension) -> dict[str, int]:
    return {value: sums.requests for value, sums in _split(groups, dimension).items()}


def _actions(groups: Sequence[Group], dimension: Dimension) -> dict[str, int]:
    return {action: n for action, n in _count(groups, dimension).items() if action != "none"}


def _tokens(sums: Sums) -> Tokens:
    return Tokens(input=sums.tokens_in, output=sums.tokens_out, cached=sums.tokens_cached)


def _tiers(groups: Sequence[Group]) -> tuple[TierLine, ...]:
    served, wanted = _split(groups, "tier_served"), _count(groups, "tier_wanted")
    names = [name for name in ("small", "medium", "large", "") if name in served or (name and name in wanted)]
    return tuple(_tier(name, served.get(name, Sums()), wanted.get(name, 0) if name else 0) for name in names)


def _tier(name: str, sums: Sums, wanted: int) -> TierLine:
    return TierLine(
        tier=name,
        requests=sums.requests,
        wanted=wanted,
        tokens=_tokens(sums),
        cost_nano=sums.cost_nano,
        cost_unknown=sums.cost_unknown,
    )


def _saving(total: Sums) -> Saving:
    saved = total.baseline_nano - total.compared_nano
    return Saving(
        trust=_trust(total.compared, total.compared_hypothetical),
        requests=total.compared,
        cost_nano=total.compared_nano,
        always_large_nano=total.baseline_nano,
        saved_nano=saved,
        saved_share=saved / total.baseline_nano if total.baseline_nano else None,
    )


def _trust(known: int, hypothetical: int) -> Trust:
    if not known:
        return "unknown"
    return "hypothetical" if hypothetical else "measured"


def by(reader: Reader, dimension: Dimension, span: Span = EVERYTHING) -> list[Group]:
    """Sums by one dimension; days in order, all else by requests, the most first."""
    groups = sorted(reader.groups((dimension,), span), key=lambda group: group.keys)
    return groups if dimension == "day" else sorted(groups, key=lambda group: -group.sums.requests)


NOTHING = _summary((), {})
"""The summary of an empty ledger."""
