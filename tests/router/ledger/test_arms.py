"""What the ledger tells of two arms: each row once, in order, and the first judgement of each request."""

import pytest

from router.ledger import arms as module
from router.ledger.arms import arms
from router.ledger.db import LedgerError
from router.ledger.feedback import Feedback, give
from router.ledger.writer import Ledger
from tests.support.records import NOON, request

VARIANTS = ("canary:p-1", "incumbent:p-1")


@pytest.fixture
def ledger(place):
    kept = Ledger(place)
    yield kept
    kept.close()


def filled(ledger, *variants, **changes):
    for i, variant in enumerate(variants):
        at = changes.get("at_ms", NOON) + i
        ledger.record(request(f"r{i}", **{"policy_hash": "base", **changes, "variant": variant, "at_ms": at}))
    assert ledger.flush()
    return ledger.place


def judge(path, request_id, score, who="judge", given_ms=NOON + 100):
    give(path, Feedback(request_id=request_id, at_ms=NOON, who=who, score=score, given_ms=given_ms))


def test_rows_of_the_arms_come_in_order_and_none_twice(ledger):
    path = filled(ledger, "canary:p-1", "", "incumbent:p-1", "canary:p-2", "canary:p-1")
    with arms(path) as found:
        end, rows = found.rows(VARIANTS, 0)
        assert [row.id for row in rows] == ["r0", "r2", "r4"]
        assert found.rows(VARIANTS, end) == (end, [])
        assert [row.id for row in found.rows(VARIANTS, rows[0].rowid)[1]] == ["r2", "r4"]


def test_a_decision_without_an_answer_is_no_outcome(ledger):
    path = filled(ledger, "canary:p-1", endpoint="/v1/route")
    with arms(path) as found:
        assert found.rows(VARIANTS, 0)[1] == []


def test_a_long_ledger_is_read_in_stretches(ledger, monkeypatch):
    monkeypatch.setattr(module, "STRETCH", 2)
    path = filled(ledger, *["canary:p-1"] * 5)
    seen, after = [], 0
    with arms(path) as found:
        for _ in range(4):
            after, rows = found.rows(VARIANTS, after)
            seen.append(len(rows))
    assert seen == [2, 2, 1, 0]


def test_a_ledger_that_lost_what_was_read_is_refused(ledger):
    path = filled(ledger, "canary:p-1")
    with arms(path) as found, pytest.raises(LedgerError, match="shorter than it was"):
        found.rows(VARIANTS, 5)


def test_the_first_judgement_of_a_request_counts(ledger):
    path = filled(ledger, "canary:p-1", "incumbent:p-1", "")
    for request_id, score, who in (
        ("r0", 0.0, "judge"),
        ("r0", 1.0, "person"),
        ("r1", 0.5, "judge"),
        ("r2", 1.0, "judge"),
    ):
        judge(path, request_id, score, who)
    with arms(path) as found:
        end, judged = found.judgements(VARIANTS, 0, NOON + 200)
        assert [(one.id, one.score) for one in judged] == [("r0", 0.0), ("r1", 0.5)]
        assert found.judgements(VARIANTS, end, NOON + 200) == (end, [])


def test_a_judgement_that_is_faster_than_its_request_is_waited_for(ledger):
    path = filled(ledger, "canary:p-1")
    judge(path, "late", 0.0, given_ms=NOON)
    judge(path, "r0", 1.0, given_ms=NOON)
    with arms(path) as found:
        assert found.judgements(VARIANTS, 0, NOON + 1) == (0, [])
        end, judged = found.judgements(VARIANTS, 0, NOON + module.LATE_MS)
        assert [one.id for one in judged] == ["r0"]
    ledger.record(request("late", variant="canary:p-1", at_ms=NOON))
    assert ledger.flush()
    with arms(path) as found:
        assert [one.id for one in found.judgements(VARIANTS, 0, NOON + 1)[1]] == ["late", "r0"]


def test_reading_begins_where_the_roll_out_did(ledger):
    path = filled(ledger, *["canary:p-1"] * 4)
    with arms(path) as found:
        assert [row.id for row in found.rows(VARIANTS, found.before(NOON + 2)[0])[1]] == ["r2", "r3"]
        assert found.rows(VARIANTS, found.before(NOON + 50)[0])[1] == []


def test_what_is_usual_is_the_incumbents_own_answers(ledger):
    path = filled(ledger, "", "", "", cost_nano=7, total_ms=9.0)
    ledger.record(request("other", policy_hash="other", cost_nano=1_000, at_ms=NOON))
    ledger.record(request("failed", policy_hash="base", outcome="upstream_error", at_ms=NOON))
    ledger.record(request("unknown", policy_hash="base", cost_nano=None, total_ms=3.0, at_ms=NOON))
    assert ledger.flush()
    with arms(path) as found:
        usual = found.usual("base")
        assert (usual.costs, usual.times) == ((7, 7, 7), (3.0, 9.0, 9.0, 9.0))


def test_a_tenants_own_means_are_of_before(ledger):
    path = filled(ledger, "", "", outcome="ok", cost_nano=5, total_ms=10.0)
    ledger.record(request("bad", outcome="upstream_error", cost_nano=None, at_ms=NOON))
    ledger.record(request("after", outcome="upstream_error", at_ms=NOON + 999))
    assert ledger.flush()
    judge(path, "r0", 0.5)
    with arms(path) as found:
        means = found.means("balanced", NOON + 500, ("upstream_error",), (10.0, 20.0))["acme"]
        assert means["errors"] == (pytest.approx(2 / 3), 3)
        assert means["blocked"] == (1.0, 3)
        assert means["quality"] == (0.5, 1)
        assert means["cost"] == (0.5, 2)
        assert means["latency"] == (1.0, 2)
        assert "cost" not in found.means("balanced", NOON + 500, ("upstream_error",), None)["acme"]
