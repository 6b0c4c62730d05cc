"""Published protocols: each evaluation that they name runs once and writes its file in ``evals/results``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evals.runs.asking import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from evals.suites.protocol import Protocol


def commands(protocols: Sequence[Protocol], data: Path | None) -> list[list[str]]:
    """The command lines that measure these protocols; parts of the same evaluation run together.

    Raises:
        ConfigError: an evaluation is not in this version, or its data is not there.
    """
    parts: dict[str, list[str]] = {}
    needs: dict[str, bool] = {}
    for protocol in protocols:
        _refuse_unready(protocol, data)
        parts.setdefault(protocol.command.module, []).extend(protocol.command.only)
        needs[protocol.command.module] = protocol.command.data
    lines = []
    for module, only in parts.items():
        line = [sys.executable, "-m", module]
        if needs[module]:
            line += ["--data", str(data)]
        if only:
            line += ["--only", *dict.fromkeys(only)]
        lines.append(line)
    return lines


def run(lines: Sequence[Sequence[str]], tell: Callable[[str], None]) -> bool:
    """Run the evaluations; whether all of them ended well. The results of those that did stand."""
    for line in lines:
        tell(" ".join(line[1:]))
        if subprocess.run(line, check=False).returncode:
            tell(f"{' '.join(line[1:])}: failed; the results of what ran before it stand")
            return False
    return True


def _refuse_unready(protocol: Protocol, data: Path | None) -> None:
    if importlib.util.find_spec(protocol.command.module) is None:
        raise ConfigError(f"{protocol.suite}: there is no {protocol.command.module} in this version")
    if not protocol.command.data:
        return
    made = "docs/importers.md says how to make them"
    if data is None:
        raise ConfigError(f"{protocol.suite}: give --data DIR, the folder of the outcome files", made)
    missing = [f"{data}/{name}.jsonl.gz" for name in protocol.rows if not (data / f"{name}.jsonl.gz").exists()]
    if missing:
        raise ConfigError(f"{protocol.suite}: not there: {', '.join(missing)}", made)
