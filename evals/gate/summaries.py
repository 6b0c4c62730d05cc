"""Two tables of means, where nothing else is known: a report from elsewhere, judged as far as it can be.

A mean alone has no interval. Its standard deviation gives one; where that is not told but the metric has a scale, the
largest deviation that such a mean can have is taken, sqrt((mean - low) (high - mean)) (Bhatia and Davis, Amer. Math.
Monthly 107, 2000), by Wilson's interval. Rows cannot be paired, so the two sides count as independent: wider than a
paired interval wherever the two agree more often than by chance. Both intervals are joined as Newcombe joins those of
two proportions (Statist. Med. 17, 1998, method 10):

    low = d - sqrt((c - c_low)^2 + (i_high - i)^2),   high = d + sqrt((c_high - c)^2 + (i - i_low)^2)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Final, NamedTuple, Self

import msgspec
from pydantic import Field, model_validator

from evals.gate import margins
from evals.gate.margins import Margin
from evals.gate.values import Estimate, Metric
from evals.intervals import wilson_share
from policies.mistakes import Problem, refuse
from policies.schema import Strict
from policies.yaml import load_strict, read_text

_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(0.975)
_ROUNDING: Final = 1.01
Rows = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class MetricWords(Strict):
    """How one metric is read. ``low`` and ``high`` are the ends of its scale."""

    higher_is_better: bool = True
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.low is None) != (self.high is None):
            refuse([Problem((), "a scale has two ends: give low and high, or neither")])
        if self.low is not None and self.high is not None and self.low >= self.high:
            refuse([Problem(("high",), "the scale's high end must lie above its low end")])
        return self


class Value(Strict):
    """One mean. ``sd`` is the standard deviation over rows; ``mean: null`` says that it was not measured."""

    mean: float | None
    sd: Annotated[float, Field(ge=0)] | None = None
    rows: Rows | None = None


class System(Strict):
    """What one system reached. ``rows`` counts for every value that does not give its own."""

    rows: Rows | None = None
    values: Annotated[dict[Name, Value], Field(min_length=1)]


class Summary(Strict):
    """A file of means: metrics, and the systems that were measured by them."""

    about: str = ""
    source: str = ""
    rows: Rows | None = None
    metrics: Annotated[dict[Name, MetricWords], Field(min_length=1)]
    systems: Annotated[dict[Name, System], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems: list[Problem] = []
        for name, system in self.systems.items():
            for metric, value in system.values.items():
                at = ("systems", name, "values", metric)
                if metric not in self.metrics:
                    problems.append(Problem(at, f"{metric!r} is not among metrics", "say there how it is read"))
                elif said := _impossible(self.metrics[metric], value):
                    problems.append(Problem(at, said))
        if problems:
            refuse(problems)
        return self


def _impossible(metric: MetricWords, value: Value) -> str:
    if value.mean is None or metric.low is None or metric.high is None or not isfinite(value.mean):
        return ""
    if not metric.low <= value.mean <= metric.high:
        return f"the mean {value.mean:g} lies outside the scale {metric.low:g} to {metric.high:g}"
    most = _largest_sd(value.mean, metric.low, metric.high)
    if value.sd is not None and value.rows != 1 and value.sd > most * sqrt(2) * _ROUNDING:
        return f"no values between {metric.low:g} and {metric.high:g} with that mean have a deviation above {most:.3g}"
    return ""


class Report(NamedTuple):
    """One system of a file of means."""

    label: str
    system: System
    file: Summary


def read_report(path: Path, name: str) -> Report:
    """One system of a file. ``name`` may be empty where there is only one.

    Raises:
        Mistakes: everything that is wrong with the file.
        ValueError: it has no such system, or the name is needed.
    """
    file = load_strict(read_text(path), Summary, file=str(path))
    known = ", ".join(file.systems)
    if not name and len(file.systems) > 1:
        raise ValueError(f"{path} holds {known}; say which: {path}#{next(iter(file.systems))}")
    chosen = name or next(iter(file.systems))
    if chosen not in file.systems:
        raise ValueError(f"{path} holds no {chosen!r}; it holds {known}")
    return Report(chosen, file.systems[chosen], file)


def estimates(candidate: Report, current: Report, said: Sequence[Margin], prefix: str = "") -> list[Estimate]:
    """Every metric that either side has; ``prefix`` stands before its name.

    Raises:
        ValueError: the two files read a metric differently.
    """
    found = []
    both = candidate.file.metrics | current.file.metrics
    for name, words in both.items():
        if candidate.file.metrics.get(name, words) != current.file.metrics.get(name, words):
            raise ValueError(f"the two files do not read {name!r} alike: its scale or direction differs")
        if name in candidate.system.values or name in current.system.values:
            metric = margins.metric_of(
                name, prefix, said, words.low, words.high, higher_is_better=words.higher_is_better
            )
            found.append(_estimate(metric, name, candidate, current))
    return found


def _estimate(metric: Metric, name: str, candidate: Report, current: Report) -> Estimate:
    mine, theirs = (side.system.values.get(name) for side in (candidate, current))
    new = None if mine is None else _finite(mine.mean)
    old = None if theirs is None else _finite(theirs.mean)
    bare = Estimate(metric=metric, against=current.label, candidate=new, current=old)
    if mine is None or theirs is None or new is None or old is None:
        lacking = [side.label for side, value in ((candidate, new), (current, old)) if value is None]
        return _dark(bare, f"{' and '.join(lacking)} has no figure")
    rows = [v.rows or s.system.rows or s.file.rows for v, s in ((mine, candidate), (theirs, current))]
    if rows[0] is None or rows[1] is None:
        return _dark(bare, "how many rows it rests on is not told")
    if metric.relative and not old:
        return _dark(bare, "the current value is zero: give the margin in the metric's own unit")
    spans = [_interval(metric, v.mean or 0.0, v.sd, n) for v, n in ((mine, rows[0]), (theirs, rows[1]))]
    if spans[0] is None or spans[1] is None:
        return _dark(bare, "neither its deviation nor its scale is told")
    (new_low, new_high), (old_low, old_high) = spans[0], spans[1]
    down, up = sqrt((new - new_low) ** 2 + (old_high - old) ** 2), sqrt((new_high - new) ** 2 + (old - old_low) ** 2)
    gain, unit = new - old, abs(old) if metric.relative else 1.0
    if not metric.higher_is_better:
        gain, down, up = -gain, up, down
    return Estimate(
        metric=metric,
        against=current.label,
        candidate=new,
        current=old,
        gain=gain / unit,
        low=(gain - down) / unit,
        high=(gain + up) / unit,
        p_worse=_NORMAL.cdf(_Z * gain / up) if up else float(gain >= 0),
        p_better=_NORMAL.cdf(-_Z * gain / down) if down else float(gain <= 0),
        n=min(rows[0], rows[1]),
        stems=min(rows[0], rows[1]),
    )


def _dark(estimate: Estimate, why: str) -> Estimate:
    return msgspec.structs.replace(estimate, why=why)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _largest_sd(mean: float, low: float, high: float) -> float:
    return sqrt(max(0.0, (mean - low) * (high - mean)))


def _interval(metric: Metric, mean: float, sd: float | None, n: int) -> tuple[float, float] | None:
    """95 % interval of one mean. A deviation of zero is what a small sample shows, not what is true: it is not used."""
    if sd:
        reach = _Z * sd / sqrt(n)
        return mean - reach, mean + reach
    if metric.low is None or metric.span is None:
        return None
    low, high = wilson_share((mean - metric.low) / metric.span, n)
    return metric.low + metric.span * low, metric.low + metric.span * high
