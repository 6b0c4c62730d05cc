"""A roll-out as a pure state machine: how far it is and what was seen go in, the next move and why come out.

The order of questions: is the canary worse by any signal (then back, at once); is there a signal that says nothing
(then nobody moves: a check that did not run is no pass); is it shown on this step that it is not worse than may be
(then up). Nothing here counts, waits or draws: evidence comes from ``router.core.stats.sequential``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from router.types import Frozen, Reason

Unit = Literal["request", "session", "tenant"]
Signal = Literal["quality", "errors", "blocked", "cost", "latency"]
Verb = Literal["hold", "step_up", "roll_back"]

BAND_ALPHA: Final = 0.05
"""Of the intervals that people read; no move depends on them."""

Cells = tuple[tuple[str, ...], ...]
Positive = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class Watch(Frozen, frozen=True, kw_only=True):
    """What is asked of one signal.

    Attributes:
        alpha: the chance of a false roll-back by this signal, over the whole roll-out.
        allowed: by how much the canary may be worse before that counts against it. A share of 1 for quality, errors,
            blocked and latency (slow answers); for cost a share of the incumbent's mean.
        margin: a step up needs it shown that the canary is not worse by so much; None asks for outcomes only.
    """

    signal: Signal
    alpha: Positive
    allowed: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    margin: Positive | None = None


WATCHES: Final[tuple[Watch, ...]] = (
    Watch(signal="quality", alpha=0.005, margin=0.03),
    Watch(signal="errors", alpha=0.002, margin=0.02),
    Watch(signal="blocked", alpha=0.001, allowed=0.01),
    Watch(signal="cost", alpha=0.001, allowed=0.10),
    Watch(signal="latency", alpha=0.001, allowed=0.05),
)
"""Together a false roll-back has a chance of at most 1 %; half of it is quality's, which is the hardest to see."""


class Plan(Frozen, frozen=True, kw_only=True):
    """How a version is rolled out. Written by the one who approves; it never changes.

    Attributes:
        steps: shares of the traffic, growing; the last is 1, where nothing is left to compare: it is live.
        unit: what is kept together: a request, a session, or a tenant.
        min_requests: outcomes of each signal that a step needs from the canary, at least.
        watches: the signals that are watched; one that is missing here was waived by the one who approved.
        cells: for each of the first steps, the cells that take part in it; from then on all do. Elsewhere the
            incumbent serves, and nothing is compared. So a version that breaks its process breaks that cell's.
        step_alpha: the chance that a step up is allowed though the canary is worse by the margin.
    """

    steps: tuple[Annotated[float, msgspec.Meta(gt=0, le=1)], ...] = (0.05, 0.25, 1.0)
    unit: Unit = "session"
    min_requests: Annotated[int, msgspec.Meta(ge=1)] = 500
    watches: tuple[Watch, ...] = WATCHES
    step_alpha: Positive = 0.05
    cells: Cells = ()

    def within(self, step: int, cell: str) -> bool:
        """Whether a cell takes part in a step."""
        return step >= len(self.cells) or cell in self.cells[step]

    def problems(self) -> list[str]:
        """What is wrong with it, in words."""
        found = []
        if not self.steps or self.steps[-1] != 1:
            found.append("the last step must be 100 %")
        if not all(self._grows(at) for at in range(1, len(self.steps))):
            found.append("steps must grow: a larger share, or the same one in more cells")
        if len(self.cells) >= len(self.steps):
            found.append("the last step must be in all cells")
        names = [watch.signal for watch in self.watches]
        if len(set(names)) != len(names):
            found.append("a signal is watched twice")
        return found

    def _grows(self, at: int) -> bool:
        """Whether a step takes in more than the one before it, and loses none of what that had."""
        before, now = (set(self.cells[i]) if i < len(self.cells) else None for i in (at - 1, at))
        if now is not None and (before is None or not before <= now):
            return False
        wider = before is not None and before != now
        return self.steps[at] > self.steps[at - 1] or (wider and self.steps[at] == self.steps[at - 1])


def cell_by_cell(steps: tuple[float, ...], first: tuple[str, ...]) -> tuple[tuple[float, ...], Cells]:
    """The steps with ``first`` going ahead: what they take before the last step, they take alone; then all do.

    Returns:
        Steps and cells of a ``Plan``; the last share below 1 stands twice, for it is repeated in all cells.
    """
    if not first or len(steps) < 2:
        return steps, ()
    return (*steps[:-1], steps[-2], steps[-1]), (first,) * (len(steps) - 1)


class Reading(Frozen, frozen=True, kw_only=True):
    """What a signal has said.

    Attributes:
        canary, incumbent: outcomes on this step.
        harm: log-evidence, over all steps, that the canary is worse than allowed.
        safe: log-evidence, on this step, that it is not worse by the margin.
        difference: mean goodness of the canary less the incumbent's, over all steps, for cost as a share of the
            incumbent's mean; low, high: its running interval.
    """

    canary: int = 0
    incumbent: int = 0
    harm: float = 0.0
    safe: float = 0.0
    difference: float | None = None
    low: float = -1.0
    high: float = 1.0


class Move(Frozen, frozen=True, kw_only=True):
    """What to do, where that leads, and why. ``share`` is the canary's after it."""

    verb: Verb
    at: int
    share: float
    reason: Reason


def next_move(plan: Plan, at: int, readings: Mapping[Signal, Reading], requests: int) -> Move:
    """The next move of a roll-out that stands on step ``at`` (0 first).

    Args:
        plan: as approved.
        at: the step; the last one is live, and nothing moves by itself any more.
        readings: by signal; one that is missing has said nothing.
        requests: that the canary has served on this step.
    """
    share = plan.steps[at]
    if at == len(plan.steps) - 1:
        return Move(verb="hold", at=at, share=share, reason=_LIVE)
    read = [(watch, readings.get(watch.signal) or Reading()) for watch in plan.watches]
    for watch, reading in read:
        if reading.harm >= -math.log(watch.alpha):
            return Move(verb="roll_back", at=at, share=0.0, reason=_worse(watch, reading))
    if requests < plan.min_requests:
        words = f"The canary has served {requests} of the {plan.min_requests} requests that a step needs."
        return Move(verb="hold", at=at, share=share, reason=Reason(id="canary-too-few", text=words))
    for watch, reading in read:
        if (why := _lacking(plan, watch, reading, requests)) is not None:
            return Move(verb="hold", at=at, share=share, reason=why)
    if not read:
        return Move(verb="hold", at=at, share=share, reason=_UNWATCHED)
    words = f"No signal shows that the canary is worse, and all have spoken on the step of {share:.0%}."
    return Move(verb="step_up", at=at + 1, share=plan.steps[at + 1], reason=Reason(id="canary-as-good", text=words))


_LIVE: Final = Reason(id="canary-live", text="It serves all traffic; nothing is left to compare it with.")
_UNWATCHED: Final = Reason(id="canary-unwatched", text="No signal is watched, so a person has to take each step.")


def _lacking(plan: Plan, watch: Watch, reading: Reading, requests: int) -> Reason | None:
    """Why this signal does not let the roll-out step up; None where it does."""
    if not reading.canary or not reading.incumbent:
        side = "canary" if not reading.canary else "incumbent"
        words = f"There is no {watch.signal} signal of the {side} on this step, after {requests} requests of the canary"
        return Reason(id="canary-unseen", text=f"{words}: unchecked, so it stays.")
    if reading.canary < plan.min_requests:
        words = f"{reading.canary} of {plan.min_requests} outcomes that a step needs have a {watch.signal} signal."
        return Reason(id="canary-too-few", text=words)
    if watch.margin is not None and reading.safe < -math.log(plan.step_alpha):
        words = f"It is not shown yet that {watch.signal} is worse by less than {watch.margin:.1%}"
        return Reason(id="canary-unproven", text=f"{words} ({_seen(reading)}).")
    return None


def _worse(watch: Watch, reading: Reading) -> Reason:
    beyond = f" by more than {watch.allowed:.1%}" if watch.allowed else ""
    words = f"{watch.signal} is worse{beyond}: {_seen(reading)}, evidence 1 : {math.exp(min(reading.harm, 50)):.0f}"
    return Reason(id="canary-worse", text=f"{words}, and 1 : {1 / watch.alpha:.0f} was the limit.")


def _seen(reading: Reading) -> str:
    if reading.difference is None:
        return "nothing compared"
    # The interval is wider than the test; while it spans half of everything it would only puzzle.
    told = reading.high - reading.low <= 0.5
    band = f" (95 % {reading.low * 100:+.2f} to {reading.high * 100:+.2f})" if told else ""
    counts = f"{reading.canary} outcomes against {reading.incumbent} on this step"
    return f"{reading.difference * 100:+.2f} points{band}, {counts}"


# --- who is in ---------------------------------------------------------------------------------------


def place_of(key: bytes, rollout: str, unit: bytes) -> float:
    """Where a unit stands in [0, 1): a keyed hash, so that nobody can choose it and every gateway agrees.

    A unit is the canary's while this is below the share: who is in at 5 % is in at 25 %.
    """
    name = rollout.encode() + b"\0" + unit
    digest = hashlib.blake2b(name, key=key[:32], digest_size=8, person=b"rollout").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
