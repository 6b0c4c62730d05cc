"""The judge of a roll-out: reads what the ledger has new, keeps count, and moves the roll-out where the test says so.

Runs in a thread beside the requests, in every gateway; of several that find the same, the first one writes. It never
takes a proposal further than a person's approval reaches: what was not approved is not looked at.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from router.core.rollout import Move, Plan, Reading, Signal, next_move
from router.core.tally import NO_ANSWER, OWN, Scale, Tally, goodness_of, readings
from router.ledger.arms import ArmRow, Arms, Judgement, arms
from router.ledger.db import LedgerError
from router.ledger.place import Place, name_of
from router.postgres import PostgresError
from router.registry import counts, proposals
from router.registry.counts import Turn
from router.registry.proposals import Proposal
from router.registry.shared import Shared, own
from router.registry.trail import TrailError
from router.serve.rollouts import Taken, Trial

log = logging.getLogger("stillhouse")
SLACK_MS = 60_000  # the clocks of gateways may differ so much


class Judge:
    """One gateway's judge.

    Args:
        home: where the registry lies.
        ledger: the ledger that this gateway writes.
        cell: its name, for the log.
        shared: the registry, where it is shared with other gateways.
    """

    def __init__(self, home: Path, ledger: Place, cell: str, shared: Shared | None = None) -> None:
        self._home, self._ledger = home, ledger
        self._editing = partial(own, home) if shared is None else shared.editing
        self._name = f"gateway:{cell}"
        self._key = name_of(ledger)

    def look(self, taken: Taken, now_ms: int) -> None:
        """Begin what is approved; count, judge and move what is rolling. What fails is said, and tried again."""
        for trial in taken.trials.values():
            try:
                self._one(trial, now_ms)
            except (LedgerError, PostgresError, TrailError, sqlite3.Error, OSError, msgspec.MsgspecError) as error:
                log.error("roll-out %s cannot be judged, so it stays where it is: %s", trial.proposal.id, error)

    def _one(self, trial: Trial, now_ms: int) -> None:
        it = trial.proposal
        assert it.plan is not None
        if it.state == "approved":
            share = it.plan.steps[0]
            text = f"{it.approved_by} approved it; it begins with {share:.0%} of the {it.plan.unit}s."
            data = {"step": 0, "share": share, "reason": ("canary-begins", text)}
            with self._editing() as home:
                proposals.moved(home, it, "stepped", data, by=self._name, now_ms=now_ms)
            return
        tallies = self._counted(trial, it.plan, now_ms)
        requests = sum(tally.requests for tally in tallies if tally.step == it.step)
        read = readings(it.plan, tallies, it.step)
        self._move(it, next_move(it.plan, it.step, read, requests), read, tallies, now_ms)

    def _move(
        self, it: Proposal, move: Move, read: dict[Signal, Reading], tallies: list[Tally], now_ms: int
    ) -> None:  # fmt: skip
        if move.verb == "hold" and move.reason.id in ("canary-too-few", it.said[0]):
            return  # waiting is no news
        data: dict[str, Any] = {
            "step": move.at, "share": move.share, "reason": (move.reason.id, move.reason.text),
            "exposed": sum(tally.exposed for tally in tallies), "left_out": sum(tally.left_out for tally in tallies),
            "readings": {signal: _plain(reading) for signal, reading in read.items()},
        }  # fmt: skip
        kind = {"hold": "held", "step_up": "stepped", "roll_back": "rolled_back"}[move.verb]
        with self._editing() as home:
            wrote = proposals.moved(home, it, kind, data, by=self._name, now_ms=now_ms)  # type: ignore[arg-type]
        if wrote and (move.verb == "roll_back" or move.share == 1):
            counts.forget(self._home, it.id)
        if wrote and move.verb != "hold":
            log.warning("roll-out %s of %r: %s: %s", it.id, it.policy, move.verb.replace("_", " "), move.reason.text)

    def _counted(self, trial: Trial, plan: Plan, now_ms: int) -> list[Tally]:
        """The tallies of all ledgers, this one's brought up to now."""
        it = trial.proposal
        with arms(self._ledger) as ledger, counts.turn(self._home, it.id, self._key) as turn:
            if turn.body is None:
                rows, judgements = ledger.before(it.begun_ms - SLACK_MS)
                tally = Tally(step=it.step, rows=rows, judgements=judgements)
            else:
                tally = msgspec.json.decode(turn.body, type=Tally)
            tally = _measured(tally.at(plan, it.step), ledger, trial, plan)
            tally = _read(tally, ledger, turn, trial, plan, now_ms)
            turn.body = msgspec.json.encode(tally).decode()
            return [tally, *(msgspec.json.decode(body, type=Tally) for body in turn.others())]


def _measured(tally: Tally, ledger: Arms, trial: Trial, plan: Plan) -> Tally:
    """With a scale, and tenants' own means, as soon as there is enough to take them from."""
    known = tally.scale is not None
    if not known:
        usual = ledger.usual(trial.incumbent)
        tally = msgspec.structs.replace(tally, scale=Scale.of(usual.costs, usual.times))
    if plan.unit == "tenant" and (tally.own is None or (tally.scale is not None and not known)):
        tally = msgspec.structs.replace(tally, own=_own(tally, ledger, trial.proposal))
    return tally


def _own(tally: Tally, ledger: Arms, it: Proposal) -> dict[str, dict[str, float]]:
    """Tenants' own means from before; what was taken already stays as it is."""
    scale = (tally.scale.cap, tally.scale.slow) if tally.scale else None
    means = ledger.means(it.policy, it.begun_ms, sorted(NO_ANSWER), scale)
    before = tally.own or {}
    return {
        tenant: {signal: mean for signal, (mean, n) in signals.items() if n >= OWN} | dict(before.get(tenant, {}))
        for tenant, signals in means.items()
    }


def _read(tally: Tally, ledger: Arms, turn: Turn, trial: Trial, plan: Plan, now_ms: int) -> Tally:
    """What is new in the ledger, outcome by outcome in the order it came."""
    canary = trial.variant("canary")
    variants = (canary, trial.variant("incumbent"))
    watches = {watch.signal: watch for watch in plan.watches}
    end, rows = ledger.rows(variants, tally.rows)
    for row in rows:
        ours = row.variant == canary
        tally = tally.saw(canary=ours)
        if row.mode != "routed" or not _counts(turn, plan, "requests", row):
            continue
        for signal, watch in watches.items():
            goodness = goodness_of(signal, row.outcome, row.cost_nano, row.total_ms, tally.scale)
            if signal != "quality" and goodness is not None:
                tally = tally.outcome(plan, watch, row.tenant, goodness, canary=ours)
    given, judged = ledger.judgements(variants, tally.judgements, now_ms)
    quality = watches.get("quality")
    for one in judged:
        if quality is not None and _counts(turn, plan, "quality", one):
            tally = tally.outcome(plan, quality, one.tenant, one.score, canary=one.variant == canary)
    return msgspec.structs.replace(tally, rows=end, judgements=given)


def _counts(turn: Turn, plan: Plan, signal: str, row: ArmRow | Judgement) -> bool:
    """Whether an outcome counts: of a session only the first does, for those after it depend on it."""
    return plan.unit != "session" or turn.first(signal, f"{row.tenant}\0{row.session or row.id}")


def _plain(reading: Reading) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in msgspec.structs.asdict(reading).items()
    }
