"""Labels that are kept apart from feedback."""

import sqlite3
from contextlib import closing

import pytest

from router.ledger.candidates import judged_by, unjudged
from router.ledger.db import LedgerError
from router.ledger.feedback import Feedback, give, judged
from router.ledger.place import Place
from router.ledger.prune import prune
from router.ledger.store import open_writer
from router.ledger.weak import keep_weak, weak_labels
from router.ledger.writer import Ledger
from router.types import Reason
from tests.support.records import DAY_MS, NOON, attempt, request


def label(name: str, score: float = 0.5, who: str = "judge-m", at_ms: int = NOON) -> Feedback:
    return Feedback(request_id=name, at_ms=at_ms, who=who, score=score, given_ms=NOON + 1)


@pytest.fixture
def ledger(place: Place) -> Place:
    book = Ledger(place)
    placed = {"place": "AAA=", "artefact_hash": "aa"}
    book.record(request("a", **placed), [attempt()])
    book.record(request("b", at_ms=NOON + 1, **placed), [attempt()])
    book.close()
    return place


def test_weak_labels_are_no_feedback_unless_asked_for(ledger: Place) -> None:
    give(ledger, label("a", 1.0, "person"))
    assert keep_weak(ledger, [label("a", 0.0), label("b", 0.0)], "unsteady") == 2
    assert [(answer.request_id, answer.score) for answer in judged(ledger)] == [("a", 1.0)]
    assert [(answer.request_id, answer.score) for answer in judged(ledger, weak=True)] == [("a", 0.5), ("b", 0.0)]


def test_the_same_label_is_kept_once_and_never_changed(ledger: Place) -> None:
    keep_weak(ledger, [label("a", 0.0)], "unsteady")
    assert keep_weak(ledger, [label("a", 1.0)], "unsteady") == 0
    assert [weak.score for weak in weak_labels(ledger)] == [0.0]
    with closing(open_writer(ledger)) as db, pytest.raises((sqlite3.IntegrityError, LedgerError), match="append-only"):
        db.execute("UPDATE weak_labels SET score = 1")


def test_a_score_outside_its_scale_keeps_none_of_them(ledger: Place) -> None:
    with pytest.raises((sqlite3.IntegrityError, LedgerError)):
        keep_weak(ledger, [label("a"), label("b", 2.0)], "unsteady")
    assert weak_labels(ledger) == []


def test_pruning_a_request_takes_its_weak_labels(ledger: Place) -> None:
    keep_weak(ledger, [label("a")], "unsteady")
    assert sum(prune(ledger, NOON + 2 * DAY_MS)) == 2
    assert weak_labels(ledger) == []


def test_of_each_prompt_the_newest_unjudged_answer_stands_for_all(place: Place) -> None:
    book = Ledger(place)
    for number in range(5):
        book.record(request(f"same-{number}", at_ms=NOON + number, prompt_hash="h"), [attempt()])
    book.record(request("judged", prompt_hash="j"), [attempt()])
    book.record(request("judged-again", at_ms=NOON + 9, prompt_hash="j"), [attempt()])
    book.record(request("failed", outcome="upstream_error"), [attempt()])
    book.record(request("alone", reasons=(Reason(id="r", text="because"),)), [attempt()])
    book.close()
    path = place
    give(path, label("judged", 1.0, "person"))
    whole = unjudged(path, {"same-4", "alone", "judged-again"})
    found = {row.id: row for row in whole.rows}
    assert set(found) == {"same-4", "alone"}
    assert (found["same-4"].asked, found["alone"].asked) == (5, 1)
    assert (whole.prompts, unjudged(path, {"alone"}).prompts) == (2, 2)
    assert found["alone"].reasons == ("because",)
    assert [(row.id, row.score) for row in judged_by(path, ["person"])] == [("judged", 1.0)]
    assert judged_by(path, ["somebody"]) == []
