"""What loss is put up with, metric by metric: defaults by kind, and what the caller says instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from evals.gate.values import Metric
from router.types import Frozen

SHARE_OF_SCALE: Final = 0.02
"""Of a metric with a scale: two points of a hundred."""

SHARE_OF_VALUE: Final = 0.02
"""Of a metric without a scale: a fiftieth of the current value."""

DEFAULTS: Final[Mapping[str, tuple[float, bool]]] = {
    "errors": (0.02, False),
    "refused": (0.02, False),
    "cost": (0.05, True),
    "latency": (0.10, True),
    "latency_p95": (0.20, True),
    "log_loss": (0.01, False),
    "calibration_error": (0.02, False),
    "saving": (0.02, False),
    "choice": (0.02, False),
}
"""Metrics that the gate makes itself: margin, and whether it is a share of the current value."""

_FORM: Final = re.compile(r"(?P<name>[^=]+)=(?P<number>[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(?P<percent>%?)")


class Margin(Frozen, frozen=True):
    """A caller's word on the metrics whose names match ``pattern`` (``*`` and ``?`` as in file names)."""

    pattern: str
    value: float
    relative: bool


class MarginError(ValueError):
    """A margin that cannot be read, or that no metric heeds."""


def read_margin(text: str) -> Margin:
    """``quality=0.01`` is in the metric's own unit, ``cost=10%`` a share of the current value.

    Raises:
        MarginError: it has another form.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise MarginError(
            f"{text!r} is no margin. Write METRIC=NUMBER or METRIC=NUMBER%, e.g. quality=0.01 or cost=10%"
        )
    relative = bool(form["percent"])
    return Margin(form["name"].strip(), float(form["number"]) / (100 if relative else 1), relative)


def metric_of(
    name: str,
    prefix: str,
    said: Sequence[Margin],
    low: float | None = None,
    high: float | None = None,
    *,
    higher_is_better: bool = True,
) -> Metric:
    """A metric under the last word that matches it, else with the margin of its kind.

    Args:
        name: chooses the kind.
        prefix: of the set it was measured on; the metric is called by both.
        said: by the caller.
        low: the low end of its scale; None where it has none.
        high: the high end.
        higher_is_better: whether more of it is better.
    """
    margin, relative = _usual(name, low, high)
    for word in said:
        if fnmatchcase(prefix + name, word.pattern):
            margin, relative = word.value, word.relative
    return Metric(
        name=prefix + name, higher_is_better=higher_is_better, low=low, high=high, relative=relative, margin=margin
    )


def _usual(name: str, low: float | None, high: float | None) -> tuple[float, bool]:
    if name in DEFAULTS:
        return DEFAULTS[name]
    if low is not None and high is not None:
        return SHARE_OF_SCALE * (high - low), False
    return SHARE_OF_VALUE, True


def refuse_idle(patterns: Iterable[str], names: Iterable[str], what: str) -> None:
    """A word that no metric heeds is a slip of the pen, and would pass for a check.

    Raises:
        MarginError: names it, and the metrics that there are.
    """
    known = list(dict.fromkeys(names))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise MarginError(f"{what} {pattern!r} matches no metric; there are {', '.join(known) or 'none'}")
