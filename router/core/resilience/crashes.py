"""Whose request killed the process? What several crashes say together, and how long a suspect has to wait.

For each tenant, weighed against chance: had the crashes nothing to do with it, it would have been inside with the share
of the time that it is inside anyway. So a crash with a tenant inside speaks against it by one over that share: by a lot
against one who comes once an hour and is there each time, by nothing against one who is there half of the time or more,
for such shares are not known well enough to be multiplied. Where the note says whose request was *at work*, not only
waiting, that share is much smaller and speaks louder. A crash of a process that knows the tenant, without it, speaks
for it. What speaks against several speaks less against each:

    chance(t) = weight(t) / (nobody + sum of all weights)        nobody = as many as there are tenants, at least ``FEW``

which is Bayes' rule where a crash is as likely to be a tenant's doing as not, and any tenant's as another's. A trace
leaves less to chance: of a fault in the process itself (a segmentation fault) nearly nothing, and where one request was
at work then, nearly nothing to those that only waited; of a process that was ended for want of memory a quarter. One
crash without a trace, which may be anybody's kill, makes nobody wait.

Laws, each kept by a property test:

- who was not inside at a crash is not made to wait because of it;
- who is inside half of the time or more is never suspected for being inside;
- of two who cannot be told apart neither is made to wait;
- the same crashes in any order of reading give the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Annotated, Final, Literal

from msgspec import Meta

from router.types import Frozen

SURE: Final = 0.95  # so likely before anybody is held
LIKELY: Final = 0.75  # and before anybody waits a few seconds, after a crash that left a trace
FEW: Final = 20
USUAL: Final = 0.5  # of the time; who is inside as much as this is simply there
WORKING, WAITING, DOUBT = 0.5, 0.45, 0.05
"""Where the cause of some crashes is at one: at work, inside and waiting, or away, for this one has another cause.
Together 1, so that a weight is 1 on average where a tenant has nothing to do with it (a martingale): however many
crashes without a trace are looked at, one after the other, anybody is held by chance in fewer than 1 in 19 such series
(Ville's inequality)."""
KEPT: Final = 64  # crashes, the latest

Trace = Literal["", "fault", "memory"]
_CHANCE: Final[Mapping[Trace, float]] = {"": 1.0, "memory": 0.25, "fault": DOUBT}

Positive = Annotated[float, Meta(gt=0)]


class Crash(Frozen, frozen=True, kw_only=True):
    """One unclean end of a process.

    Attributes:
        cell: its name. at: when it was found, seconds. born: when it had begun.
        inside: tenant -> the share of the time in which it is inside anyway, above 0.
        away: tenants that it knew and that were not inside.
        at_work: the tenant whose request was being worked on, if that is known; ``stretch``: the share of the time in
            which one of its requests is.
        trace: of a fault in the process itself, or of a process that was ended for want of memory.
    """

    cell: str
    at: float
    born: float = 0.0
    inside: Mapping[str, float] = {}
    away: tuple[str, ...] = ()
    at_work: str = ""
    stretch: float = 1.0
    trace: Trace = ""


class Waits(Frozen, frozen=True, kw_only=True):
    """How long a suspect waits.

    Attributes:
        first: seconds after a single crash: time for its home to come back, and no verdict.
        hold: after a second one; doubled for each further one, up to ``longest``.
        window: seconds; crashes further apart are not seen together.
    """

    first: Positive = 5.0
    hold: Positive = 60.0
    longest: Positive = 1800.0
    window: Positive = 3600.0


class Held(Frozen, frozen=True, kw_only=True):
    """A suspect.

    Attributes:
        until: seconds; then it is let in on trial. crashes: at how many it was inside. chance: that it is the one.
        since: when it was last suspected.
    """

    until: float
    crashes: int
    chance: float
    since: float


def chances(crashes: Sequence[Crash], lifted: Mapping[str, float] | None = None) -> dict[str, float]:
    """Tenant -> how likely it is that its requests are the cause.

    Args:
        crashes: in the window.
        lifted: tenant -> seconds; what happened until then is not held against it.
    """
    lifted = lifted or {}
    suspects = {name for crash in crashes for name in crash.inside if _counts(crash, name, lifted)}
    known = suspects.union(*(crash.away for crash in crashes))
    weights = {
        name: prod(_weight(crash, name) for crash in crashes if _counts(crash, name, lifted))
        for name in sorted(suspects)
    }
    # Once, not for each: faults that follow one another may well have one cause, and no tenant be it.
    nobody = max(len(known), FEW) * min((_CHANCE[crash.trace] for crash in crashes), default=1.0)
    total = nobody + sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def held(crashes: Iterable[Crash], waits: Waits, lifted: Mapping[str, float] | None = None) -> dict[str, Held]:
    """Tenant -> until when it waits, after all these crashes; those whose time is over are among them."""
    lifted = lifted or {}
    found: dict[str, Held] = {}
    times: dict[str, int] = {}  # holds in a row
    ordered = sorted(crashes, key=lambda crash: (crash.at, crash.cell, crash.born))[-KEPT:]
    for number, crash in enumerate(ordered, 1):
        seen = [each for each in ordered[:number] if crash.at - each.at <= waits.window]
        for name, chance in chances(seen, lifted).items():
            if name not in crash.inside or not _counts(crash, name, lifted):
                continue
            inside = sum(name in each.inside and _counts(each, name, lifted) for each in seen)
            if inside > 1 and chance >= SURE:
                before = found.get(name)
                if before is not None and crash.at - before.since > waits.window:
                    times.pop(name, None)
                length = min(waits.longest, waits.hold * 2 ** times.get(name, 0))
                times[name] = times.get(name, 0) + 1
            elif crash.trace and chance >= LIKELY:
                length = waits.first
            else:
                continue
            until = max(crash.at + length, found[name].until if name in found else 0.0)
            found[name] = Held(until=until, crashes=inside, chance=chance, since=crash.at)
    return found


def _counts(crash: Crash, name: str, lifted: Mapping[str, float]) -> bool:
    return crash.at > lifted.get(name, float("-inf"))


def _weight(crash: Crash, name: str) -> float:
    """How much likelier the crash is with this tenant as the cause than by chance."""
    if name == crash.at_work:
        return WORKING / crash.stretch
    if name in crash.inside:
        share = crash.inside[name]
        weight = WAITING / share if share < USUAL else WAITING
        return weight * DOUBT if crash.trace == "fault" and crash.at_work else weight
    return DOUBT if name in crash.away else 1.0
