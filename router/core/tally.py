"""From outcomes to evidence: what one ledger has shown of a roll-out, as a value that grows outcome by outcome. Pure.

Outcomes become *goodness*, 0..1: for cost and latency on the scale of what was usual for the incumbent, which is taken
once and never changes, so that no outcome can bend its own measure.

With a tenant as the unit few units are compared, and they differ from the start. There each outcome is taken less its
own tenant's mean from before the roll-out, so the test holds while a tenant stays as it was; a tenant too new to have
such a mean is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from router.core.rollout import BAND_ALPHA, Plan, Reading, Signal, Watch
from router.core.stats.sequential import NO_WEALTH, Band, Blocks, against_harm, against_unsafe, evidence
from router.types import Frozen

ENOUGH: Final = 200
"""Answers of the incumbent that a scale is taken from, at least."""

OWN: Final = 30
"""Outcomes that a tenant's own mean is taken from, at least."""

SCALED: Final[frozenset[Signal]] = frozenset({"cost", "latency"})
NO_ANSWER: Final = frozenset({"upstream_error", "internal_error", "refused", "bad_request", "client_gone"})
"""Outcomes that count as errors. A caller's own mistakes are among them: both arms have them alike."""


class Scale(Frozen, frozen=True, kw_only=True):
    """What was usual for the incumbent.

    Attributes:
        mean: of the cost, nano-dollars. cap: the cost that 99 of 100 answers stay under; more counts as much.
        slow: milliseconds that 95 of 100 answers stay under.
    """

    mean: float
    cap: float
    slow: float

    @classmethod
    def of(cls, costs: Sequence[int], times: Sequence[float]) -> Scale | None:
        """From sorted values; None where there are too few."""
        if len(times) < ENOUGH:
            return None
        cap = float(max(1, costs[int(0.99 * (len(costs) - 1))])) if costs else 1.0
        mean = sum(min(cost, cap) for cost in costs) / len(costs) if costs else 0.0
        return cls(mean=mean, cap=cap, slow=float(times[int(0.95 * (len(times) - 1))]))


class Count(Frozen, frozen=True, kw_only=True):
    """What one signal has shown.

    Attributes:
        blocks: outcomes that wait for others. canary, incumbent: outcomes on this step.
        harm, safe: log-wealths, over all steps and on this one. band: the running interval.
    """

    blocks: Blocks
    canary: int = 0
    incumbent: int = 0
    harm: tuple[float, ...] = NO_WEALTH
    safe: tuple[float, ...] = NO_WEALTH
    band: Band = Band()


class Tally(Frozen, frozen=True, kw_only=True):
    """What one ledger has shown of one roll-out.

    Attributes:
        step: on which one. requests: of the canary on this step. exposed: on all steps.
        rows, judgements: how far the ledger was read.
        scale: what was usual; None while too few answers are known. own: tenant -> signal -> mean goodness before.
        left_out: outcomes of tenants that are too new. counts: by signal.
    """

    step: int
    requests: int = 0
    exposed: int = 0
    rows: int = 0
    judgements: int = 0
    scale: Scale | None = None
    own: Mapping[str, Mapping[str, float]] | None = None
    left_out: int = 0
    counts: Mapping[str, Count] = {}

    def at(self, plan: Plan, step: int) -> Tally:
        """On this step. A new one begins with fresh counts; the evidence of harm goes on."""
        if step == self.step and self.counts:
            return self
        blocks = Blocks.at(plan.steps[step])
        fresh = {}
        for watch in plan.watches:
            old = self.counts.get(watch.signal)
            fresh[watch.signal] = (
                Count(blocks=blocks) if old is None else Count(blocks=blocks, harm=old.harm, band=old.band)
            )
        return msgspec.structs.replace(self, step=step, requests=0, counts=fresh)

    def saw(self, *, canary: bool) -> Tally:
        """One more request."""
        if not canary:
            return self
        return msgspec.structs.replace(self, requests=self.requests + 1, exposed=self.exposed + 1)

    def outcome(self, plan: Plan, watch: Watch, tenant: str, goodness: float, *, canary: bool) -> Tally:
        """One more outcome by one signal; nothing where it has no measure yet."""
        if watch.signal in SCALED and self.scale is None:
            return self
        if plan.unit == "tenant":
            own = (self.own or {}).get(tenant, {}).get(watch.signal)
            if own is None:
                return msgspec.structs.replace(self, left_out=self.left_out + 1)
            goodness = (goodness - own + 1) / 2
        count = _with(self.counts[watch.signal], watch, goodness, self._unit(plan, watch), canary=canary)
        return msgspec.structs.replace(self, counts={**self.counts, watch.signal: count})

    def _unit(self, plan: Plan, watch: Watch) -> float:
        """What one unit of ``allowed`` and ``margin`` is on the scale of differences."""
        unit = 0.5 if plan.unit == "tenant" else 1.0
        if watch.signal == "cost" and self.scale is not None:
            unit *= max(self.scale.mean / self.scale.cap, 1e-9)
        return unit


def _with(count: Count, watch: Watch, goodness: float, unit: float, *, canary: bool) -> Count:
    blocks, d = count.blocks.add(canary=canary, goodness=goodness)
    more = {"blocks": blocks, "canary": count.canary + canary, "incumbent": count.incumbent + (not canary)}
    if d is not None:
        more |= _bet(count, watch, d, unit)
    return msgspec.structs.replace(count, **more)


def _bet(count: Count, watch: Watch, d: float, unit: float) -> dict[str, Any]:
    at = np.asarray(d)
    harm = np.add(count.harm, against_harm(at, min(watch.allowed * unit, 0.99)))
    safe = np.asarray(count.safe)
    if watch.margin is not None:
        safe = safe + against_unsafe(at, watch.margin * unit)
    return {"harm": tuple(harm.tolist()), "safe": tuple(safe.tolist()), "band": count.band.add(d, BAND_ALPHA)}


def goodness_of(
    signal: Signal, outcome: str, cost_nano: int | None, total_ms: float | None, scale: Scale | None
) -> float | None:
    """How good a request was by one signal; None where it says nothing by it."""
    if signal == "errors":
        return 0.0 if outcome in NO_ANSWER else 1.0
    if signal == "blocked":
        return 0.0 if outcome.startswith("blocked") else 1.0
    if outcome != "ok" or scale is None:
        return None
    if signal == "cost" and cost_nano is not None:
        return 1.0 - min(cost_nano / scale.cap, 1.0)
    if signal == "latency" and total_ms is not None:
        return 1.0 if total_ms <= scale.slow else 0.0
    return None


def readings(plan: Plan, tallies: Sequence[Tally], step: int) -> dict[Signal, Reading]:
    """What all ledgers together say. Their wealths multiply, for their requests are not the same ones."""
    return {watch.signal: _reading(plan, watch, tallies, step) for watch in plan.watches}


def _reading(plan: Plan, watch: Watch, tallies: Sequence[Tally], step: int) -> Reading:
    seen = [(tally, tally.counts[watch.signal]) for tally in tallies if watch.signal in tally.counts]
    here = [count for tally, count in seen if tally.step == step]
    if not seen:
        return Reading()
    band = Band()
    for _, count in seen:
        band = band.plus(count.band)
    unit = seen[0][0]._unit(plan, watch)  # noqa: SLF001  (of the same module; scales differ little between ledgers)
    low, high = band.interval(BAND_ALPHA)
    return Reading(
        canary=sum(count.canary for count in here),
        incumbent=sum(count.incumbent for count in here),
        harm=float(evidence(np.sum([count.harm for _, count in seen], axis=0))),
        safe=float(evidence(np.sum([count.safe for count in here], axis=0))) if here else 0.0,
        difference=(2 * band.total / band.n - 1) / unit if band.n else None,
        low=low / unit,
        high=high / unit,
    )
