"""From estimates to a verdict. Pure.

For one metric, with margin m >= 0 and the 95 % interval (low, high) of its gain:

    yes      low >= -m: a loss beyond the margin is excluded
    no       it is shown to be worse (one-sided, 2.5 %), and a loss beyond the margin is not excluded
    untold   anything else: the rows cannot tell the two apart

A candidate passes where *every* metric says yes. That is an intersection-union test: each metric may be tested at its
own level, and the chance of a false yes stays below 2.5 % however many there are (Berger, Technometrics 24, 1982).
A no from *any* metric is a no, so these tests are many chances to be wrong: their p-values are adjusted by Holm's
method, and an equal candidate is called worse in at most 2.5 % of trials. "Better on at least one" is adjusted alike.
Slices are a second family, adjusted by themselves: they can bring a no, never a yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import NormalDist
from typing import Final

from evals.compare.slices import THIN, holm
from evals.gate.values import Estimate, Finding, Ruling, Verdict

LEVEL: Final = 0.025
"""One-sided; its two-sided interval is the one of 95 %."""

FEWEST: Final = THIN
"""Questions below which nothing is said: an interval from so few is a guess."""

_HOPELESS: Final = 1e4  # a hundred million times the rows
_NORMAL: Final = NormalDist()
_REACH: Final = _NORMAL.inv_cdf(1 - LEVEL)
_POWER: Final = _NORMAL.inv_cdf(0.8)


def rule(estimates: Sequence[Estimate], slices: Sequence[Estimate] = (), *, improves: bool = False) -> Ruling:
    """Judge all metrics, and the slices of them.

    Args:
        estimates: over all rows; one for each metric and rival.
        slices: the same within slices.
        improves: ask for an improvement in at least one metric, too.

    Raises:
        ValueError: there is no metric: a gate that looked at nothing must not open.
    """
    if not estimates:
        raise ValueError("there is no metric that both sides could be judged by")
    findings = judged(estimates)
    within = judged(slices)
    worse = tuple(sorted((finding for finding in within if finding.verdict == "no"), key=lambda f: f.estimate.p_worse))
    thin = sum(finding.verdict == "untold" for finding in within)
    verdict, says = _overall(findings, worse, improves=improves)
    return Ruling(
        verdict=verdict, says=says, findings=findings, slices=worse, slices_seen=len(within), slices_thin=thin,
    )  # fmt: skip


def judged(family: Sequence[Estimate]) -> tuple[Finding, ...]:
    """Judge a family of estimates together."""
    worse = holm([estimate.p_worse for estimate in family])
    better = holm([estimate.p_better for estimate in family])
    strict = _NORMAL.inv_cdf(1 - LEVEL / max(1, len(family)))
    return tuple(
        _judge(estimate, worse=down <= LEVEL, better=up <= LEVEL, strict=strict)
        for estimate, down, up in zip(family, worse, better, strict=True)
    )


def _judge(estimate: Estimate, *, worse: bool, better: bool, strict: float) -> Finding:
    low, high, margin = estimate.low, estimate.high, estimate.metric.margin
    if low is None or high is None:
        return _finding(estimate, "untold", estimate.why or "nothing can be said of it")
    if estimate.stems < FEWEST:
        return _finding(
            estimate, "untold", f"{estimate.stems} questions; below {FEWEST} nothing is said", needed=FEWEST
        )
    worse, better = worse and high < 0, better and low > 0
    if low >= -margin:
        words = "better" if better else "a little worse, within the margin" if worse else "no worse"
        enough = _questions(estimate, (estimate.gain or 0.0) + margin, _REACH)
        return _finding(estimate, "yes", words, worse=worse, better=better, needed=enough)
    if worse:
        words = "worse, by more than the margin" if high < -margin else "worse, and perhaps by more than the margin"
        enough = _questions(estimate, -(estimate.gain or 0.0), strict)
        return _finding(estimate, "no", words, worse=True, needed=enough)
    words = f"too few rows to exclude a loss of {margin:g}{f' ({estimate.why})' if estimate.why else ''}"
    return _finding(estimate, "untold", words, needed=_questions(estimate, margin, _REACH + _POWER))


def _finding(
    estimate: Estimate,
    verdict: Verdict,
    says: str,
    *,
    worse: bool = False,
    better: bool = False,
    needed: int | None = None,
) -> Finding:
    return Finding(estimate=estimate, verdict=verdict, worse=worse, better=better, needed=needed, says=says)


def _questions(estimate: Estimate, distance: float, errors: float) -> int | None:
    """Questions at which ``distance`` is so many standard errors; they shrink with the root of the number."""
    if estimate.low is None or estimate.high is None or distance <= 0:
        return None
    ratio = errors * (estimate.high - estimate.low) / (2 * _REACH) / distance
    return max(FEWEST, ceil(estimate.stems * ratio * ratio)) if ratio < _HOPELESS else None


def _overall(findings: Sequence[Finding], slices: Sequence[Finding], *, improves: bool) -> tuple[Verdict, str]:
    bad = [finding for finding in findings if finding.verdict == "no"]
    if bad or slices:
        parts = [f"worse in {_names(bad)}"] if bad else []
        parts += [_in_slices(slices)] if slices else []
        return "no", "; ".join(parts)
    dark = [finding for finding in findings if finding.verdict == "untold"]
    if dark:
        return "untold", f"too little is known of {_names(dark)}"
    better = [finding for finding in findings if finding.better]
    if not improves:
        gained = f", better in {_names(better)}" if better else ""
        return "yes", f"no worse in any of {len(findings)} figures{gained}"
    if better:
        return "yes", f"better in {_names(better)}, no worse in any of {len(findings)} figures"
    if all(f.estimate.high is not None and f.estimate.high <= f.estimate.metric.margin for f in findings):
        return "no", "no metric is better, and a gain larger than its margin is excluded in each"
    return "untold", "no metric is shown to be better, and none of them excludes it"


def _in_slices(slices: Sequence[Finding]) -> str:
    first = label(slices[0].estimate)
    return f"worse in {first}" if len(slices) == 1 else f"worse in {len(slices)} slices, first of all in {first}"


def _names(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(label(finding.estimate) for finding in findings))


def label(estimate: Estimate) -> str:
    """The metric by name, with its slice."""
    return f"{estimate.metric.name} where {estimate.where}" if estimate.where else estimate.metric.name
