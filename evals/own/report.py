"""The figures of own traffic: differences, medians over sources, verdicts; written as JSON and Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.metrics import INTERVAL, Interval
from evals.stamp import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evals.metrics import Floats

#: What is compared: a router and its rival.
PAIRS = (
    *(("adapted", rival) for rival in ("from nothing", "start", "empty start", "recipes alone", "prompt length")),
    *((router, "from nothing") for router in ("empty start", "recipes alone", "empty start, recipes alone")),
)
#: Whose loss is set against that of the recipes alone.
LOSSES = ("adapted", "recipes alone", "from nothing", "empty start", "start")
FIXED = ("start", "prompt length", "in distribution")


class Curve(NamedTuple):
    """One source's APGR.

    Attributes:
        name: the source.
        rows: held-out rows.
        note: rows of the start and those dropped.
        values: (router, size) -> the plain value, then the value on each bootstrap draw. Size 0: needs no own rows.
        used: size -> own rows really used, fewer where the source has no more.
        losses: as ``values``, the mean loss of an outcome (minus its log-likelihood); none of prompt length.
    """

    name: str
    rows: int
    note: str
    values: Mapping[tuple[str, int], Floats]
    used: Mapping[int, int]
    losses: Mapping[tuple[str, int], Floats]

    def of(self, router: str, size: int) -> Floats:
        """A router's values at a size."""
        return self.values[router, 0 if router in FIXED else size]


def interval(values: Floats) -> Interval:
    """The plain value and the bounds over the draws."""
    low, high = np.nanpercentile(values[1:], INTERVAL) if len(values) > 1 else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high))


def median_difference(curves: Sequence[Curve], router: str, rival: str, size: int) -> Interval:
    """Median over sources of router minus rival, taken anew in each draw."""
    return interval(np.median([c.of(router, size) - c.of(rival, size) for c in curves], axis=0))


def mean_loss(curves: Sequence[Curve], router: str, size: int) -> Floats:
    """Mean over sources of a router's loss, plain and in each draw."""
    key = (router, 0 if router in FIXED else size)
    return np.asarray(np.mean([c.losses[key] for c in curves], axis=0))


def lift_share(curves: Sequence[Curve], size: int) -> dict[str, Any]:
    """The lift over prompt length at a size against the in-distribution one.

    A share is meaningless where knowing the source brings no lift, so there are two figures: the number of
    sources whose lift is at least half of the in-distribution one, and the ratio of the mean lifts.
    """
    lifts = np.array([c.of("adapted", size)[0] - c.of("prompt length", size)[0] for c in curves])
    inside = np.array([c.of("in distribution", size)[0] - c.of("prompt length", size)[0] for c in curves])
    return {
        "sources": len(curves),
        "at_least_half": int(np.count_nonzero(lifts >= 0.5 * inside)),
        "mean_lift": round(float(lifts.mean()), 4),
        "mean_lift_in_distribution": round(float(inside.mean()), 4),
        "median_share_where_positive": round(float(np.median(lifts[inside > 0.01] / inside[inside > 0.01])), 3)
        if (inside > 0.01).any()
        else None,
    }


def body_of(curves: Sequence[Curve], judged: Sequence[int], seed: int, command: str) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    sizes = [size for size in judged if all(size in c.used for c in curves)]
    return {
        "about": {
            **stamp(command),
            "split": "own rows from train, judged on valid, questions disjoint; the start shares none with either",
            "seed": seed,
        },
        "medians": [
            {"size": size, "router": a, "rival": b, **_rounded(median_difference(curves, a, b, size))}
            for size in sizes
            for a, b in PAIRS
        ],
        "losses": [
            {
                "size": size, "router": router, "mean": round(float(mean_loss(curves, router, size)[0]), 4),
                **_rounded(interval(mean_loss(curves, router, size) - mean_loss(curves, "recipes alone", size))),
            }
            for size in sizes
            for router in LOSSES
        ],
        "lift": {str(size): lift_share(curves, size) for size in sizes},
        "curves": [
            {
                "source": c.name, "n": c.rows, "note": c.note, "router": router, "size": size,
                "own_rows": c.used.get(size, 0), **_rounded(interval(values)),
            }
            for c in curves
            for (router, size), values in c.values.items()
        ],
    }  # fmt: skip


def _rounded(found: Interval) -> dict[str, float | None]:
    return {k: round(v, 4) if np.isfinite(v) else None for k, v in found._asdict().items()}


def write(curves: Sequence[Curve], judged: Sequence[int], seed: int, command: str, out: Path) -> None:
    """Write ``own-traffic.json`` and ``own-traffic.md`` into ``out``."""
    body = body_of(curves, judged, seed, command)
    out.mkdir(parents=True, exist_ok=True)
    (out / "own-traffic.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (out / "own-traffic.md").write_text("\n".join(_markdown(body, curves)) + "\n", encoding="utf-8")


def _markdown(body: Mapping[str, Any], curves: Sequence[Curve]) -> Iterator[str]:
    yield from (
        "# Own traffic, measured",
        "",
        "Made by `python -m evals.own`; do not edit. Each source is left out of the start, then given back as own",
        "rows. APGR on its held-out rows, small against large, 0.5 is random; intervals 95 %, bootstrap by question,",
        "paired. *From nothing*: the estimator on the same rows alone. *Adapted* has such an estimator for a third",
        "part, *recipes alone* is without it. *Empty start*: the same without what the start knows; what *adapted*",
        "has over it is the start's doing, what *empty start* has over *from nothing* is not. *In distribution*: the",
        "estimator that was trained on this source too.",
        "",
    )
    yield from (f"- {name}: {value}" for name, value in body["about"].items())
    yield from ("", "## Median over sources of the difference in APGR", "")
    yield from ("| own rows | router | minus | median | 95 % interval |", "|---|---|---|---|---|")
    for line in body["medians"]:
        yield f"| {line['size']} | {line['router']} | {line['rival']} | {_signed(line['value'])} | {_span(line)} |"
    yield from ("", "## Mean over sources of the loss of an outcome (minus its log-likelihood)", "")
    yield from ("| own rows | router | loss | minus recipes alone | 95 % interval |", "|---|---|---|---|---|")
    for line in body["losses"]:
        yield f"| {line['size']} | {line['router']} | {line['mean']} | {_signed(line['value'])} | {_span(line)} |"
    yield from ("", "## Lift over prompt length, against the in-distribution lift", "")
    yield "| own rows | sources with half of it | mean lift | mean lift in distribution | median share where positive |"
    yield "|---|---|---|---|---|"
    for size, lift in body["lift"].items():
        share = lift["median_share_where_positive"]
        yield (
            f"| {size} | {lift['at_least_half']} of {lift['sources']} | {lift['mean_lift']:+.3f} | "
            f"{lift['mean_lift_in_distribution']:+.3f} | {'-' if share is None else f'{share:.0%}'} |"
        )
    for c in curves:
        yield from ("", f"## {c.name} (n = {c.rows}; {c.note})", "")
        yield from ("| router | own rows | APGR | 95 % interval |", "|---|---|---|---|")
        for (router, size), values in c.values.items():
            found = _rounded(interval(values))
            yield f"| {router} | {c.used.get(size, 0)} | {found['value']} | {_span(found)} |"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def _span(found: Mapping[str, Any]) -> str:
    return "" if found["low"] is None else f"{found['low']:.4f} to {found['high']:.4f}"
