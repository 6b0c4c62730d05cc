"""How ``stillhouse policy`` speaks of proposals, plans, differences and the log."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stillhouse.cli import show

if TYPE_CHECKING:
    from policies.diff import Change
    from policies.policy import Policy
    from router.core.rollout import Plan, Reading, Watch
    from router.core.tally import Tally
    from router.registry.proposals import Proposal
    from router.registry.trail import Entry


def differences(before: Policy, after: Policy, found: Sequence[Change]) -> None:
    """The table of a diff."""
    show.line(f"{before.name}@{before.hash[:12]} -> {after.name}@{after.hash[:12]}")
    if not found:
        show.line("They decide alike: no setting differs.")
        return
    rows = [
        (change.path, _value(change.before), _value(change.after), _layers(change.layer_before, change.layer_after))
        for change in found
    ]
    show.table(("setting", "before", "after", "layer"), rows)
    show.line(f"{len(found)} setting{'s' if len(found) > 1 else ''} changed")


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _layers(before: str, after: str) -> str:
    return after or before if before in ("", after) or not after else f"{before} -> {after}"


def plan(plan: Plan) -> str:
    """A plan in one sentence."""
    steps = " -> ".join(f"{100 * share:.3g} %{_where(plan, at)}" for at, share in enumerate(plan.steps))
    alpha = sum(watch.alpha for watch in plan.watches)
    return (
        f"{steps} of the {plan.unit}s; each step needs {plan.min_requests} outcomes by each signal; false roll-backs "
        f"at most {alpha:.2%}."
    )


def _where(plan: Plan, step: int) -> str:
    """In which cells a step is taken, where not in all."""
    return f" in {' and '.join(plan.cells[step])}" if 0 <= step < len(plan.cells) else ""


def many(found: Sequence[Proposal]) -> None:
    """A line or two for each proposal. No table: the last word is a sentence, and a cell would fold it."""
    if not found:
        show.line("Nothing is proposed, on its way or live: every policy is served from its file.")
        return
    for it in found:
        people = f"proposed by {it.by}{f', approved by {it.approved_by}' if it.approved_by else ''}"
        show.line(f"{it.id}  {it.policy}  {state(it)}  {it.base[:12]} -> {it.version[:12]}  {people}")
        if it.said[1]:
            show.line(f"            {it.said[1]}")


def state(it: Proposal) -> str:
    """The state, with the share while that grows."""
    where = "" if it.plan is None else _where(it.plan, it.step)
    return f"rolling {it.share:.0%}{where}" if it.state == "rolling" else it.state.replace("_", " ")


def one(it: Proposal, tallies: Sequence[Tally]) -> None:
    """Everything about one proposal."""
    show.line(f"{it.id}  {it.policy}  {state(it)}")
    show.line(f"version   {it.base[:12]} -> {it.version[:12]}")
    show.line(f"proposed  by {it.by} at {_when(it.at_ms)}{f': {it.why}' if it.why else ''}")
    show.line(f"shown     evidence {it.evidence[:12] or 'none'}, gate {it.gate}")
    if it.approved_by and it.plan is not None:
        show.line(f"approved  by {it.approved_by}: {plan(it.plan)}")
    if it.said[1]:
        show.line(f"last      {it.said[1]}")
    if it.plan is not None and tallies:
        _counted(it, it.plan, tallies)


def _counted(it: Proposal, plan: Plan, tallies: Sequence[Tally]) -> None:
    from router.core.rollout import next_move
    from router.core.tally import readings

    read = readings(plan, tallies, it.step)
    requests = sum(tally.requests for tally in tallies if tally.step == it.step)
    exposed = sum(tally.exposed for tally in tallies)
    if it.state == "rolling":
        show.line(f"now       {next_move(plan, it.step, read, requests).reason.text}")
    show.line(f"canary    {requests} requests on this step, {exposed} on all steps")
    rows = [_signal(watch, read[watch.signal]) for watch in plan.watches]
    show.table(("signal", "canary", "incumbent", "points", "95 %", "allowed", "harm 1 :", "limit"), rows)
    if left := sum(tally.left_out for tally in tallies):
        show.line(f"{left} outcomes are left out: their tenants are too new to be compared with themselves")


def _signal(watch: Watch, read: Reading) -> Sequence[str]:
    """One line: outcomes on this step, the difference and the evidence over all steps."""
    points = "-" if read.difference is None else f"{100 * read.difference:+.1f}"
    wide = read.difference is None or read.high - read.low > 1
    band = "-" if wide else f"{100 * read.low:+.1f} to {100 * read.high:+.1f}"
    odds = f"{math.exp(min(read.harm, 50)):.3g}"
    counts = (str(read.canary), str(read.incumbent))
    return watch.signal, *counts, points, band, f"{100 * watch.allowed:.0f}", odds, f"{1 / watch.alpha:.0f}"


def as_json(it: Proposal) -> dict[str, Any]:
    """A proposal for programs."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(it)
    return plain | {"said": {"id": it.said[0], "text": it.said[1]}}


def entry(entry: Entry) -> dict[str, Any]:
    """An entry of the log for programs."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(entry)
    return plain


def entries(found: Sequence[Entry]) -> None:
    """The log, an entry a line; no table, for its words are sentences."""
    if not found:
        show.line("Nothing has been done yet.")
    for e in found:
        about = f"  {e.proposal}" if e.proposal else ""
        show.line(f"{e.n}  {e.at}  {e.by}{about}  {_done(e)}  [{e.hash[:12]}]")


def _done(entry: Entry) -> str:
    data = entry.data
    match entry.kind:
        case "proposed":
            shown = f"evidence {data['evidence'][:12] or 'none'}, gate {data['gate']}"
            return f"proposed {data['version'][:12]} for {data['policy']} ({shown}){_because(data)}"
        case "approved":
            override = f"; overriding: {data['override']}" if data["override"] else ""
            return f"approved{_because(data)}{override}"
        case "rules":
            return f"a second person {'has' if data['two_people'] else 'does not have'} to approve{_because(data)}"
        case "rejected":
            return f"rejected{_because(data)}"
        case "stepped":
            return f"{'live' if data['share'] == 1 else format(data['share'], '.0%')}: {data['reason'][1]}"
        case "rolled_back" if "exposed" in data:
            return f"rolled back after {data['exposed']} requests of the canary: {data['reason'][1]}"
        case "rolled_back":
            return str(data["reason"][1])
        case _:
            return f"{entry.kind.replace('_', ' ')}: {data['reason'][1]}"


def _because(data: Any) -> str:
    return f": {data['why']}" if data.get("why") else ""


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
