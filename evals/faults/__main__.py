"""Faults against real processes: ``python -m evals.faults``. Writes evals/results/faults.json and .md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path

from evals.faults.scenarios import SCENARIOS, Claim
from evals.stamp import commit, machine, today

RESULTS = Path(__file__).parents[1] / "results"
CAVEATS = (
    "One run of each scenario on one machine: the gateway in a process of its own, the misbehaving server and the "
    "callers in another, all on loopback. Times are real, so a busy machine makes them worse. Most goals were set "
    "before the first run; that of readers who stopped was 6, 10, then 20 seconds while the kernel alone watched, and "
    "is 10 again."
)


def run(only: str) -> dict[str, list[Claim]]:
    """Every scenario whose name holds ``only``."""
    found: dict[str, list[Claim]] = {}
    for name, scenario in SCENARIOS.items():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            found[name] = asyncio.run(scenario(Path(folder) / "home"))
        for claim in found[name]:
            print(
                f"{'ok  ' if claim.kept else 'MISS'} {name}: {claim.what}: {claim.value:g} ({claim.goal})", flush=True
            )
    return found


def page(found: dict[str, list[Claim]], load: str) -> str:
    """Markdown."""
    stamped = f"`python -m evals.faults`, commit {commit()}, {today()}, {machine()}, load average {load} at the start."
    lines = ["# Faults against real processes", "", CAVEATS, "", stamped, ""]
    lines += ["| fault | what | measured | goal | |", "|---|---|---|---|---|"]
    for name, claims in found.items():
        lines += [
            f"| {name} | {c.what} | {c.value:g} | {c.goal} | {'' if c.kept else '**not kept**'} |" for c in claims
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m evals.faults", description="Inject faults into real processes.")
    parser.add_argument("--only", default="", help="scenarios whose name holds this; nothing is written")
    args = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    found = run(args.only)
    if not args.only:
        stamped = {"commit": commit(), "date": today(), "machine": machine(), "load_average_at_start": load}
        told = {name: [claim._asdict() for claim in claims] for name, claims in found.items()}
        (RESULTS / "faults.json").write_text(
            json.dumps({**stamped, "scenarios": told}, indent=1, ensure_ascii=False) + "\n"
        )
        (RESULTS / "faults.md").write_text(page(found, load), "utf-8")


if __name__ == "__main__":
    main()
