"""A million requests simulated, timed: from a table in memory, and from a ledger on disk."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from evals.tuning import world
from evals.tuning.ledger import from_ledger
from evals.tuning.side import side
from evals.tuning.simulate import simulate
from policies.load import load_policy
from router.core.decide import Caller, Fleet, decide
from router.ledger.record import RequestRecord
from router.ledger.rows import INSERT_REQUEST, request_row
from router.ledger.sqlite import open_writer
from router.types import TIER_NAMES, Deployment, Features, Score

SEED: Final = 20261124
TENANTS: Final = 200
#: One answer of so many was judged.
JUDGED: Final = 5
EXPLORED: Final = 0.05


def speed(rows: int) -> list[dict[str, Any]]:
    """Seconds of ``balanced`` against ``korean``, sliced by tenant; wall and processor time, children included."""
    candidate, current = load_policy("balanced"), load_policy("korean")
    table, _ = world.log(rows, 0.45, EXPLORED, SEED)
    found = [
        _timed("a table in memory", rows, lambda: simulate(side(candidate, table), side(current, table), by="tenant"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        print(f"speed: writing {rows:,} requests", file=sys.stderr, flush=True)
        write_ledger(path, rows)

        def whole() -> object:
            read = from_ledger(path)
            return simulate(side(candidate, read), side(current, read), by="tenant")

        found.append(_timed("a ledger on disk", rows, whole))
        found.append(_timed("of that, reading it", rows, lambda: from_ledger(path)))
    return found


def _timed(what: str, rows: int, work: Callable[[], object]) -> dict[str, Any]:
    wall, own, children = time.perf_counter(), time.process_time(), _children()
    work()
    return {
        "what": what,
        "rows": rows,
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - own + _children() - children, 2),
        "load_before": round(os.getloadavg()[0], 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_ledger(path: Path, rows: int) -> None:
    """A ledger as a gateway writes it: decisions of ``balanced``, now and then another tier, sessions, feedback."""
    with closing(open_writer(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany(INSERT_REQUEST, (request_row(record, ()) for record in _records(rows)))
        db.execute("COMMIT")
        _judge(db, rows)


def _judge(db: sqlite3.Connection, rows: int) -> None:
    rng = np.random.default_rng(SEED + 1)
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO feedback (request_id, at_ms, who, score, given_ms) VALUES (?, ?, 'person', ?, ?)",
        ((f"req-{n:09d}", n, float(rng.random() < 0.8), n) for n in range(0, rows, JUDGED)),
    )
    db.execute("COMMIT")


def _records(rows: int) -> Iterator[RequestRecord]:
    rng = np.random.default_rng(SEED)
    policy = load_policy("balanced")
    deployments = tuple(Deployment(name=t, tier=t, model=t, upstream="u", private=True) for t in TIER_NAMES)
    fleet = Fleet(deployments, {})
    for n in range(rows):
        hard = rng.random()
        features = Features(
            language=("en", "ko")[n % 3 == 0], input_tokens=int(rng.integers(10, 3_000)), ask_chars=200, turns=1,
            tools=n % 11 == 0, images=False, findings=("pii.EMAIL",) if n % 50 == 0 else (),
        )  # fmt: skip
        score = Score(
            p_right={"small": 0.97 - 0.6 * hard, "medium": 0.97 - 0.3 * hard, "large": 0.97 - 0.15 * hard},
            output_tokens={"small": 180.25, "medium": 200.5, "large": 220.75}, complexity=hard,
            novelty=float(rng.random() * 0.97), artefact="a" * 64, family="generic",
        )  # fmt: skip
        decision = decide(policy, features, score, Caller(), fleet)
        drawn = rng.random() < EXPLORED
        tier = TIER_NAMES[int(rng.integers(3))] if drawn else decision.wanted
        share = EXPLORED / 3 + (1 - EXPLORED) * (tier == decision.wanted)
        tokens = int(rng.integers(20, 800))
        yield RequestRecord(
            id=f"req-{n:09d}", at_ms=n, tenant=f"tenant-{n % TENANTS}", endpoint="/v1/chat/completions", outcome="ok",
            status=200, session=f"~{n // 3:032x}", tag=("", "batch")[n % 7 == 0], policy="balanced",
            policy_hash=policy.hash, artefact_hash=score.artefact, family="generic", features=features,
            p_right=score.p_right, output_tokens=score.output_tokens, complexity=hard, novelty=score.novelty,
            tier_wanted=tier, tier_served=tier, reasons=decision.reasons, propensity=share, draw=0.5,
            draw_key="k" * 12, predicted_cost={"small": 90_000, "medium": 290_000, "large": 970_000},
            total_ms=float(rng.integers(200, 9_000)), upstream_total_ms=200.0, tokens_in=features.input_tokens,
            tokens_out=tokens, tokens_source="upstream", model=tier, price_source="config",
            cost_nano=tokens * {"small": 220, "medium": 720, "large": 2_400}[tier], baseline_nano=tokens * 2_400,
            baseline_source="config", place="A" * 64,
        )  # fmt: skip
