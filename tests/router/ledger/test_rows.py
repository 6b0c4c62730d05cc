import sqlite3
from contextlib import closing

import pytest

from router.ledger.record import AttemptRecord, RequestRecord
from router.ledger.rows import REQUEST_COLUMNS, as_dict, attempt_row, request_row, storable
from tests.support.records import attempt, full, request


def test_the_full_record_leaves_no_field_at_its_default() -> None:
    whole, attempts = full()
    for record, kind in ((whole, RequestRecord), (attempts[-1], AttemptRecord)):
        optional = kind.__struct_fields__[-len(kind.__struct_defaults__) :]
        defaults = zip(optional, kind.__struct_defaults__, strict=True)
        assert [name for name, default in defaults if getattr(record, name) == default] == []


def test_a_row_reads_back_as_plain_json() -> None:
    whole, attempts = full()
    shown = as_dict(REQUEST_COLUMNS, request_row(whole, attempts))
    assert shown["features"] == {
        "language": "ko", "input_tokens": 30, "ask_chars": 9, "turns": 2, "tools": True, "images": False, "findings": ["EMAIL"],
        "max_output": 0,
    }  # fmt: skip
    assert shown["reasons"] == [{"id": "r", "text": "because", "layer": "floor"}]
    assert shown["predicted_cost"] == {"small": 7}
    assert shown["stream"] is True
    assert shown["p_right"] == {"small": 0.5}


def test_kinds_of_attempts_are_counted() -> None:
    kinds = ["first", "retry", "retry", "fallback", "escalation"]
    row = request_row(request(), [attempt(n, kind=kind) for n, kind in enumerate(kinds)])
    counts = dict(zip(REQUEST_COLUMNS, row, strict=True))
    assert [counts[name] for name in ("attempts", "retries", "fallbacks", "escalations")] == [5, 2, 1, 1]


def test_what_the_caller_wrote_is_cut() -> None:
    long = "가" * 1000
    row = dict(
        zip(REQUEST_COLUMNS, request_row(request(tag=long, session=long, requested_model=long), ()), strict=True)
    )
    assert {len(str(row[name])) for name in ("tag", "session", "requested_model")} == {256}


def test_unknown_stays_unknown() -> None:
    row = dict(zip(REQUEST_COLUMNS, request_row(request(cost_nano=None, features=None), ()), strict=True))
    assert row["cost_nano"] is None
    assert row["features"] is None
    assert None in attempt_row(request(), attempt(cost_nano=None))


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("a\ud800b", "a?b"), (1 << 63, None), (-(1 << 63), -(1 << 63)), ("회사", "회사"), (0.5, 0.5), (None, None)],
)
def test_what_sqlite_cannot_hold_is_made_holdable(cell, kept) -> None:
    assert storable((cell,)) == (kept,)
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute("SELECT ?", storable((cell,))).fetchone() == (kept,)
