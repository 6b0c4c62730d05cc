import pytest

from router.ledger.place import Place
from router.ledger.read import Reader
from router.ledger.record import AttemptRecord, RequestRecord
from router.ledger.summary import NOTHING, Summary, by, summarize
from router.ledger.writer import Ledger
from tests.support.records import DAY_MS, NOON, attempt, request

BOOK = "reference:2026-11-01:table"


@pytest.fixture
def summary_of(place: Place):
    def build(*given: RequestRecord | tuple[RequestRecord, list[AttemptRecord]]) -> Summary:
        ledger = Ledger(place)
        for one in given:
            ledger.record(*one) if isinstance(one, tuple) else ledger.record(one)
        ledger.close()
        with Reader(place) as reader:
            return summarize(reader)

    return build


def test_an_empty_ledger_is_nothing(summary_of) -> None:
    assert summary_of() == NOTHING
    assert (NOTHING.cost_trust, NOTHING.saving.trust) == ("unknown", "unknown")


def test_tiers_stand_in_their_order_with_what_was_wanted(summary_of) -> None:
    summary = summary_of(
        request("a", tier_served="large", tier_wanted="small"),
        request("b"),
        request("c", tier_served=None, tier_wanted=None, outcome="blocked_input", tokens_in=None, tokens_out=None),
        request("d", tier_served=None, tier_wanted="medium", outcome="upstream_error"),
    )
    assert [(t.tier, t.requests, t.wanted) for t in summary.tiers] == [
        ("small", 1, 2),
        ("medium", 0, 1),
        ("large", 1, 0),
        ("", 2, 0),
    ]
    assert summary.elsewhere == 1


def test_the_saving_is_measured_against_always_large(summary_of) -> None:
    saving = summary_of(request("a"), request("b", baseline_nano=None), request("c", cost_nano=None)).saving
    assert (saving.trust, saving.requests) == ("measured", 1)
    assert (saving.cost_nano, saving.always_large_nano, saving.saved_nano) == (1_000, 9_000, 8_000)
    assert saving.saved_share == pytest.approx(8 / 9)


def test_a_free_baseline_has_no_share(summary_of) -> None:
    assert summary_of(request(cost_nano=0, baseline_nano=0)).saving.saved_share is None


@pytest.mark.parametrize(
    ("changes", "cost", "saving"),
    [
        ({}, "measured", "measured"),
        ({"price_source": BOOK}, "hypothetical", "hypothetical"),
        ({"tokens_source": "estimated"}, "hypothetical", "hypothetical"),
        ({"baseline_source": BOOK}, "measured", "hypothetical"),
        ({"baseline_nano": None}, "measured", "unknown"),
        ({"cost_nano": None}, "unknown", "unknown"),
    ],
)
def test_how_far_the_money_can_be_trusted(summary_of, changes: dict[str, object], cost: str, saving: str) -> None:
    summary = summary_of(request(**changes))
    assert (summary.cost_trust, summary.saving.trust) == (cost, saving)


def test_one_hypothetical_cost_makes_the_sum_hypothetical(summary_of) -> None:
    assert summary_of(request("a"), request("b", price_source=BOOK)).cost_trust == "hypothetical"


def test_tokens_are_told_by_their_source(summary_of) -> None:
    tokens = summary_of(request("a", tokens_cached=3), request("b", tokens_source="estimated", tokens_in=1)).tokens
    assert {s: (t.input, t.output, t.cached) for s, t in tokens.items()} == {
        "upstream": (30, 40, 3),
        "estimated": (1, 40, 0),
    }


def test_trouble_is_counted_by_kind(summary_of) -> None:
    summary = summary_of(
        (
            request("a"),
            [attempt(0), attempt(1, kind="retry"), attempt(2, kind="fallback"), attempt(3, kind="escalation")],
        ),
        request("b", outcome="upstream_error", error_code="upstream_timeout"),
        request("c", outcome="internal_error", error_code="internal_error"),
        request("d", outcome="refused", error_code="invalid_api_key"),
        request("e", outcome="blocked_output", guard_in="detect", guard_out="block"),
    )
    assert (summary.attempts, summary.retries, summary.fallbacks, summary.escalations) == (4, 1, 1, 1)
    assert summary.faults == 2
    assert summary.errors == {"internal_error": 1, "invalid_api_key": 1, "upstream_timeout": 1}
    assert summary.guards == {"input": {"detect": 1}, "output": {"block": 1}}
    assert summary.outcomes["ok"] == 1


def test_days_stand_in_order_and_tenants_by_size(place: Place) -> None:
    ledger = Ledger(place)
    for i, (day, tenant) in enumerate([(1, "b"), (0, "a"), (1, "b"), (1, "c")]):
        ledger.record(request(f"req-{i}", at_ms=NOON + day * DAY_MS, tenant=tenant))
    ledger.close()
    with Reader(place) as reader:
        assert [g.keys[0] for g in by(reader, "day")] == [20_000, 20_001]
        assert [g.keys[0] for g in by(reader, "tenant")] == ["b", "a", "c"]
