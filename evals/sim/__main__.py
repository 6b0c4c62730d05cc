"""``python -m evals.sim``: simulate every fault, print the blast-radius table, write it to ``evals/results``."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from evals.sim.table import measure, page

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m evals.sim", description="The blast-radius table.")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 1 on")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for blast-radius.md and .json")
    args = parser.parse_args()
    found = measure(range(1, args.seeds + 1))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = f"{platform.machine()}, CPython {platform.python_version()}"
    day = datetime.now(UTC).date().isoformat()
    found |= {"commit": commit, "date": day, "machine": machine, "command": "python -m evals.sim"}
    text = page(found, f"Commit {commit}, {day}, {machine}; `python -m evals.sim`.")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "blast-radius.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    (args.out / "blast-radius.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
