"""Records for tests of the ledger: plausible by default, every field within reach."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from router.ledger.record import AttemptRecord, Found, RequestRecord
from router.types import Features, Lineage, Reason

DAY_MS = 86_400_000
NOON = 20_000 * DAY_MS + DAY_MS // 2


def request(request_id: str = "req-1", **changes: Any) -> RequestRecord:
    given: dict[str, Any] = {
        "id": request_id,
        "at_ms": NOON,
        "tenant": "acme",
        "endpoint": "/v1/chat/completions",
        "outcome": "ok",
        "status": 200,
        "policy": "balanced",
        "tier_wanted": "small",
        "tier_served": "small",
        "model": "m-small",
        "tokens_in": 30,
        "tokens_out": 40,
        "tokens_source": "upstream",
        "cost_nano": 1_000,
        "price_source": "config",
        "baseline_nano": 9_000,
        "baseline_source": "config",
        "total_ms": 120.0,
        "upstream_total_ms": 118.5,
        "upstream_first_byte_ms": 20.0,
    }
    return RequestRecord(**{**given, **changes})


def attempt(n: int = 0, **changes: Any) -> AttemptRecord:
    given: dict[str, Any] = {
        "n": n,
        "tier": "small",
        "deployment": "m-small",
        "model": "m-small",
        "upstream": "lab",
        "outcome": "ok",
        "started_ms": 1.0,
    }
    return AttemptRecord(**{**given, **changes})


def full() -> tuple[RequestRecord, tuple[AttemptRecord, ...]]:
    """A record in which no field has its default."""
    found = Found(
        direction="input", where="messages[0].content", guard="pii", category="EMAIL", score=1.0, start=3, end=9,
        action="mask", reason="pii.email",
    )  # fmt: skip
    features = Features(
        language="ko", input_tokens=30, ask_chars=9, turns=2, tools=True, images=False, findings=("EMAIL",)
    )
    whole = request(
        key_id="k1", session="s", tag="t", cell="7", mode="pinned", parent="req-0", variant="canary", prompt_hash="ff",
        stream=True, requested_model="auto", policy_hash="aa", artefact_hash="bb", price_book_hash="cc",
        family="llama-3.1", features=features, p_right={"small": 0.5}, output_tokens={"small": 12.5}, complexity=0.25,
        novelty=0.75, tier_wanted="medium", reasons=(Reason(id="r", text="because", layer="floor"),), propensity=0.95,
        draw=0.125, draw_key="ab", predicted_cost={"small": 7}, findings=(found,), guard_in="mask", guard_out="detect",
        error_code="upstream_timeout", queue_ms=0.5, score_ms=0.1, guard_in_ms=0.2, guard_out_ms=0.3, cpu_us=300.0,
        tokens_cached=5, outcome="upstream_error", status=504, place="AAAA",
    )  # fmt: skip
    last = attempt(
        1, kind="escalation", tier="large", lineage=Lineage(family="f", generation=2), http_status=504,
        error_code="upstream_timeout", first_byte_ms=2.0, ended_ms=3.0, tokens_in=1, tokens_out=2, tokens_cached=0,
        tokens_source="estimated", cost_nano=3, price_source="book", finish_reason="stop", signals={"logprob_mean": -0.5},
        outcome="timeout",
    )  # fmt: skip
    return whole, (attempt(0), last)


def records(days: int = 4) -> st.SearchStrategy[RequestRecord]:
    """Requests that differ in everything a report may group by or sum; ids are not unique."""
    maybe_money = st.none() | st.integers(0, 10**12)
    tiers = st.sampled_from(["small", "medium", "large", None])
    return st.builds(
        request,
        st.uuids().map(str),
        at_ms=st.integers(NOON, NOON + days * DAY_MS),
        tenant=st.sampled_from(["acme", "회사"]),
        key_id=st.sampled_from([None, "k1"]),
        policy=st.sampled_from(["balanced", "korean"]),
        mode=st.sampled_from(["routed", "direct"]),
        tier_wanted=tiers,
        tier_served=tiers,
        outcome=st.sampled_from(["ok", "ok", "ok", "blocked_input", "upstream_error"]),
        error_code=st.sampled_from([None, "upstream_timeout"]),
        guard_in=st.sampled_from(["none", "mask", "block"]),
        tokens_in=st.none() | st.integers(0, 10**6),
        tokens_out=st.none() | st.integers(0, 10**6),
        tokens_source=st.sampled_from([None, "upstream", "estimated"]),
        cost_nano=maybe_money,
        baseline_nano=maybe_money,
        price_source=st.sampled_from(["config", "reference", "unknown"]),
        total_ms=st.none() | st.floats(0, 1e6),
        upstream_total_ms=st.none() | st.floats(0, 1e6),
        upstream_first_byte_ms=st.none() | st.floats(0, 1e6),
    )


def sensible() -> st.SearchStrategy[tuple[RequestRecord, list[AttemptRecord]]]:
    """Requests as a busy day brings them: a few tenants, sessions and tiers, some unknown, some failed, some odd."""
    tier = st.sampled_from([None, "small", "medium", "large"])
    number = st.one_of(st.none(), st.integers(0, 10**6))
    ms = st.one_of(st.none(), st.floats(0, 10**5))
    record = st.builds(
        request,
        st.sampled_from([f"r{i}" for i in range(40)]),
        at_ms=st.integers(NOON - 2 * DAY_MS, NOON + DAY_MS),
        tenant=st.sampled_from(["acme", "b", "한국"]),
        outcome=st.sampled_from(["ok", "ok", "ok", "upstream_error", "client_gone", "blocked_input"]),
        mode=st.sampled_from(["routed", "routed", "observed", "guard"]),
        session=st.sampled_from([None, "s", "~t"]),
        tag=st.sampled_from([None, "", "%s 100% :name ? '", "x\x1fy"]),
        prompt_hash=st.sampled_from([None, "p", "q"]),
        variant=st.sampled_from(["", "canary"]),
        policy=st.sampled_from(["balanced", "other"]),
        policy_hash=st.sampled_from(["", "h"]),
        artefact_hash=st.just("a"),
        place=st.sampled_from([None, "AAAA"]),
        stream=st.booleans(),
        features=st.one_of(st.none(), st.builds(_features, st.integers(1, 3), st.booleans())),
        p_right=st.sampled_from([None, {"small": 0.5, "large": 0.75}]),
        reasons=st.sampled_from([(), (Reason(id="turn-trouble", text="the user says that 100% failed"),)]),
        tier_wanted=tier, tier_served=tier, tokens_in=number, tokens_out=number, cost_nano=number,
        baseline_nano=number, total_ms=ms, upstream_total_ms=ms, upstream_first_byte_ms=ms,
        tokens_source=st.sampled_from([None, "upstream", "estimated"]),
        price_source=st.sampled_from(["config", "book"]),
    )  # fmt: skip
    one = st.builds(
        attempt, st.just(0), outcome=st.sampled_from(["ok", "error"]),
        signals=st.sampled_from([None, {"format_ok": 0.0}, {"format_ok": 1.0}]),
    )  # fmt: skip
    return st.tuples(record, st.lists(one, max_size=1))


def _features(turns: int, tools: bool) -> Features:
    return Features(
        language="en", input_tokens=3, ask_chars=9, turns=turns, tools=tools, images=False, findings=()
    )  # fmt: skip
