"""``python -m evals.sim``: simulate every fault, print the blast-radius table, write it to ``evals/results``."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from evals.sim.table import BY_CHANCE, FAULTS, measure, page, renewed

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m evals.sim", description="The blast-radius table.")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 1 on")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for blast-radius.md and .json")
    parser.add_argument(
        "--only", action="append", choices=(*FAULTS, *BY_CHANCE), metavar="FAULT",
        help="measure this fault anew and keep the rest of the table; may be said again",
    )  # fmt: skip
    args = parser.parse_args()
    kept = json.loads((args.out / "blast-radius.json").read_text()) if args.only else None
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    found = measure(range(1, args.seeds + 1), faults=args.only) if args.only else measure(range(1, args.seeds + 1))
    machine = f"{platform.machine()}, CPython {platform.python_version()}"
    day = datetime.now(UTC).date().isoformat()
    if kept is None:
        found |= {"commit": commit, "date": day, "machine": machine, "command": "python -m evals.sim"}
        stamp = f"Commit {commit}, {day}, {machine}; `python -m evals.sim`."
    else:
        found = renewed(kept, found, f"Commit {commit}, {day}, {machine}; `python -m evals.sim --only FAULT`.")
        stamp = f"Commit {found['commit']}, {found['date']}, {found['machine']}; `{found['command']}`."
    text = page(found, stamp)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "blast-radius.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    (args.out / "blast-radius.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
