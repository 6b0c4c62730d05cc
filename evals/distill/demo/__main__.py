"""The whole loop on real models, twice: a task for a head and a task for a generator, side by side on two cores.

    make distill-demo                                     # the whole; some 18 minutes on two quiet cores
    python -m evals.distill.demo --task tickets           # one task
    python -m evals.distill.demo --render                 # the page anew, from what was measured

Results into evals/results/distill-demo.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Final

from evals.distill.demo.loop import TASKS, replay
from evals.distill.demo.pages import page
from evals.distill.folder import write_json, write_whole
from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[2] / "results"
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    """Replay, keep, print."""
    reader = argparse.ArgumentParser(prog="python -m evals.distill.demo", description=__doc__)
    reader.add_argument("--task", choices=sorted(TASKS), help="only this one")
    reader.add_argument("--folder", type=Path, help="keep all files of the run here; a temporary folder otherwise")
    reader.add_argument("--out", type=Path, default=RESULTS)
    reader.add_argument("--render", action="store_true", help="write the page from the figures that are there")
    reader.add_argument("--measured", type=Path, help=argparse.SUPPRESS)
    args = reader.parse_args()
    if args.measured is not None:
        args.folder.mkdir(parents=True, exist_ok=True)
        write_json(args.measured, replay(TASKS[args.task], TASKS[args.task].size, args.folder, _say))
        return
    figures = args.out / "distill-demo.json"
    if not args.render:
        with tempfile.TemporaryDirectory() as scratch:
            _measure([args.task] if args.task else list(TASKS), args.folder or Path(scratch), figures)
    made = json.loads(figures.read_text())
    write_whole(args.out / "distill-demo.md", page(made).encode())
    print(page(made))


def _measure(tasks: list[str], folder: Path, figures: Path) -> None:
    """Each task in a process of its own, for each has a home of its own and computes on one thread."""
    since = time.monotonic()
    running = []
    for name in tasks:
        words = [sys.executable, "-m", "evals.distill.demo", "--task", name, "--folder", str(folder / name),
                 "--measured", str(folder / f"{name}.json")]  # fmt: skip
        child = subprocess.Popen(words, env=os.environ | _ONE_THREAD, text=True, stdout=subprocess.PIPE)
        assert child.stdout is not None
        listener = threading.Thread(target=_pass_on, args=(name, child.stdout))
        listener.start()
        running.append((child, listener))
    for child, listener in running:
        listener.join()
        child.wait()
    if any(child.returncode for child, _ in running):
        raise SystemExit("a task did not come to its end; what it said stands above")
    made = {
        "of": stamp("make distill-demo"), "seconds": round(time.monotonic() - since, 1),
        "tasks": [json.loads((folder / f"{name}.json").read_text()) for name in tasks],
    }  # fmt: skip
    write_json(figures, made)


def _pass_on(name: str, lines: IO[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{name:8} {line}")
        sys.stdout.flush()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
