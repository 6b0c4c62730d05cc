import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ledger.db import SQLITE
from router.ledger.sums import bucket_sql, percentiles


def bucket(ms: float) -> int:
    with closing(sqlite3.connect(":memory:")) as db:
        found: int = db.execute(f"SELECT {bucket_sql(':ms', SQLITE)}", {"ms": ms}).fetchone()[0]
        return found


@pytest.mark.parametrize(
    ("ms", "us"),
    [(0, 0), (0.999, 999), (1.0, 1000), (1.2345, 1230), (12.345, 12_300), (402.9, 402_000), (86_400_000.0, 86_400_000_000)],
)  # fmt: skip
def test_a_bucket_keeps_three_digits(ms: float, us: int) -> None:
    assert bucket(ms) == us


@given(st.floats(0.1, 9e7))
def test_a_bucket_is_never_above_and_at_most_one_percent_below(ms: float) -> None:
    us = int(ms * 1000)
    assert us * 0.99 <= bucket(ms) <= us


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_percentiles_are_nearest_rank(values: list[int]) -> None:
    found = percentiles([(value, 1) for value in values])
    assert found is not None
    ordered = sorted(values)
    for share, got in ((50, found.p50), (95, found.p95), (99, found.p99)):
        rank = -(-len(values) * share // 100)
        assert got == ordered[rank - 1] / 1e3
    assert found.requests == len(values)


def test_no_values_have_no_percentiles() -> None:
    assert percentiles([]) is None
