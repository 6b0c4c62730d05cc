"""What a record costs with few rows and with millions: handing over, committing, reading a day.

    python -m evals.ledger_growth --rows 1e6 [--dsn env:NAME] [--out FILE]

Rows are made inside the database, spread over ninety days before today, and summed up as a gateway would have done.
Ratios are against the same measurements of the same run on an empty ledger; CPU of the hand-over and of the writer's
commit are process counters, the rest is the time a person or a writer waits.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.ledger import summary as summaries
from router.ledger.db import Db
from router.ledger.place import Place, Remote
from router.ledger.read import Reader, Span
from router.ledger.record import AttemptRecord, RequestRecord
from router.ledger.rollup import roll_up
from router.ledger.rows import ATTEMPT_COLUMNS, REQUEST_COLUMNS
from router.ledger.store import open_writer
from router.ledger.sums import DAY_MS
from router.ledger.writer import Ledger
from router.serve.settings import dsn_of

DAYS = 90
RECORDS = 3_000
REPEATS = 5
_STEP = 250_000


def records(start: int, now_ms: int) -> list[tuple[RequestRecord, list[AttemptRecord]]]:
    """Requests of now, with one attempt each; ids are random as a gateway's are."""
    import secrets

    return [
        (
            RequestRecord(
                id=f"req_{secrets.token_hex(12)}", at_ms=now_ms + i, tenant=f"t{i % 20}",
                endpoint="/v1/chat/completions",
                outcome="ok", status=200, policy="balanced", tier_wanted="small", tier_served="small", model="m",
                tokens_in=30, tokens_out=40, tokens_source="upstream", cost_nano=1_000, price_source="config",
                baseline_nano=9_000, baseline_source="config", total_ms=float(100 + i % 50), upstream_total_ms=99.0,
                upstream_first_byte_ms=20.0,
            ),
            [AttemptRecord(n=0, tier="small", deployment="m", model="m", upstream="u", outcome="ok", started_ms=1.0)],
        )
        for i in range(start, start + RECORDS)
    ]  # fmt: skip


def measure(place: Place, now_ms: int) -> dict[str, float]:
    """Medians over ``REPEATS``: microseconds of CPU a record handed over, microseconds a record until it is committed,
    and milliseconds of a report of all, of the last day, and of one request.
    """  # noqa: D205
    hand, commit = [], []
    ledger = Ledger(place)
    for repeat in range(REPEATS):
        batch = records(repeat * RECORDS, now_ms)
        began = time.perf_counter()
        for at in range(0, RECORDS, 100):  # as a busy gateway: the writer keeps up
            thread = time.thread_time_ns()
            for record, attempts in batch[at : at + 100]:
                ledger.record(record, attempts)
            hand.append((time.thread_time_ns() - thread) / 1e3 / 100)
            if not ledger.flush(60):
                raise RuntimeError("the ledger did not keep up")
        commit.append((time.perf_counter() - began) / RECORDS * 1e6)
    known = batch[0][0].id
    ledger.close()
    roll_up(place)
    with Reader(place) as reader:
        return {
            "hand_over_cpu_us": statistics.median(hand),
            "commit_us": statistics.median(commit),
            "report_all_ms": _ms(lambda: summaries.summarize(reader)),
            "report_today_ms": _ms(lambda: summaries.summarize(reader, Span(since_ms=now_ms // DAY_MS * DAY_MS))),
            "one_request_ms": _ms(lambda: reader.request(known)),
        }


def _ms(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def grow(place: Place, rows: int, now_ms: int) -> None:
    """Add rows inside the database, over ``DAYS`` days before now: one row again and again under other names."""
    first = now_ms // DAY_MS * DAY_MS - DAYS * DAY_MS
    with closing(open_writer(place)) as db:
        if isinstance(place, Remote):
            from router.ledger.postgres import PostgresDb, add_day

            assert isinstance(db, PostgresDb)
            with db.together():
                for day in range(first // DAY_MS, now_ms // DAY_MS):
                    add_day(db.raw, day)
        for start in range(0, rows, _STEP):
            with db.together():
                _step(db, start, min(_STEP, rows - start), first, max(1, DAYS * DAY_MS // rows))
    with Reader(place) as reader:
        assert reader.info().requests >= rows


def _step(db: Db, start: int, n: int, first: int, gap: int) -> None:
    numbers = (
        "WITH RECURSIVE n (i) AS "
        "(SELECT CAST(:start AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST(:stop AS BIGINT))"
    )
    name = "'g' || ((i * 2654435761) % 4294967296) || '-' || i"  # scattered, as random ids are
    changed = {"id": name, "request_id": name, "at_ms": f"{first} + i * {gap}", "tenant": "'t' || (i % 20)"}
    for table, columns, key in (("requests", REQUEST_COLUMNS, "id"), ("attempts", ATTEMPT_COLUMNS, "request_id")):
        newest = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key} DESC LIMIT 1"  # noqa: S608
        row = dict(zip(columns, db.execute(newest).fetchone(), strict=True))
        cells = [changed.get(column, "NULL" if row[column] is None else f":{column}") for column in columns]
        given = {column: row[column] for column in columns if column not in changed and row[column] is not None}
        db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {', '.join(cells)} FROM n",  # noqa: S608
            {**given, "start": start, "stop": start + n},
        )


def run(place: Place, rows: int) -> dict[str, Any]:
    """Measure empty, grow, sum up, measure again."""
    now_ms = time.time_ns() // 1_000_000
    before = measure(place, now_ms)
    began = time.perf_counter()
    grow(place, rows, now_ms)
    grown = time.perf_counter() - began
    summed = roll_up(place, batch=20_000)
    after = measure(place, now_ms + 1_000_000)
    return {
        "store": "sqlite" if isinstance(place, Path) else "postgresql", "rows": rows, "empty": before, "full": after,
        "ratio": {name: after[name] / before[name] for name in before},
        "grow_s": grown, "summed_rows": summed, "machine": platform.platform(),
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def main() -> None:
    """Measure and print; keep where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--dsn", help="a PostgreSQL, by env:NAME, file:PATH or a URL; without it a SQLite file")
    parser.add_argument("--folder", type=Path, help="where the file lies while it is measured")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        dsn = dsn_of(given.dsn) if given.dsn else None
        found = run(Path(folder) / "ledger.db" if dsn is None else Remote(dsn, Path(folder)), given.rows)
    text = json.dumps(found, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
