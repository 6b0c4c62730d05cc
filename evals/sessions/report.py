"""How the figures of simulated sessions are written down: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FIGURES = ("usd_per_session", "quality", "switches", "too_low", "too_high", "cached_share")
_HEAD = """# Sessions

`{command}`, {date}, commit {commit}, {machine}. {seeds} seeds of {sessions_per_seed} sessions; tasks: {tasks}.
Prices: {prices}. Artefact {artefact}.
**Simulated**: the model of sessions is stated in `evals/sessions/model.py`; the decisions are the router's own.

Cost is USD per session, quality the mean chance that a call was done right, switches are per session; *too low* is the
share of calls on a tier that does the task worse than the cheapest one that does it as well as any, *too high* on a
dearer one than that; cached is the share of input read from a prompt cache. 95 % intervals of the mean over seeds.
"""
_EQUAL = """
## Cost at equal quality, {pool}

Each strategy's aim is turned until it reaches a share of what always-large adds to always-small in quality; cost as a
share of always-large's.

| aim | share | who decides | cost | ours less this | switches |
|---|---|---|---|---|---|"""


def write(
    out: Path, about: Mapping[str, Any], results: Mapping[str, Any], equal: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Write ``sessions.json`` and ``sessions.md`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    body = {"about": about, "results": results, "at_equal_quality": equal}
    (out / "sessions.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (out / "sessions.md").write_text("\n".join(_lines(about, results, equal)) + "\n", encoding="utf-8")


def _lines(
    about: Mapping[str, Any], results: Mapping[str, Any], equal: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    joined = {key: ", ".join(f"{k} {v}" for k, v in about[key].items()) for key in ("tasks", "prices")}
    yield _HEAD.format(**{**about, **joined, "artefact": about["artefact"][:12]})
    for pool, rows in equal.items():
        yield _EQUAL.format(pool=pool)
        for row in rows:
            paired = "" if row["who"] == "ours" else _cell(row["ours_less_this"], sign=True)
            cells = (row["aim"], f"{row['share']:.0%}", row["who"], _cell(row["cost"]), paired, _cell(row["switches"]))
            yield f"| {' | '.join(cells)} |"
    for name, table in results.items():
        yield f"\n## One setting, {name}\n"
        yield "| who decides | cost | quality | switches | too low | too high | cached |\n|---|---|---|---|---|---|---|"
        for who, row in table.items():
            yield f"| {who} | {' | '.join(_cell(row[key]) for key in FIGURES)} |"
        yield "\nOurs less each, paired by seed:\n"
        yield "| | cost | quality | switches | too low | too high |\n|---|---|---|---|---|---|"
        for who, row in table.items():
            if who != "ours":
                less = [_cell(row["ours_less_this"][key], sign=True) for key in FIGURES[:-1]]
                yield f"| {who} | {' | '.join(less)} |"


def _cell(figure: Mapping[str, float], *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    digits = 3 if abs(figure["high"]) < 1 else 2
    value, low, high = (f"{figure[key]:{plus}.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
