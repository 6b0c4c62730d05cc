"""What the writer promises, whatever store is behind it; and that both stores answer every question alike."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.ledger import summary as summaries
from router.ledger.arms import arms
from router.ledger.candidates import judged_by, unjudged
from router.ledger.decisions import decisions, judgements
from router.ledger.feedback import Feedback, give, judged
from router.ledger.implicit import signals
from router.ledger.observed import observed, pruned
from router.ledger.place import Place, Remote, waiting_room
from router.ledger.prune import prune
from router.ledger.read import Reader, Span
from router.ledger.record import AttemptRecord, RequestRecord
from router.ledger.rollup import roll_up
from router.ledger.spill import leftovers
from router.ledger.sums import DIMENSIONS
from router.ledger.writer import BATCH, Ledger
from router.postgres import Dsn
from tests.support.records import DAY_MS, NOON, attempt, full, request, sensible

VARIANTS = ["", "canary"]


def test_what_was_recorded_is_there_after_closing(place: Place) -> None:
    ledger = Ledger(place)
    for i in range(250):
        ledger.record(request(f"req-{i:03}"), [attempt(0), attempt(1, kind="retry")])
    ledger.close()
    with Reader(place) as reader:
        assert [shown["id"] for shown in reader.requests()] == [f"req-{i:03}" for i in range(250)]
        assert reader.info().attempts == 500
    assert (ledger.written, ledger.dropped, ledger.pending, ledger.error) == (250, 0, 0, None)
    assert leftovers(waiting_room(place)) == []


def test_every_field_comes_back_as_it_was(place: Place) -> None:
    ledger = Ledger(place)
    ledger.record(*full())
    pending = ledger.get("req-1")
    assert ledger.flush()
    assert ledger.get("req-1") == pending
    assert ledger.get("nobody") is None
    ledger.close()


def test_the_same_record_twice_is_one_row(place: Place) -> None:
    ledger = Ledger(place)
    for _ in range(3):
        ledger.record(request("a"), [attempt(0)])
        assert ledger.flush()
    ledger.close()
    with Reader(place) as reader:
        assert (reader.info().requests, reader.info().attempts) == (1, 1)


def test_odd_values_cost_no_neighbour(place: Place) -> None:
    ledger = Ledger(place)
    ledger.record(request("a"))
    ledger.record(request("b", tag="a\ud800b\0c", tokens_in=1 << 70))
    ledger.record(request("c", cost_nano="free"))
    ledger.record(request("d"))
    assert ledger.flush()
    ledger.close()
    with Reader(place) as reader:
        assert sorted(str(shown["id"]) for shown in reader.requests()) == ["a", "b", "d"]
    assert (ledger.written, ledger.dropped) == (3, 1)


def test_feedback_is_given_once(place: Place) -> None:
    ledger = Ledger(place)
    ledger.record(request("a"))
    ledger.close()
    first = Feedback(request_id="a", at_ms=NOON, who="person", score=0.5, given_ms=NOON + 1)
    again = Feedback(request_id="a", at_ms=NOON, who="person", score=1.0, given_ms=NOON + 2)
    assert give(place, first) == (0.5, True)
    assert give(place, again) == (0.5, False)


def answers(place: Place) -> list[object]:
    """What every question says, in a form that can be compared."""
    said: list[object] = []
    with Reader(place) as reader:
        for span in (Span(), Span(since_ms=NOON), Span(tenant="acme", policy="balanced")):
            said += [summaries.summarize(reader, span), *(summaries.by(reader, name, span) for name in DIMENSIONS)]
            said.append(list(reader.requests(span)))
    # A server leaves gaps between its row numbers, so what is compared is their order.
    said.append([page._replace(row=()) for page in decisions(place)])
    said += [[score for _, score in judgements(place)], signals(place), list(observed(place)), pruned(place)]
    ids = {f"r{i}" for i in range(40)}
    said += [unjudged(place, ids), judged_by(place, ["person"]), judged(place), judged(place, weak=True)]
    with arms(place) as open_arms:
        for found in (open_arms.rows(VARIANTS, 0), open_arms.judgements(VARIANTS, 0, NOON * 2)):
            said.append([structs.replace(one, rowid=0) for one in found[1]])
        said += [open_arms.usual("h"), open_arms.means("balanced", NOON * 2, ["upstream_error"], (1e6, 100.0))]
    return said


def fill(place: Place, records: list[tuple[RequestRecord, list[AttemptRecord]]]) -> None:
    ledger = Ledger(place)
    for record, attempts in records:
        ledger.record(record, attempts)
    ledger.close()
    for n, (record, _) in enumerate(records[::3]):
        give(place, Feedback(request_id=record.id, at_ms=record.at_ms, who="person", score=n % 2, given_ms=NOON + n))


# Without shrinking: an example takes half a second, and what differs says so itself.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records=st.lists(sensible(), max_size=40, unique_by=lambda pair: pair[0].id))
def test_both_stores_answer_every_question_alike(records, tmp_path: Path, postgres_server) -> None:
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
    server = Remote(Dsn(postgres_server.make()), tmp_path)
    try:
        for place in (file, server):
            fill(place, records)
        plain = answers(file)
        for one, other in zip(plain, answers(server), strict=True):
            assert one == other
        for place in (file, server):
            roll_up(place)
        assert answers(file) == answers(server) == plain
        for place in (file, server):
            sum(prune(place, NOON))
        assert answers(file) == answers(server)
    finally:
        postgres_server.drop(server.dsn.url)


def test_sums_do_not_change_while_rows_are_summed_up_and_pruned(place: Place) -> None:
    ledger = Ledger(place)

    def totals(since: int | None = None) -> list[object]:
        with Reader(place) as reader:
            span = Span(since_ms=since)
            return [reader.groups(("day", "tenant"), span), reader.groups((), span), reader.latency(span)]

    def more(start: int, n: int) -> None:
        for i in range(start, start + n):
            ledger.record(request(f"r{i}", at_ms=NOON - (i % 4) * DAY_MS, tenant=f"t{i % 3}"))
        assert ledger.flush()

    more(0, 60)
    whole, late = totals(), totals(NOON - DAY_MS)
    assert roll_up(place, batch=7) == 60
    assert (totals(), totals(NOON - DAY_MS)) == (whole, late)
    more(60, 60)
    whole, late = totals(), totals(NOON - DAY_MS)
    assert sum(prune(place, NOON - DAY_MS, batch=9)) == 60
    assert (totals(), totals(NOON - DAY_MS)) == (whole, late)
    more(100, 80)  # rows come late for a day that was pruned, and some of them come again
    late_rows = totals()
    assert roll_up(place) == 70
    assert totals() == late_rows
    ledger.close()


def test_after_all_rows_are_gone_new_ones_are_counted(place: Place) -> None:
    for name in ("a", "b"):
        ledger = Ledger(place)
        ledger.record(request(name))
        ledger.close()
        assert sum(prune(place, NOON + DAY_MS)) == 1
        with Reader(place) as reader:
            assert reader.info().requests == 0
    with Reader(place) as reader:
        assert [group.sums.requests for group in reader.groups(())] == [2]
        assert reader.info().pruned_requests == 2


def test_a_full_memory_goes_to_disk_and_comes_back(place: Place) -> None:
    ledger = Ledger(place)
    for i in range(7 * BATCH):
        ledger.record(request(f"req-{i}"))
    assert ledger.flush()
    ledger.close()
    with Reader(place) as reader:
        assert reader.info().requests == 7 * BATCH
    assert ledger.dropped == 0
