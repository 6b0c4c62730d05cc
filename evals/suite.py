"""``python -m evals.suite NAME… --data DIR``: run suites and regenerate their files in ``evals/results``.

A suite names the evaluation that measures it; parts of the same evaluation run together, once. Without
a name it lists what is there.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evals.suites.read import FOLDER, Suite, load_suite, names
from policies.mistakes import Mistakes

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.suite", description="Run suites of evals/suites.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="suites to run; `all` for every one")
    parser.add_argument("--data", type=Path, help="folder of the outcome files")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args(argv)
    known = names()
    wanted = known if options.names == ["all"] else options.names
    unknown = [name for name in wanted if name not in known]
    if unknown:
        return _refused(f"no suite {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        suites = [load_suite(FOLDER / f"{name}.yaml") for name in wanted or known]
    except Mistakes as mistakes:
        return _refused(str(mistakes))
    if not wanted:
        print("\n".join(f"{suite.suite:24} {suite.about}" for suite in suites))
        return 0
    problem = _not_ready(suites, options.data)
    if problem:
        return _refused(problem)
    for command in commands(suites, options.data):
        print(" ".join(command[1:]), flush=True)
        if not options.dry_run and subprocess.run(command, check=False).returncode:
            return _refused(f"{' '.join(command[1:])}: failed; the results of what ran before it stand")
    return 0


def commands(suites: Sequence[Suite], data: Path | None) -> list[list[str]]:
    """The command lines that measure these suites, each evaluation once."""
    parts: dict[str, list[str]] = {}
    needs: dict[str, bool] = {}
    for suite in suites:
        parts.setdefault(suite.command.module, []).extend(suite.command.only)
        needs[suite.command.module] = suite.command.data
    lines = []
    for module, only in parts.items():
        line = [sys.executable, "-m", module]
        if needs[module]:
            line += ["--data", str(data)]
        if only:
            line += ["--only", *dict.fromkeys(only)]
        lines.append(line)
    return lines


def _not_ready(suites: Sequence[Suite], data: Path | None) -> str:
    for suite in suites:
        if importlib.util.find_spec(suite.command.module) is None:
            return f"{suite.suite}: there is no {suite.command.module} in this version"
        if not suite.command.data:
            continue
        if data is None:
            return f"{suite.suite}: give --data DIR, the folder of the outcome files (docs/importers.md makes them)"
        missing = [f"{data}/{name}.jsonl.gz" for name in suite.rows if not (data / f"{name}.jsonl.gz").exists()]
        if missing:
            return f"{suite.suite}: not there: {', '.join(missing)}; docs/importers.md says how to make them"
    return ""


def _refused(words: str) -> int:
    print(f"error: {words}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
