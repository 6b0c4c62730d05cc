"""A ruling in words and in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evals.gate.values import Estimate, Finding, Ruling, Verdict
from evals.gate.verdict import label

EXIT: Final[Mapping[Verdict, int]] = {"yes": 0, "no": 1, "untold": 3}
"""2 is bad input, as everywhere."""

WORDS: Final[Mapping[Verdict, str]] = {"yes": "YES", "no": "NO", "untold": "CANNOT BE TOLD"}
COLUMNS: Final = ("metric", "", "current → candidate", "gain (95 %)", "margin", "rows", "enough")
_MARKS: Final[Mapping[Verdict, str]] = {"yes": "yes", "no": "NO", "untold": "?"}
_ORDER: Final[Mapping[Verdict, int]] = {"no": 0, "untold": 1, "yes": 2}


def headline(ruling: Ruling) -> str:
    """The verdict and why, in one line."""
    return f"{WORDS[ruling.verdict]}: {ruling.says}."


def table(findings: Sequence[Finding]) -> list[list[str]]:
    """A line a figure, those that say no first; columns as in ``COLUMNS``."""
    several = len({finding.estimate.against for finding in findings}) > 1
    return [_line(finding, several=several) for finding in sorted(findings, key=lambda f: _ORDER[f.verdict])]


def slices_line(ruling: Ruling) -> str:
    """What was looked at in slices; empty where there are none."""
    if not ruling.slices_seen:
        return ""
    worse = f"{len(ruling.slices)} worse" if ruling.slices else "none worse"
    return (
        f"{ruling.slices_seen} figures of slices, {worse} beyond the margin; in {ruling.slices_thin} of them a loss as "
        "large as the margin could not have been excluded."
    )


def reasons(findings: Sequence[Finding]) -> list[str]:
    """A sentence for each figure that does not say yes."""
    return [
        f"{label(finding.estimate)}: {finding.says}."
        for finding in sorted(findings, key=lambda f: _ORDER[f.verdict])
        if finding.verdict != "yes"
    ]


def _line(finding: Finding, *, several: bool) -> list[str]:
    estimate, metric = finding.estimate, finding.estimate.metric
    return [
        label(estimate) + (f" (against {estimate.against})" if several else ""),
        _MARKS[finding.verdict],
        f"{number(estimate.current)} → {number(estimate.candidate)}",
        _gain(estimate),
        _share(metric.margin) if metric.relative else f"{metric.margin:g}",
        f"{estimate.n:,}" + (f" of {estimate.stems:,} questions" if estimate.stems != estimate.n else ""),
        "" if finding.needed is None else f"{finding.needed:,}",
    ]


def _gain(estimate: Estimate) -> str:
    if estimate.gain is None or estimate.low is None or estimate.high is None:
        return ""
    form = _share if estimate.metric.relative else _points
    return (
        f"{form(estimate.gain, signed=True)} ({form(estimate.low, signed=True)} to {form(estimate.high, signed=True)})"
    )


def _share(value: float, *, signed: bool = False) -> str:
    return f"{value * 100:+.1f} %" if signed else f"{value * 100:g} %"


def _points(value: float, *, signed: bool = False) -> str:
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def number(value: float | None) -> str:
    """A metric's value with four digits; a question mark where there is none."""
    return "?" if value is None else f"{value:.4g}"


def as_json(ruling: Ruling) -> dict[str, Any]:
    """The ruling as plain values."""
    return {
        "verdict": ruling.verdict,
        "says": ruling.says,
        "metrics": [_finding(finding) for finding in ruling.findings],
        "slices": [_finding(finding) for finding in ruling.slices],
        "slices_seen": ruling.slices_seen,
        "slices_thin": ruling.slices_thin,
        "notes": list(ruling.notes),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    estimate = finding.estimate
    metric = estimate.metric
    return {
        "metric": metric.name,
        "where": estimate.where,
        "against": estimate.against,
        "verdict": finding.verdict,
        "says": finding.says,
        "candidate": estimate.candidate,
        "current": estimate.current,
        "gain": estimate.gain,
        "low": estimate.low,
        "high": estimate.high,
        "p_worse": estimate.p_worse,
        "p_better": estimate.p_better,
        "margin": metric.margin,
        "relative": metric.relative,
        "higher_is_better": metric.higher_is_better,
        "worse": finding.worse,
        "better": finding.better,
        "rows": estimate.n,
        "questions": estimate.stems,
        "left_out": estimate.left_out,
        "needed": finding.needed,
    }
