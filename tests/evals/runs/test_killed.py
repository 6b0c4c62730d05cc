"""A run that is killed outright and begun again: what was answered is not asked again."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.evals.runs.conftest import PLAIN, echo

ROOT = Path(__file__).resolve().parents[3]
ROWS, WORKERS = 24, 3


async def begin(bench, home):
    """The command in a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stillhouse.cli", "eval", str(bench.folder / "suite.yaml"),
        cwd=ROOT, env={**os.environ, "STILLHOUSE_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_killed_run_loses_at_most_one_answer_a_worker(bench, home):
    bench.suite(PLAIN + f"parallel: {WORKERS}\n")
    bench.rows(*({"id": f"r{n:02}", "prompt": f"say {n}", "reference": f"{n}"} for n in range(ROWS)))
    bench.up.always(lambda seen: echo(seen).after(0.02))
    first = await begin(bench, home)
    await bench.up.wait_for(12)
    first.send_signal(signal.SIGKILL)
    await first.communicate()
    assert first.returncode == -signal.SIGKILL
    before = len(bench.up.requests)
    assert before < ROWS
    answered = sum(seen.answered for seen in bench.up.requests)
    second = await begin(bench, home)
    out, err = await second.communicate()
    assert second.returncode == 0, out + err
    again = len(bench.up.requests) - before
    # Every answer that arrived was kept, but for those a worker had in its hands when it died.
    assert ROWS - answered <= again <= ROWS - before + WORKERS
    assert sorted(set(bench.asked)) == sorted(f"say {n}" for n in range(ROWS))
    assert len(list((home / "runs").iterdir())) == 1  # the killed one left no half a run
