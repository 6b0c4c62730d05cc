"""What would have come of a policy, on recorded outcomes: pure, without a network, a clock or dice.

Where every tier's outcome is recorded, the candidate's outcomes are looked up. Where a log knows only the tier that
answered, they are estimated doubly robustly (``counterfactual``), and refused where the log cannot show them. Equal
rows and policies give an equal result, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evals.tuning import clusters
from evals.tuning.known import recorded
from evals.tuning.ledger import BLOCKED
from evals.tuning.logs import from_log
from evals.tuning.result import Guards, Said, Simulation
from evals.tuning.saying import LEAST_ROWS, said
from evals.tuning.side import Side, all_known
from evals.tuning.slices import slices_of
from evals.tuning.table import Mask, Table


def simulate(candidate: Side, against: Side | None = None, *, by: str = "") -> Simulation:
    """Everything that the rows say of the candidate.

    Args:
        candidate: the policy that is tried.
        against: the policy in force; without it, what was logged is the reference, or always-large where all tiers'
            outcomes are recorded.
        by: a dimension whose slices are all listed.

    Raises:
        ValueError: the two sides hold different rows.
    """
    if against is not None and len(against.table) != len(candidate.table):
        raise ValueError("the two policies were asked about different rows")
    told = recorded(candidate, against) if all_known(candidate.table) else from_log(candidate, against)
    table = candidate.table
    return Simulation(
        policy=candidate.policy.name,
        hash=candidate.policy.hash,
        against=against.policy.name if against else "",
        reference=told.reference,
        rows=len(table),
        stems=clusters.count(table.stem),
        source=table.source,
        fingerprint=table.fingerprint,
        left_out=dict(sorted(table.left_out.items())),
        tiers=_mix(candidate),
        quality=told.quality,
        large=told.large,
        current=told.current,
        change=told.change,
        money=told.money,
        moved=told.moved,
        latency=_latency(candidate),
        escalations=_escalations(candidate),
        guards=_guards(table),
        slices=slices_of(table, told.compared, by) if told.compared else (),
        evidence=told.evidence,
        notes=(*told.notes, *_notes(candidate)),
    )


# --- what does not depend on how outcomes are known ---------------------------------------------------


def _mix(candidate: Side) -> dict[str, Said]:
    table, shares = candidate.table, candidate.made.shares
    mix = {tier: said(clusters.share(shares[:, t], table.stem)) for t, tier in enumerate(table.tiers)}
    nobody = candidate.made.served < 0
    if nobody.any():
        mix["none"] = said(clusters.share(nobody, table.stem))
    return mix


def _latency(candidate: Side) -> dict[str, Said]:
    """Of a log: each tier's logged latencies, weighed by how often the candidate takes the tier."""
    table, shares = candidate.table, candidate.made.shares
    if np.isnan(table.latency).all():
        nothing = Said(why="the rows hold no latencies")
        return {"p50": nothing, "p95": nothing}
    if all_known(table):
        column = np.maximum(candidate.made.served, 0).astype(np.int64)
        wanted = (candidate.made.served >= 0).astype(np.float64)
    else:
        column, wanted = np.maximum(table.taken, 0).astype(np.int64), np.ones(len(table))
    values = np.take_along_axis(table.latency, column[:, None], axis=1)[:, 0]
    known = ~np.isnan(values) & (wanted > 0)
    lacking = 0.0
    if not all_known(table):
        count = np.bincount(column[known], minlength=len(table.tiers))
        mix = shares.sum(axis=0)
        lacking = float(mix[count == 0].sum() / max(mix.sum(), 1e-300))
        wanted = np.asarray(mix / np.maximum(count, 1), dtype=np.float64)[column]
    known &= wanted > 0
    if np.count_nonzero(known) < LEAST_ROWS or lacking > 0.01:
        words = f"no latency is known of tiers that take {lacking:.1%} of the requests" if lacking > 0.01 else ""
        nothing = Said(why=words or f"fewer than {LEAST_ROWS} rows hold the latency of the tiers that the policy takes")
        return {"p50": nothing, "p95": nothing}
    stem = table.stem[known]
    return {
        name: said(clusters.quantile(values[known], wanted[known], stem, at))
        for name, at in (("p50", 0.5), ("p95", 0.95))
    }


def _escalations(candidate: Side) -> Said:
    table = candidate.table
    if candidate.climbed is not None:
        return said(clusters.mean(candidate.climbed.escalations.astype(np.float64), table.stem))
    if candidate.policy.body.cascade is not None:
        return Said(
            why="unknown: the rows do not hold what the checks of a cascade saw of each tier's answer; the other "
            "figures are those of the policy's choice before any try"
        )
    return Said(value=0.0, low=0.0, high=0.0, n=len(table), stems=clusters.count(table.stem))


def _guards(table: Table) -> Guards:
    """Of a log as logged, requests that were stopped at once among them; of outcomes as the policy's guards find."""
    found, blocked = table.facts.get("found"), table.facts.get("blocked")
    findings = table.slices.get("findings")
    if found is None and (findings is None or (blocked is None and not any(findings.names))):
        nothing = Said(why="the policy has no guards of requests, or the rows do not tell what they find")
        return Guards(found=nothing, blocked=nothing)
    if found is None and findings is not None:
        found = np.array([bool(name) for name in findings.names], dtype=bool)[findings.codes]
    assert found is not None
    stopped: Mask = np.zeros(len(table), dtype=bool) if blocked is None else blocked
    more = table.left_out.get(BLOCKED, 0)
    stem = np.append(table.stem, table.stem.max() + 1 + np.arange(more, dtype=np.int32))
    at_once = np.ones(more, dtype=bool)
    return Guards(
        found=said(clusters.share(np.append(found, at_once), stem)),
        blocked=said(clusters.share(np.append(stopped, at_once), stem)),
    )


def _notes(candidate: Side) -> tuple[str, ...]:
    notes = []
    if (nobody := float(np.mean(candidate.made.served < 0))) > 0:
        notes.append(f"{nobody:.1%} of the requests no tier may serve: they count as quality 0 and cost nothing")
    if candidate.climbed is not None:
        notes.append(
            "the cascade's tries are counted in quality and money; 'first asked' is the policy's choice before them. "
            "The shipped calibration was learned from answers like these, which flatters it"
        )
    elif candidate.policy.body.cascade is not None:
        notes.append("the policy's cascade was not simulated: these rows do not hold what its checks would have seen")
    escalated = candidate.table.facts.get("escalated")
    if escalated is not None and escalated.any():
        notes.append(f"in {escalated.mean():.1%} of the logged requests a first answer was turned down by a cascade")
    return tuple(notes)


def as_mapping(found: Simulation) -> Mapping[str, object]:
    """Plain values, for JSON."""
    import msgspec

    built: Mapping[str, object] = msgspec.to_builtins(found)
    return built
