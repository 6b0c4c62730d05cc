"""`python -m evals.clients`: run every client that is built here against a gateway of its own, write the matrix.

The environments are built by `.ci/clients all`. A client whose environment is not there is told as not run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from evals.bench.process import free_port
from evals.clients.matrix import ROOT, Row, clients, run
from evals.clients.upstream import application
from evals.stamp import stamp

RESULTS = ROOT / "evals/results"
SETTINGS = """\
stillhouse: 1
upstreams:
  up: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1"}}
tiers:
  - {{tier: small, upstream: up, model: small}}
  - {{tier: medium, upstream: up, model: medium}}
  - {{tier: large, upstream: up, model: large}}
embeddings:
  - {{model: embed, upstream: up}}
"""


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """The model server in a thread; yields its port."""
    loop, port = asyncio.new_event_loop(), free_port()
    runner = web.AppRunner(application())
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@contextlib.contextmanager
def gateway(scratch: Path, port: int) -> Iterator[str]:
    """A gateway as an operator starts it; yields its base URL."""
    config = scratch / "stillhouse.yaml"
    config.write_text(SETTINGS.format(port=port))
    process = subprocess.Popen(
        [sys.executable, "-m", "stillhouse.cli", "serve", "--config", str(config), "--port", "0"],
        env={**os.environ, "STILLHOUSE_HOME": str(scratch / "home"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("ready"):
                yield line.split()[1]
                break
        else:
            sys.exit("the gateway did not start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def table(rows: list[Row], made: dict[str, str]) -> str:
    """The matrix in Markdown."""
    lines = [
        "# Real clients",
        "",
        "Unmodified clients against a running gateway (`stillhouse serve`, policy `balanced`) before a model server",
        "that answers by the request alone. A client that could not be run here is said to be so; that is no pass.",
        "",
        f"`{made['command']}`, {made['date']}, commit {made['commit']}, {made['machine']}.",
        "",
        "| client | version | cases | passed | failed |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row.not_run:
            lines.append(f"| {row.client} | | not run | | {row.not_run} |")
            continue
        failed = "; ".join(case.name for case in row.failed)
        lines.append(
            f"| {row.client} | {row.version} | {len(row.cases)} | {len(row.cases) - len(row.failed)} | {failed} |"
        )
    ran = [case for row in rows for case in row.cases]
    lines += ["", f"Together {sum(case.ok for case in ran)} of {len(ran)} cases."]
    faults = [(row.client, case) for row in rows for case in row.failed]
    if faults:
        lines += ["", "## What failed", ""]
        lines += [f"- {client}, {case.name}: {' '.join(case.why.split())[:300]}" for client, case in faults]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run; 1 when a case failed."""
    parser = argparse.ArgumentParser(description="Run real clients against a gateway.")
    parser.add_argument("--only", action="append", default=[], help="part of a client's name; may be given again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    chosen = [c for c in clients() if not options.only or any(part in c.name for part in options.only)]
    rows = []
    with tempfile.TemporaryDirectory() as folder, upstream() as port, gateway(Path(folder), port) as url:
        for number, client in enumerate(chosen):
            row = run(client, url, Path(folder) / str(number))
            rows.append(row)
            words = row.not_run or f"{len(row.cases) - len(row.failed)} of {len(row.cases)}"
            print(f"{client.name}: {words}", flush=True)
            for case in row.failed:
                print(f"  {case.name}: {case.why[-1200:]}")
    if not options.only:
        made = stamp("python -m evals.clients")
        body = {
            **made,
            "clients": [
                {
                    "client": row.client,
                    "version": row.version,
                    "not_run": row.not_run,
                    "cases": [{"case": case.name, "ok": case.ok, "why": case.why} for case in row.cases],
                }
                for row in rows
            ],
        }
        (options.out / "clients.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
        (options.out / "clients.md").write_text(table(rows, made))
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
