from collections.abc import Callable, Sequence

import pytest

from router.ledger.place import Place
from router.ledger.read import EVERYTHING, Reader, Span
from router.ledger.record import RequestRecord
from router.ledger.sums import Sums
from router.ledger.writer import Ledger
from tests.support.records import DAY_MS, NOON, attempt, request

Ask = Callable[[Sequence[RequestRecord]], Reader]


@pytest.fixture
def ask(place: Place):
    """A ledger with these requests, opened for questions."""
    opened: list[Reader] = []

    def build(requests: Sequence[RequestRecord]) -> Reader:
        ledger = Ledger(place)
        for one in requests:
            ledger.record(one, [attempt(0, kind="fallback")] if one.tokens_out is not None else [])
        ledger.close()
        opened.append(Reader(place))
        return opened[-1]

    yield build
    for reader in opened:
        reader.close()


def only(reader: Reader, span: Span = EVERYTHING) -> Sums:
    (group,) = reader.groups((), span)
    return group.sums


def test_an_empty_ledger_answers_with_nothing(ask: Ask) -> None:
    reader = ask([])
    assert reader.groups(()) == []
    assert reader.groups(("tenant",)) == []
    assert reader.latency() == {}
    assert list(reader.requests()) == []
    assert (reader.info().requests, reader.info().first_ms) == (0, None)


def test_sums_add_up(ask: Ask) -> None:
    sums = only(ask([request("a"), request("b", tokens_in=5, cost_nano=7, baseline_nano=8)]))
    assert (sums.requests, sums.tokens_in, sums.tokens_out) == (2, 35, 80)
    assert (sums.cost_nano, sums.compared_nano, sums.baseline_nano) == (1_007, 1_007, 9_008)
    assert (sums.cost_known, sums.cost_unknown, sums.cost_hypothetical, sums.compared_hypothetical) == (2, 0, 0, 0)
    assert (sums.attempts, sums.fallbacks) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "known", "unknown", "hypothetical", "compared", "compared_hypothetical"),
    [
        ({}, 1, 0, 0, 1, 0),
        ({"cost_nano": None}, 0, 1, 0, 0, 0),
        ({"cost_nano": 0}, 1, 0, 0, 1, 0),
        ({"cost_nano": None, "tokens_out": None}, 0, 0, 0, 0, 0),
        ({"price_source": "reference:2026-11-01:table"}, 1, 0, 1, 1, 1),
        ({"tokens_source": "estimated"}, 1, 0, 1, 1, 1),
        ({"baseline_source": "reference:2026-11-01:table"}, 1, 0, 0, 1, 1),
        ({"baseline_nano": None}, 1, 0, 0, 0, 0),
    ],
)
def test_unknown_and_hypothetical_money_are_counted_apart(
    ask: Ask,
    changes: dict[str, object],
    known: int,
    unknown: int,
    hypothetical: int,
    compared: int,
    compared_hypothetical: int,
) -> None:
    s = only(ask([request(**changes)]))
    assert (s.cost_known, s.cost_unknown, s.cost_hypothetical) == (known, unknown, hypothetical)
    assert (s.compared, s.compared_hypothetical) == (compared, compared_hypothetical)
    assert bool(s.baseline_nano) == bool(compared)


def test_groups_are_split_by_their_keys(ask: Ask) -> None:
    reader = ask([request("a"), request("b", tenant="회사"), request("c", at_ms=NOON + DAY_MS, key_id="k")])
    assert {g.keys: g.sums.requests for g in reader.groups(("tenant",))} == {("acme",): 2, ("회사",): 1}
    assert {g.keys: g.sums.requests for g in reader.groups(("day", "key_id"))} == {(20_000, ""): 2, (20_001, "k"): 1}


@pytest.mark.parametrize(
    ("span", "ids"),
    [
        (Span(), ["a", "b", "c"]),
        (Span(since_ms=NOON + 1), ["b", "c"]),
        (Span(since_ms=NOON), ["a", "b", "c"]),
        (Span(tenant="회사"), ["b"]),
        (Span(policy="korean"), ["c"]),
        (Span(tenant="acme", policy="korean"), ["c"]),
        (Span(tenant="acme' OR 1=1 --"), []),
    ],
)
def test_a_span_limits_rows_and_sums_alike(ask: Ask, span: Span, ids: list[str]) -> None:
    reader = ask(
        [request("a"), request("b", tenant="회사", at_ms=NOON + 1), request("c", policy="korean", at_ms=NOON + 2)]
    )
    assert [shown["id"] for shown in reader.requests(span)] == ids
    assert sum(g.sums.requests for g in reader.groups((), span)) == len(ids)
    assert reader.latency(span).get("total") is None if not ids else reader.latency(span)["total"].requests == len(ids)


def test_latency_describes_answers_only(ask: Ask) -> None:
    reader = ask(
        [request("a", total_ms=50.0, upstream_total_ms=49.0), request("b", outcome="upstream_error", total_ms=9e5)]
    )
    assert reader.latency()["total"].p99 == 50.0
    assert reader.latency()["overhead"].p50 == 1.0


def test_pages_join_without_a_seam(ask: Ask) -> None:
    reader = ask([request(f"req-{i:04}", at_ms=NOON + i // 700) for i in range(1501)])
    shown = list(reader.requests())
    assert sorted(str(one["id"]) for one in shown) == [f"req-{i:04}" for i in range(1501)]
    assert [one["at_ms"] for one in shown] == [NOON + i // 700 for i in range(1501)]


def test_info_counts_what_is_there(ask: Ask) -> None:
    info = ask([request("a"), request("b", at_ms=NOON + 5)]).info()
    assert (info.requests, info.attempts, info.first_ms, info.last_ms, info.pruned_requests) == (
        2,
        2,
        NOON,
        NOON + 5,
        0,
    )
