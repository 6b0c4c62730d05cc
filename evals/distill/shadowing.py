"""A candidate in the shadow: it is asked what callers asked, its answers are set beside those that were given.

Nothing of it is served, and no request waits for it: it is asked afterwards, from the texts that a policy's ``capture``
kept (or that were imported), so a candidate that is slow or fails costs nobody anything but its own run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.distill.example import Example, read_examples
from evals.distill.folder import Folder, write_json
from evals.distill.gating import CANDIDATE, write_suite
from evals.intervals import wilson_share
from evals.runs.execute import Wishes, execute, plan
from evals.suites.grammar import Suite
from evals.suites.read import load

if TYPE_CHECKING:
    from pathlib import Path

    from evals.runs.record import Item
    from router.types import Deployment

_LEFT_OUT = {
    "no answer": "rows without an answer to compare with", "learned from": "rows that the student learned from",
    "other tier": "rows that another tier answered",
}  # fmt: skip


class ShadowError(ValueError):
    """There is nothing to compare; the message says why. Nothing was asked."""


class Chosen(NamedTuple):
    """Rows that are asked, the latest first, and how many were left out for which reason."""

    rows: list[Example]
    left_out: dict[str, int]


def chosen(folder: Folder, source: str, tier: str | None, most: int) -> Chosen:
    """The latest rows of a source that can be compared.

    Args:
        folder: of the loop.
        source: as ``stillhouse distill import`` named it.
        tier: whose answers are compared with; None for all.
        most: rows.

    Raises:
        ShadowError: there are none.
    """
    path = folder.rows(source)
    if not path.exists():
        raise ShadowError(f"{path} is not there; 'stillhouse distill import {folder.root.name} {source}' writes it")
    learned = {row.id for row in read_examples(folder.train)} if folder.train.exists() else set()
    left_out = dict.fromkeys(_LEFT_OUT, 0)
    found: dict[str, Example] = {}
    for row in read_examples(path):
        why = (
            "no answer" if row.answer is None else "learned from" if row.id in learned
            else "other tier" if tier is not None and row.tier != tier else ""
        )  # fmt: skip
        if why:
            left_out[why] += 1
        else:
            found[row.id] = row
    if not found:
        said = ", ".join(f"{count} {_LEFT_OUT[why]}" for why, count in left_out.items() if count)
        raise ShadowError(f"{path}: no row can be compared ({said or 'it is empty'})")
    return Chosen(sorted(found.values(), key=lambda row: (-row.at_ms, row.id))[:most], left_out)


async def shadow(
    folder: Folder, source: str, candidate: Deployment, rows: Chosen, scorers: Sequence[Any], wishes: Wishes, most: int
) -> tuple[dict[str, Any], Path]:
    """Ask the candidate, compare, and leave the figures in the loop's folder; they hold no text.

    Raises:
        ConfigError: a model or a budget cannot be had. ShadowError: the run was cut short; the same command goes on.
    """
    place = folder.root / "shadow"
    path = place / "shadow.yaml"
    write_suite(path, "shadow", rows.rows, {CANDIDATE: (candidate.name,)}, scorers, most)
    suite = load(path)
    assert isinstance(suite, Suite)
    done = await execute(plan(suite, path, wishes), wishes)
    if done.stopped and len(done.items) < len(rows.rows):  # a failed call is an item, and counted
        raise ShadowError(f"the run is not whole ({done.stopped}); the same command goes on with it")
    told = {
        "kind": "shadow", "format": 1, "candidate": candidate.name, "tier": candidate.tier, "source": source,
        "run": done.run.id, "left_out": rows.left_out, **compared(done.items, abstains=candidate.abstains),
    }  # fmt: skip
    left = place / f"{candidate.name.replace('/', '-')}.json"
    write_json(left, told)
    return told, left


def compared(items: Sequence[Item], *, abstains: bool) -> dict[str, Any]:
    """How often the candidate says what was said, over all rows that it answered and by route."""
    answered = [item for item in items if item.quality is not None and not (abstains and not item.answer)]
    waits = [item.latency_ms for item in answered if item.latency_ms is not None]
    costs = [item.cost_nano for item in items if item.cost_nano is not None]
    routes = sorted({item.slices.get("route", "") for item in answered})
    return {
        "rows": len(items), "answered": len(answered), "errors": sum(bool(item.error) for item in items),
        "abstained": sum(abstains and not item.answer and not item.error for item in items),
        "agreement": _share(answered),
        "routes": {route: _share([i for i in answered if i.slices.get("route", "") == route]) for route in routes},
        "latency_ms": {f"p{q}": round(float(np.percentile(waits, q)), 1) for q in (50, 95)} if waits else None,
        "cost_nano": sum(costs) if len(costs) == len(items) else None,
    }  # fmt: skip


def _share(items: Sequence[Item]) -> dict[str, Any] | None:
    """The mean score with its 95 % interval (Wilson's); None of nothing."""
    if not items:
        return None
    mean = sum(item.quality or 0.0 for item in items) / len(items)
    low, high = wilson_share(mean, len(items))
    return {"value": round(mean, 6), "low": round(low, 6), "high": round(high, 6), "rows": len(items)}
