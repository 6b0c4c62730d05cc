"""Figures of steadiness and how they are written down: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.intervals import wilson
from evals.routing import baselines
from evals.stamp import commit, machine, today

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

#: What is promised: shares of decisions.
FLIPS: float = 0.02
MOVED: float = 0.05
ALARMS: float = 0.005


class Router(NamedTuple):
    """A router at its threshold on unchanged prompts."""

    router: str
    small: float
    auc: float
    n: int


class Change(NamedTuple):
    """Decisions that a meaningless change flips, of the rows it touches."""

    router: str
    change: str
    flips: int
    n: int
    interval: tuple[float, float]
    auc: float


class Attack(NamedTuple):
    """Rows that an attempt moved from small to large; ``found``: how many the guard reported."""

    router: str
    attempt: str
    up: int
    n: int
    interval: tuple[float, float]
    found: int | None


def write(
    routers: Sequence[Router],
    changes: Sequence[Change],
    moved: Sequence[Attack],
    alarms: tuple[int, int],
    digest: str,
    seed: int,
    out: Path,
) -> None:
    """Write ``robustness.json`` and ``robustness.md`` into ``out``."""
    about = {
        "command": "python -m evals.robustness --data DIR",
        "date": today(),
        "commit": commit(),
        "machine": machine(),
        "artefact": digest,
        "litellm": baselines.litellm_version(),
        "split": "valid, rows spread evenly over sources and languages",
        "seed": seed,
    }
    body = {
        "about": about,
        "routers": [_plain(item) for item in routers],
        "changes": [_plain(item) for item in changes],
        "attempts": [_plain(item) for item in moved],
        "false_alarms": {"alarms": alarms[0], "n": alarms[1], "interval": wilson(*alarms)},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "robustness.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    lines = _markdown(routers, changes, moved, alarms, about)
    (out / "robustness.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _plain(item: Router | Change | Attack) -> dict[str, Any]:
    values = item._asdict()
    return {key: _rounded(value) for key, value in values.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value


def _markdown(
    routers: Sequence[Router],
    changes: Sequence[Change],
    moved: Sequence[Attack],
    alarms: tuple[int, int],
    about: Mapping[str, Any],
) -> Iterable[str]:
    yield "# How easily a decision is moved"
    yield ""
    yield "Made by `python -m evals.robustness`; do not edit. Each router decides small or large at the threshold that"
    yield "sends as near to half of the unchanged prompts to small as its scores allow. Flips are shares of the rows a"
    yield "change touches, moved up of the rows that were small; intervals are Wilson's, 95 %. A router that hardly"
    yield "tells prompts apart (AUC .5) or sends nearly all one way flips little: read both tables together."
    yield ""
    yield from (f"- {name}: {value}" for name, value in about.items())
    yield from ("", "## Routers", "", "| router | sent to small | AUC | n |", "|---|---|---|---|")
    yield from (f"| {r.router} | {r.small:.1%} | {r.auc:.3f} | {r.n} |" for r in routers)
    yield from ("", f"## Flips (promised: at most {FLIPS:.0%})", "")
    yield "| change | router | flips | interval | AUC after | n |"
    yield "|---|---|---|---|---|---|"
    for c in sorted(changes, key=lambda c: c.change):
        yield f"| {c.change} | {c.router} | {_share(c.flips, c.n)} | {_span(c.interval)} | {c.auc:.3f} | {c.n} |"
    yield from ("", f"## Moved up (promised: at most {MOVED:.0%})", "")
    yield "| attempt | router | moved up | interval | reported by the guard | n |"
    yield "|---|---|---|---|---|---|"
    for a in sorted(moved, key=lambda a: a.attempt):
        found = "" if a.found is None else _share(a.found, a.n)
        yield f"| {a.attempt} | {a.router} | {_share(a.up, a.n)} | {_span(a.interval)} | {found} | {a.n} |"
    yield from ("", f"## False alarms of the `rerouting` guard (promised: at most {ALARMS:.1%})", "")
    yield f"{alarms[0]} of {alarms[1]} prompts of the train split ({_share(*alarms)}, {_span(wilson(*alarms))})."


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "-"


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"
