"""Figures of the router and how they are written down: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals import baselines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Line(NamedTuple):
    """One measured figure."""

    protocol: str
    target: str
    metric: str
    router: str
    value: float
    low: float | None
    high: float | None
    n: int
    note: str = ""


def write(lines: Sequence[Line], digest: str, seed: int, out: Path) -> None:
    """Write ``routing.json`` and ``routing.md`` into ``out``."""
    about = {
        "command": "python -m evals.routing --data DIR",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "artefact": digest,
        "litellm": baselines.litellm_version(),
        "split": "valid (never trained on, questions disjoint from train by stem)",
        "seed": seed,
    }
    out.mkdir(parents=True, exist_ok=True)
    body = {"about": about, "lines": [_rounded(line) for line in lines]}
    (out / "routing.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (out / "routing.md").write_text("\n".join(_markdown(lines, about)) + "\n", encoding="utf-8")


def _rounded(line: Line) -> dict[str, Any]:
    values = line._asdict()
    for name in ("value", "low", "high"):
        number = values[name]
        values[name] = None if number is None or not np.isfinite(number) else round(number, 4)
    return values


def _markdown(lines: Sequence[Line], about: Mapping[str, Any]) -> Iterable[str]:
    yield "# Routing decisions, measured"
    yield ""
    yield "Made by `python -m evals.routing`; do not edit. Intervals: 95 %, bootstrap by question, paired"
    yield "where a difference is shown. APGR: small against large, 0.5 is random. Savings are set on other"
    yield "folds than they are scored on; *kept* is the share of the large tier's quality really kept. Input"
    yield "tokens are estimated (bytes / 4), output tokens measured. LiteLLM's ties are served at random."
    yield ""
    yield from (f"- {name}: {value}" for name, value in about.items())
    sections: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        sections.setdefault((line.protocol, line.target), []).append(line)
    for (protocol, target), members in sections.items():
        yield ""
        yield f"## {protocol}: {target}"
        yield ""
        yield "| metric | router | value | 95 % interval | n | note |"
        yield "|---|---|---|---|---|---|"
        for line in members:
            yield _row(line)


def _row(line: Line) -> str:
    interval = "" if line.low is None or line.high is None else f"{line.low:.3f} to {line.high:.3f}"
    digits = 0 if line.metric.startswith("CPU") else 3
    return f"| {line.metric} | {line.router} | {line.value:.{digits}f} | {interval} | {line.n} | {line.note} |"


def commit() -> str:
    """The commit of this tree, short; ``unknown`` outside a repository."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
