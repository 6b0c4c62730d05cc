"""What one cell bears: ``python -m evals.bench.capacity`` drives one real cell to 100 % and says what came of it.

More and more connections ask as fast as they are answered, of an instant upstream, until more of them bring no more
answers; the most answers a second is the capacity of the cell's core. Beside it: what twice as many askers get.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.bench.measure import Phase, Plan, bench
from evals.bench.process import stop

RESULTS = Path(__file__).parents[1] / "results"
CONNECTIONS = (1, 4, 16, 64, 128, 256)


def measure(folder: Path, seconds: float) -> list[dict[str, Any]]:
    """One row for each number of connections: answers a second, latency, processor time."""
    with bench(Plan(peers=("stillhouse",), seconds=seconds), folder, print) as it:
        running = it.start("stillhouse")
        try:
            it.through(running, Phase(16), 1.0)  # warm
            return [{"connections": n, **it.through(running, Phase(n), seconds)} for n in CONNECTIONS]
        finally:
            stop(running.process)


def page(rows: list[dict[str, Any]], stamp: str) -> str:
    """Markdown."""
    best = max(rows, key=lambda row: row["rps"])
    return "\n".join([
        "# Capacity of one cell",
        "",
        "One process on one core with everything on (key, scoring, guards both ways, ledger), an instant upstream;",
        f"the asking is done on another core of the same machine. {stamp}",
        "",
        f"**{best['rps']:.0f} requests a second**, at {best['connections']} at once.",
        "",
        "| at once | answers a second | p50 ms | p99 ms | CPU µs a request | errors |",
        "|---|---|---|---|---|---|",
        *(f"| {row['connections']} | {row['rps']:.0f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | "
          f"{row['cpu_us']:.0f} | {row['errors']} |" for row in rows),
        "",
    ])  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.capacity", description="What one cell bears.")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each number of connections")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), args.seconds)
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    stamp = f"Commit {commit}, {datetime.now(UTC).date().isoformat()}, {platform.machine()}, {os.cpu_count()} cores; "
    text = page(rows, stamp + "`python -m evals.bench.capacity`.")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "capacity.json").write_text(json.dumps({"rows": rows, "stamp": stamp}, indent=1) + "\n")
    (args.out / "capacity.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
