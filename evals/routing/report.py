"""Figures of the router and how they are written down: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.routing import baselines
from evals.stamp import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Line(NamedTuple):
    """One measured figure."""

    protocol: str
    target: str
    metric: str
    router: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str = ""


def update(out: Path, part: str, lines: Sequence[Line], digest: str, seed: int, order: Sequence[str]) -> None:
    """Put one part's lines into ``routing.json``, keep the other parts, and write ``routing.md`` anew."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "routing.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts = stored.get("parts", {})
    made = stamp(f"python -m evals.routing --data DIR --only {part}") | {
        "artefact": digest,
        "litellm": baselines.litellm_version(),
        "split": "valid (never trained on, questions disjoint from train by stem)",
        "seed": seed,
    }
    parts[part] = {"about": made, "lines": [_rounded(line) for line in lines]}
    parts = {name: parts[name] for name in order if name in parts}
    path.write_text(json.dumps({"parts": parts}, indent=1) + "\n", encoding="utf-8")
    (out / "routing.md").write_text("\n".join(_markdown(parts)) + "\n", encoding="utf-8")


def _rounded(line: Line) -> dict[str, Any]:
    values = line._asdict()
    for name in ("value", "low", "high"):
        number = values[name]
        values[name] = None if number is None or not np.isfinite(number) else round(number, 4)
    return values


def _markdown(parts: Mapping[str, Any]) -> Iterable[str]:
    yield "# Routing decisions, measured"
    yield ""
    yield "Made by `python -m evals.routing`; do not edit. Intervals: 95 %, bootstrap by question, paired"
    yield "where a difference is shown. APGR: small against large, 0.5 is random. Savings are set on other"
    yield "folds than they are scored on; *kept* is the share of the large tier's quality really kept; *with"
    yield "margin* asks one standard error more than the promise of a setting before it is chosen. Input"
    yield "tokens are estimated (bytes / 4). LiteLLM's ties are served at random. Group mean: a table of mean"
    yield "scores by source and task. Area, where prompts are abstained from: APGR with the routed answer as"
    yield "weak and the fallback's as strong, 0.5 is abstaining by lot."
    for name, part in parts.items():
        yield ""
        yield f"# {name}"
        yield ""
        yield from (f"- {key}: {value}" for key, value in part["about"].items())
        sections: dict[tuple[str, str], list[Line]] = {}
        for stored in part["lines"]:
            line = Line(**stored)
            sections.setdefault((line.protocol, line.target), []).append(line)
        for (protocol, target), members in sections.items():
            yield ""
            yield f"## {protocol}: {target}"
            yield ""
            yield "| metric | router | value | 95 % interval | n | note |"
            yield "|---|---|---|---|---|---|"
            yield from (_row(line) for line in members)


def _row(line: Line) -> str:
    interval = "" if line.low is None or line.high is None else f"{line.low:.3f} to {line.high:.3f}"
    digits = 0 if line.metric.startswith("CPU") else 3
    value = "-" if line.value is None else f"{line.value:.{digits}f}"
    return f"| {line.metric} | {line.router} | {value} | {interval} | {line.n} | {line.note} |"
