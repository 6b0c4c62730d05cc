"""What is summed, and in which words it may be grouped: the one definition that daily sums and reports share.

Because both use it, a report says the same before and after rows have become daily sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from router.ledger.db import Words
from router.ledger.record import OWN_PRICE
from router.types import Frozen

DAY_MS = 86_400_000
"""A day of the ledger is a UTC day, counted from the epoch."""

Dimension = Literal[
    "day",
    "tenant",
    "key_id",
    "policy",
    "mode",
    "tier_wanted",
    "tier_served",
    "model",
    "outcome",
    "error_code",
    "guard_in",
    "guard_out",
    "tokens_source",
]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)


class Sums(Frozen, frozen=True, kw_only=True):
    """Sums over requests.

    Attributes:
        tokens_in, tokens_out, tokens_cached: of served answers.
        cost_nano: what is known; cost_known counts the requests behind it, cost_unknown the answers
            whose price is not known, cost_hypothetical the known ones that rest on a reference price
            or on estimated tokens.
        compared: requests whose cost and always-large cost are both known; compared_nano and
            baseline_nano are the two sums over them, compared_hypothetical counts as above.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_nano: int = 0
    cost_known: int = 0
    cost_unknown: int = 0
    cost_hypothetical: int = 0
    compared: int = 0
    compared_hypothetical: int = 0
    compared_nano: int = 0
    baseline_nano: int = 0
    attempts: int = 0
    retries: int = 0
    fallbacks: int = 0
    escalations: int = 0


MEASURES: tuple[str, ...] = Sums.__struct_fields__

_NULLABLE = {"key_id", "tier_wanted", "tier_served", "error_code", "tokens_source"}
_DIMENSION_SQL = {name: f"coalesce({name}, '')" if name in _NULLABLE else name for name in DIMENSIONS}
_DIMENSION_SQL["day"] = f"at_ms / {DAY_MS}"

_ESTIMATED = f"(price_source <> '{OWN_PRICE}' OR tokens_source IS DISTINCT FROM 'upstream')"
_COMPARED = "(cost_nano IS NOT NULL AND baseline_nano IS NOT NULL)"


def _one(test: str, then: str = "1") -> str:
    return f"CASE WHEN {test} THEN {then} ELSE 0 END"


_MEASURE_SQL = {
    "requests": "1",
    "tokens_in": "coalesce(tokens_in, 0)",
    "tokens_out": "coalesce(tokens_out, 0)",
    "tokens_cached": "coalesce(tokens_cached, 0)",
    "cost_nano": "coalesce(cost_nano, 0)",
    "cost_known": _one("cost_nano IS NOT NULL"),
    "cost_unknown": _one("cost_nano IS NULL AND tokens_out IS NOT NULL"),
    "cost_hypothetical": _one(f"cost_nano IS NOT NULL AND {_ESTIMATED}"),
    "compared": _one(_COMPARED),
    "compared_hypothetical": _one(f"{_COMPARED} AND ({_ESTIMATED} OR baseline_source <> '{OWN_PRICE}')"),
    "compared_nano": _one(_COMPARED, "cost_nano"),
    "baseline_nano": _one(_COMPARED, "baseline_nano"),
    "attempts": "attempts",
    "retries": "retries",
    "fallbacks": "fallbacks",
    "escalations": "escalations",
}


def rows_sql(dimensions: Iterable[Dimension], where: str) -> str:
    """SELECT one line a stored request: its dimensions, then its measures. ``where`` is our own SQL."""
    names = [f"{_DIMENSION_SQL[name]} AS {name}" for name in dimensions]
    measures = [f"{_MEASURE_SQL[name]} AS {name}" for name in MEASURES]
    return f"SELECT {', '.join(names + measures)} FROM requests WHERE {where}"  # noqa: S608


def rolled_sql(dimensions: Iterable[Dimension], where: str) -> str:
    """The same shape over the daily sums."""
    return f"SELECT {', '.join([*dimensions, *MEASURES])} FROM daily WHERE {where}"  # noqa: S608


def grouped_sql(dimensions: Iterable[Dimension], source: str) -> str:
    """Sum a source of that shape by its dimensions."""
    names = list(dimensions)
    sums = [f"sum({name}) AS {name}" for name in MEASURES]
    group = f" GROUP BY {', '.join(names)}" if names else ""
    return f"SELECT {', '.join([*names, *sums])} FROM ({source}) AS summed{group}"  # noqa: S608


# --- latency: a histogram, so that percentiles too survive pruning

Part = Literal["total", "first_byte", "overhead"]
PARTS: tuple[Part, ...] = get_args(Part)
LATENCY_KEYS: tuple[Dimension, ...] = ("day", "tenant", "policy", "tier_served")

_PART_MS: dict[Part, str] = {
    "total": "total_ms",
    "first_byte": "upstream_first_byte_ms",
    "overhead": "CASE WHEN total_ms > upstream_total_ms THEN total_ms - upstream_total_ms "
    "WHEN total_ms <= upstream_total_ms THEN 0 END",
}


def bucket_sql(ms: str, words: Words) -> str:
    """Milliseconds to microseconds, rounded down to three significant digits: an error below 1 %."""
    us = words.whole(f"({ms}) * 1000")
    steps = " ".join(f"WHEN {us} < {10**n} THEN {us} / {10 ** (n - 3)} * {10 ** (n - 3)}" for n in range(3, 12))
    return f"(CASE {steps} ELSE CAST({10**11} AS BIGINT) END)"


def latency_rows_sql(part: Part, where: str, words: Words) -> str:
    """SELECT one line an answered request: day, tenant, policy, tier, part, bucket, 1."""
    keys = ", ".join(f"{_DIMENSION_SQL[name]} AS {name}" for name in LATENCY_KEYS)
    ms = _PART_MS[part]
    return (
        f"SELECT {keys}, '{part}' AS part, {bucket_sql(ms, words)} AS bucket_us, 1 AS requests "  # noqa: S608
        f"FROM requests WHERE outcome = 'ok' AND ({ms}) IS NOT NULL AND {where}"
    )


class Percentiles(Frozen, frozen=True, kw_only=True):
    """Milliseconds, rounded down to three significant digits; ``requests`` is how many they describe."""

    requests: int
    p50: float
    p95: float
    p99: float


def percentiles(histogram: Iterable[tuple[int, int]]) -> Percentiles | None:
    """Nearest-rank percentiles of ``(bucket in µs, count)`` pairs; None when there are none."""
    buckets = sorted(histogram)
    total = sum(count for _, count in buckets)
    if not total:
        return None

    def at(share: int) -> float:
        rank = -(-total * share // 100)
        seen = 0
        for bucket, count in buckets:
            seen += count
            if seen >= rank:
                return bucket / 1e3
        raise AssertionError("a rank is never beyond the total")

    return Percentiles(requests=total, p50=at(50), p95=at(95), p99=at(99))
