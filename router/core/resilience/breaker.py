"""A breaker: it stops asking what fails, looks again with few calls, and forgets.

    closed    --failures in a row, a failing share of callers, limits in a row, silence-->  open
    open      --its pause is over-->  half-open: a call at a time is let through
    half-open --an answer begins-->  closed        half-open --it fails-->  open, the pause doubled

Laws, each kept by a property test:

- only what the server did counts. A refused request, a caller who left and a caller's own short deadline do not,
  unless he waited long in vain while nobody heard anything;
- **one caller cannot open it for others.** Callers vote in ``SLOTS`` slots. Failures in a row must come from two
  slots where two were active, and the failing share is the mean of the slots' shares, so a caller with ten times
  the load has one vote. Where only one calls, one is enough: a lone deployment trips too;
- whoever's look failed does not get the next one before others had a chance;
- where nobody is asking and nothing else could be asked, one call may look at any time (``alone``): a lone caller is
  told what the server says today, and a server that answers again is taken back at once;
- what a call begun before the breaker opened comes to later says nothing about the server now, save that an
  answer ends a suspicion of silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta

from router.core.resilience.silence import Silence
from router.types import Frozen

SLOTS = 16
QUIET = 0.005  # seconds between looks of those who are alone

State = Literal["closed", "open", "half_open"]
Cause = Literal["", "failures", "rate", "limited", "silence"]
Ending = Literal["ok", "failed", "limited", "refused", "gone"]
"""``failed``: the server's fault. ``limited``: its rate limit. ``refused``: it lives, and the request is at fault.
``gone``: nobody waited for the end, so it says nothing."""

Positive = Annotated[float, Meta(gt=0)]


class BreakerRules(Frozen, frozen=True, kw_only=True):
    """When a breaker opens, and for how long.

    Attributes:
        failures: in a row.
        rate: of the callers' calls within ``window``, where at least ``calls`` were made; must be exceeded.
        limits: answers in a row that say "too many requests".
        pause: seconds; doubled each time a look fails, up to ``longest``.
        silence: seconds without a sign of life before it can be held against the server; 0 looks for none.
    """

    failures: int = 5
    rate: float = 0.5
    calls: int = 20
    window: Positive = 10.0
    limits: int = 3
    pause: Positive = 2.0
    longest: Positive = 30.0
    silence: float = 1.5


class Call:
    """One call that was let through; given back to the breaker as it goes on.

    ``wake`` is called where it waits for a server that is given up as silent. ``alone``: it looks while the server
    rests.
    """

    __slots__ = ("alone", "began", "voter", "wake", "work")

    def __init__(self, began: float, voter: int, work: float, *, alone: bool = False) -> None:
        self.began, self.voter, self.work, self.alone = began, voter, work, alone
        self.wake: Callable[[], object] | None = None


class Breaker:
    """One server as one process sees it. ``voter`` is any number that stands for a caller.

    Attributes:
        cause: why it is open; empty while closed.
        opened: how often it has opened.
    """

    __slots__ = (
        "_before", "_blamed", "_dice", "_edge", "_limit_slots", "_limits", "_looked_at", "_looks", "_now", "_pause",
        "_quiet", "_rules", "_run", "_run_slots", "_silence", "_tripped", "_until", "_waiting", "cause", "opened",
    )  # fmt: skip

    def __init__(self, rules: BreakerRules = BreakerRules(), dice: Callable[[], float] = lambda: 0.5) -> None:  # noqa: B008  (frozen)
        self._rules = rules
        self._dice = dice
        self._silence = Silence(rules.silence) if rules.silence else None
        self._waiting: dict[Call, None] = {}
        self._now = [0] * (2 * SLOTS)  # calls, failures of each slot in this half of the window
        self._before = [0] * (2 * SLOTS)
        self._edge = float("-inf")
        self._run = self._run_slots = self._limits = self._limit_slots = 0
        self._tripped = self._until = self._looked_at = self._quiet = float("-inf")
        self._pause = rules.pause
        self._looks: dict[Call, None] = {}
        self._blamed: int | None = None
        self.cause: Cause = ""
        self.opened = 0

    # --- asking

    def state(self, now: float) -> State:
        """As it is shown."""
        if not self.cause:
            return "closed"
        return "open" if now < self._until else "half_open"

    def resting(self, now: float, voter: int = 0) -> bool:
        """Whether a call would be refused. Changes nothing, so that a decision can ask it."""
        if not self.cause:
            return False
        if now < self._until:
            return True
        looking = bool(self._looks) and now < self._looked_at + self._pause  # a lost look must not last for ever
        return looking or (voter % SLOTS == self._blamed and now < self._until + self._pause)

    def open_to_one(self, now: float) -> bool:
        """Whether a caller who has nobody else to ask may look although it rests. Changes nothing."""
        return self.cause != "silence" and not self._waiting and now >= self._quiet

    def retry_in(self, now: float) -> float:
        """Seconds until it looks again; for Retry-After."""
        return max(0.0, self._until - now) if self.cause else 0.0

    def begin(self, now: float, voter: int = 0, work: float = 1.0, *, alone: bool = False) -> Call | None:
        """Let a call through, or not. ``alone``: there is nobody else to ask."""
        self.look(now)
        rests = bool(self.cause) and self.resting(now, voter)
        if rests and not (alone and self.open_to_one(now)):
            return None
        call = Call(now, voter % SLOTS, work, alone=rests)
        self._waiting[call] = None
        if self.cause and not rests:
            self._looks[call] = None
            self._looked_at = now
        return call

    def look(self, now: float) -> None:
        """Open if the server has fallen silent, and give up a look that takes too long.

        Also asked by a clock, for no new call may come.
        """
        if self._silence is None or not self._waiting:
            return
        if self.cause:
            looks = tuple(self._looks)
            overdue = next((call for call in looks if now - call.began > self._silence.patience(call.work)), None)
            if overdue is not None:
                self._looked(overdue, "failed", now, 0.0)
                _wake(looks)
            return
        if self._silence.silent(now, ((call.began, call.work) for call in self._waiting)):
            self._open(now, "silence")
            _wake(tuple(self._waiting))

    # --- being told

    def answered(self, call: Call, now: float) -> None:
        """Its first byte is there."""
        if call not in self._waiting:
            return
        del self._waiting[call]
        if self._silence is not None:
            if self.cause == "silence" and call.began < self._tripped:
                self._silence.was_wrong(now - call.began)
            self._silence.heard(now, now - call.began, call.work)
        self._lives(call)

    def end(self, call: Call, ending: Ending, now: float, retry_after: float = 0.0) -> None:
        """It is over. ``retry_after``: seconds, where the server asked for them."""
        if ending == "ok":
            self.answered(call, now)
        waited = self._waiting.pop(call, call) is None
        if (
            ending == "gone"
            and waited
            and self._silence is not None
            and self._silence.hopeless(now, call.began, call.work)
        ):
            ending = "failed"  # he left because nothing came
        self._turn(now)
        if ending == "ok":
            self._run = self._run_slots = self._limits = self._limit_slots = 0
            self._now[2 * call.voter] += 1
        elif ending == "refused":
            if self._silence is not None:
                self._silence.alive(now)
            self._lives(call)
        elif call.began >= self._tripped:
            if call.alone and self.cause:
                self._quiet = now + QUIET  # it rests as before: who is alone says nothing of a storm
            elif self.cause:
                self._looked(call, ending, now, retry_after)
            else:
                self._count(call, ending, now, retry_after)

    def _count(self, call: Call, ending: Ending, now: float, retry_after: float) -> None:
        """A bad end while closed."""
        rules = self._rules
        if ending == "failed":
            self._now[2 * call.voter] += 1
            self._now[2 * call.voter + 1] += 1
            self._run += 1
            self._run_slots |= 1 << call.voter
            if self._run >= rules.failures and self._several(self._run_slots):
                self._open(now, "failures")
            elif self._failing():
                self._open(now, "rate")
        elif ending == "limited":
            self._limits += 1
            self._limit_slots |= 1 << call.voter
            if self._limits >= rules.limits and self._several(self._limit_slots):
                self._open(now, "limited", retry_after)

    def _several(self, slots: int) -> bool:
        """Whether more than one caller says so, where there is more than one."""
        active = slots
        for slot in range(SLOTS):
            if self._now[2 * slot] or self._before[2 * slot]:
                active |= 1 << slot
        return slots.bit_count() >= min(2, active.bit_count())

    def _failing(self) -> bool:
        """Whether the callers' mean share of failures is too high."""
        calls = [a + b for a, b in zip(self._now[::2], self._before[::2], strict=True)]
        if sum(calls) < self._rules.calls:
            return False
        failures = [a + b for a, b in zip(self._now[1::2], self._before[1::2], strict=True)]
        shares = [failed / made for failed, made in zip(failures, calls, strict=True) if made]
        return sum(shares) / len(shares) > self._rules.rate

    def _turn(self, now: float) -> None:
        """Let go of the older half of the window."""
        if now < self._edge:
            return
        half = self._rules.window / 2
        fresh = now < self._edge + half
        self._before = self._now if fresh else [0] * (2 * SLOTS)
        self._now = [0] * (2 * SLOTS)
        self._edge = now + half

    # --- opening and closing

    def _open(self, now: float, cause: Cause, retry_after: float = 0.0) -> None:
        pause = min(self._rules.longest, retry_after) if retry_after else self._pause * (0.75 + 0.5 * self._dice())
        self.cause = cause
        self.opened += 1
        self._tripped, self._until = now, now + pause
        self._run = self._run_slots = self._limits = self._limit_slots = 0
        self._looks = {}
        self._now, self._before = [0] * (2 * SLOTS), [0] * (2 * SLOTS)

    def _looked(self, call: Call, ending: Ending, now: float, retry_after: float) -> None:
        """A look came to nothing, or to a bad end."""
        self._looks.pop(call, None)
        if ending == "gone":
            return
        self._blamed = call.voter
        self._pause = min(self._rules.longest, 2 * self._pause)
        self._open(now, "limited" if ending == "limited" else self.cause, retry_after)

    def _lives(self, call: Call) -> None:
        """An answer began. It closes the breaker, unless it was asked for before it opened."""
        if self.cause and (call.began >= self._tripped or self.cause == "silence"):
            self.cause, self._blamed = "", None
            self._pause = self._rules.pause
            self._looks = {}


def _wake(calls: tuple[Call, ...]) -> None:
    for call in calls:
        if call.wake is not None:
            call.wake()
