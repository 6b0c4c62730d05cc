"""The figures of cascades written down: JSON for machines, Markdown for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evals.stamp import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evals.cascade.__main__ import Line, Report

_DIGITS = 4
_PARTS = (
    ("confidence", "How well the chance tells right from wrong"),
    ("quality", "Quality at equal cost"),
    ("difference", "Cascade against baseline, paired by question"),
)


def write(report: Report, out: Path) -> None:
    """Write ``cascade.json`` and ``cascade.md`` into ``out``."""
    made = stamp("python -m evals.cascade") | {
        "models": "SmolLM2-135M, Qwen2.5-Coder-0.5B, Qwen2.5-Coder-1.5B, all Instruct and Q4, in the embedded engine",
        "questions": report.n,
    }
    out.mkdir(parents=True, exist_ok=True)
    body = {"about": made, **rounded(report)}
    (out / "cascade.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "cascade.md").write_text("\n".join(_markdown(report, made)) + "\n", encoding="utf-8")


def rounded(report: Report) -> dict[str, Any]:
    """The report as plain JSON values, floats at a few digits."""
    plain: dict[str, Any] = _round(msgspec.to_builtins(report))
    return plain


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    return [_round(item) for item in value] if isinstance(value, list) else value


def _markdown(report: Report, made: Mapping[str, Any]) -> Iterable[str]:
    yield "# Try, check, escalate, measured"
    yield ""
    yield "Made by `python -m evals.cascade` from `cascade-outcomes.jsonl`; do not edit. Real answers of three"
    yield "embedded models; every chance is cross-fitted over ten folds of questions. Intervals: 95 %, bootstrap"
    yield "by question, paired where a difference is shown. *Where* is the mean cost at which methods are compared,"
    yield "as a share of the way from always-small to always-large."
    yield ""
    yield from (f"- {name}: {value}" for name, value in made.items())
    yield from _tables(report)
    for part, title in _PARTS:
        for priced in dict.fromkeys(line.prices for line in report.lines if line.part == part):
            yield from ("", f"## {title}" + (f": prices {priced}" if priced else ""), "")
            yield "| method | against | where | value | 95 % interval | n |"
            yield "|---|---|---|---|---|---|"
            yield from (_row(line) for line in report.lines if line.part == part and line.prices == priced)


def _tables(report: Report) -> Iterable[str]:
    yield from ("", "## Questions and answers", "")
    yield ", ".join(f"{name} {count}" for name, count in report.kinds.items())
    tasks = list(next(iter(report.accuracy.values())))
    yield from ("", f"| share right | {' | '.join(tasks)} |", "|---|" + "---|" * len(tasks))
    for tier, shares in report.accuracy.items():
        yield f"| {tier} | " + " | ".join(f"{shares[task]:.2f}" for task in tasks) + " |"
    yield from ("", "| prices, USD per million tokens in / out | small | medium | large |", "|---|---|---|---|")
    for name, table in report.prices.items():
        yield f"| {name} | " + " | ".join(f"{price[0]:g} / {price[1]:g}" for price in table.values()) + " |"
    yield from (
        "",
        "## Risk and coverage",
        "",
        "Share of wrong answers among those kept, the most confident first.",
        "",
    )
    kept = [share for share, _ in next(iter(report.coverage.values()))]
    yield f"| kept | {' | '.join(f'{share:.0%}' for share in kept)} |"
    yield "|---|" + "---|" * len(kept)
    for name, curve in report.coverage.items():
        yield f"| {name} | " + " | ".join(f"{risk:.2f}" for _, risk in curve) + " |"


def _row(line: Line) -> str:
    interval = f"{line.low:.3f} to {line.high:.3f}"
    return f"| {line.method} | {line.against} | {line.where} | {line.value:.3f} | {interval} | {line.n} |"
