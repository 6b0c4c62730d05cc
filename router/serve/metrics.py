"""Counters and histograms in Prometheus' text format, version 0.0.4.

A few dozen lines instead of a client library: labels here come from closed sets (tiers, outcomes,
policies), never from callers, so the number of series is bounded and an increment is a dictionary step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Labels = tuple[str, ...]


class Counter:
    """A number that only grows, per combination of label values."""

    __slots__ = ("help", "labels", "name", "values")

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name, self.help, self.labels = name, text, labels
        self.values: dict[Labels, int] = {}

    def add(self, amount: int, *labels: str) -> None:
        """Grow by ``amount``."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def lines(self) -> Iterable[str]:
        """The exposition."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} counter"
        for labels, value in sorted(self.values.items()):
            yield f"{self.name}{_braces(self.labels, labels)} {value}"


class Readings(NamedTuple):
    """Values that are kept elsewhere and read at this moment, per combination of label values."""

    name: str
    help: str
    kind: Literal["gauge", "counter"]
    labels: Labels
    values: Mapping[Labels, float]

    def lines(self) -> Iterable[str]:
        """The exposition."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in sorted(self.values.items()):
            yield f"{self.name}{_braces(self.labels, labels)} {value:g}"


class Histogram:
    """Counts of observations below each bound, in seconds."""

    __slots__ = ("bounds", "counts", "help", "labels", "name", "sums")

    def __init__(self, name: str, text: str, bounds: tuple[float, ...], labels: Labels = ()) -> None:
        self.name, self.help, self.bounds, self.labels = name, text, bounds, labels
        self.counts: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count one observation."""
        counts = self.counts.get(labels)
        if counts is None:
            counts = self.counts[labels] = [0] * (len(self.bounds) + 1)
            self.sums[labels] = 0.0
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value

    def lines(self) -> Iterable[str]:
        """The exposition."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} histogram"
        names = (*self.labels, "le")
        for labels, counts in sorted(self.counts.items()):
            total = 0
            for bound, count in zip((*map(str, self.bounds), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_braces(names, (*labels, bound))} {total}"
            yield f"{self.name}_sum{_braces(self.labels, labels)} {self.sums[labels]:.6f}"
            yield f"{self.name}_count{_braces(self.labels, labels)} {total}"


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{n}="{_escape(v)}"' for n, v in zip(names, values, strict=True))
    return "{" + pairs + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Metrics:
    """Everything ``/metrics`` shows, one object a cell."""

    def __init__(self) -> None:
        self.requests = Counter("stillhouse_requests_total", "Requests by tier and outcome.", ("tier", "outcome"))
        self.arms = Counter("stillhouse_arm_requests_total", "Requests of a roll-out's arms.", ("arm", "outcome"))
        self.overhead = Histogram(
            "stillhouse_overhead_seconds",
            "Time spent in the gateway itself, waiting for models left out.",
            (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1),
        )
        self.upstream = Histogram(
            "stillhouse_upstream_seconds",
            "Time a model took, by tier.",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            ("tier",),
        )
        self.first_byte = Histogram(
            "stillhouse_first_byte_seconds",
            "Time to a model's first event, by tier.",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            ("tier",),
        )
        self.tokens = Counter("stillhouse_tokens_total", "Tokens by kind and how they are known.", ("kind", "source"))
        self.cost = Counter("stillhouse_cost_nanodollars_total", "Known cost, by tier.", ("tier",))
        self.unknown_cost = Counter(
            "stillhouse_unknown_cost_total", "Answers whose cost is unknown, by tier.", ("tier",)
        )
        self.attempts = Counter(
            "stillhouse_attempts_total", "Calls to models by tier and outcome.", ("tier", "outcome")
        )
        self.guards = Counter(
            "stillhouse_guard_actions_total",
            "Findings by guard, direction and action.",
            ("guard", "direction", "action"),
        )
        self.shadows = Counter(
            "stillhouse_shadow_guard_actions_total",
            "What shadow guards would have done, by guard, direction and action.",
            ("guard", "direction", "action"),
        )
        self.cascades = Counter(
            "stillhouse_cascade_verdicts_total",
            "Verdicts on answers of a cascade, by tier and the check that decided.",
            ("tier", "verdict", "check"),
        )
        self.unscored = Counter("stillhouse_unscored_total", "Requests decided without a score.")
        self.unobserved = Counter(
            "stillhouse_unobserved_total",
            "Requests that were passed on while observing and could not be judged beside it, by reason.",
            ("reason",),
        )
        self.feedback = Counter("stillhouse_feedback_total", "Judgements of answers that were kept.")
        self.limited = Counter(
            "stillhouse_limited_total", "Requests that a limit refused, by what was counted.", ("kind",)
        )
        self.reloads = Counter("stillhouse_reloads_total", "Configuration reloads by result.", ("result",))

    def render(self, gauges: Iterable[tuple[str, str, float]] = (), more: Iterable[Readings] = ()) -> bytes:
        """The page; ``gauges`` are (name, help, value) read at this moment, ``more`` those with labels."""
        out: list[str] = []
        for item in (*vars(self).values(), *more):
            out.extend(item.lines())
        for name, text, value in gauges:
            out += (f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value:g}")
        return ("\n".join(out) + "\n").encode()
