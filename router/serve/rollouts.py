"""Policy versions in a running gateway: what the registry's log says is live or on trial, and who is in which arm.

``Registry.look`` reads files and may take tens of milliseconds, so a running gateway calls it off its event loop and
hands what came of it to ``Cell.reload``. What cannot be read keeps what is running and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from policies.policy import Policy
from router.core.rollout import Unit, place_of
from router.registry import proposals, versions
from router.registry.proposals import Proposal, Standing
from router.registry.salt import SaltError, explore_salt
from router.registry.trail import TrailError
from router.registry.versions import VersionError
from router.serve.accept import Order, under
from router.serve.fitting import Fits, Unfit
from router.serve.memory.sessions import session_name
from router.serve.places import stamp
from router.types import Reason

if TYPE_CHECKING:
    from router.core.wire import ChatRequest
    from router.serve.cell import Cell
    from router.serve.story import Story

log = logging.getLogger("stillhouse")
Arm = Literal["canary", "incumbent"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A version on trial here.

    Attributes:
        proposal: whose it is. policy: the version. incumbent: the hash of what it is compared with.
        key: the secret that places units.
    """

    proposal: Proposal
    policy: Policy
    incumbent: str
    key: bytes

    @property
    def unit(self) -> Unit:
        """What is kept together."""
        return "request" if self.proposal.plan is None else self.proposal.plan.unit

    def here(self, cell: str) -> bool:
        """Whether this cell takes part in the step on which it stands."""
        plan = self.proposal.plan
        return plan is None or plan.within(self.proposal.step, cell)

    def variant(self, arm: Arm) -> str:
        """The arm's name in the ledger."""
        return f"{arm}:{self.proposal.id}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a gateway has taken up from the registry, by the policy's name.

    Attributes:
        live: versions that are served to all.
        trials: versions that are approved (a share of 0) or rolling.
        faults: what could not be taken up, in words; notes: what a person should know.
    """

    live: Mapping[str, Policy] = field(default_factory=dict)
    trials: Mapping[str, Trial] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def policies(self) -> Iterator[Policy]:
        """All of them."""
        yield from self.live.values()
        yield from (trial.policy for trial in self.trials.values())


class Registry:
    """Remembers how the log looked, so that a version is loaded once."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._seen: tuple[object, ...] = ()
        self._loaded: dict[tuple[str, frozenset[str] | None], Policy] = {}

    def look(
        self, filed: Mapping[str, Policy], families: frozenset[str] | None, now: Taken, fits: Fits
    ) -> Taken | None:
        """What is to be served now; None where that is what is served.

        Who asks may fail to take it up, so a look counts only once what it found is there.

        Args:
            filed: the policies of the settings.
            families: those that the scorer knows.
            now: what is served; it stays where what should follow it is faulty.
            fits: what a version may name here.
        """
        seen = (stamp(proposals.log_path(self.home)), {name: p.hash for name, p in filed.items()}, families, fits)
        if seen == self._seen and not now.faults:
            return None
        try:
            standing = proposals.standing(self.home)
        except TrailError as error:
            return Taken(now.live, now.trials, (str(error),), now.notes)
        taken = self._taken(standing, filed, families, now, fits)
        if taken != now:
            return taken
        self._seen = seen
        return None

    def _taken(
        self, standing: Standing, filed: Mapping[str, Policy], families: frozenset[str] | None, now: Taken, fits: Fits
    ) -> Taken:
        live: dict[str, Policy] = {}
        trials: dict[str, Trial] = {}
        faults: list[str] = []
        notes: list[str] = []
        for name, policy in filed.items():
            it = standing.live(name)
            serving = policy
            if it is not None:
                try:
                    served = self._load(it.version, families)
                    fits.check(served)
                    serving = live[name] = served
                except (VersionError, Unfit) as error:
                    faults.append(f"{name}: the live version stays out: {error}")
                    if name in now.live:
                        serving = live[name] = now.live[name]
                else:
                    notes += self._edited(standing, it, policy, families)
            if (moving := standing.moving(name)) is not None:
                try:
                    trials[name] = self._trial(moving, serving.hash, families, fits)
                except (VersionError, SaltError, Unfit) as error:
                    faults.append(f"{name}: {moving.id} is not taken up: {error}")
        return Taken(live, trials, tuple(faults), tuple(notes))

    def _trial(self, it: Proposal, serving: str, families: frozenset[str] | None, fits: Fits) -> Trial:
        # A later program may name the same letters otherwise, so what is compared is what it makes of both.
        if serving != self._load(it.base, families).hash:
            raise VersionError(
                f"it shall replace {it.base[:12]}, and {serving[:12]} is served here. Serve that, or propose again"
            )
        policy = self._load(it.version, families)
        fits.check(policy)
        return Trial(it, policy, serving, explore_salt(self.home))

    def _edited(self, standing: Standing, it: Proposal, policy: Policy, families: frozenset[str] | None) -> list[str]:
        """Who edits a file that a live version stands over should learn why nothing happens."""
        first = standing.proposals[standing.lives[it.policy][0]]
        try:
            if policy.hash in (self._load(first.base, families).hash, self._load(it.version, families).hash):
                return []
        except VersionError:  # what the file was cannot be told any more
            return []
        words = f"{policy.source} was edited, but version {it.version[:12]} of {it.policy!r} is live and stays"
        return [f"{words}: propose the file, or roll back to it"]

    def _load(self, version: str, families: frozenset[str] | None) -> Policy:
        key = version, families
        if key not in self._loaded:
            self._loaded[key] = versions.read(self.home, version, families=families)
        return self._loaded[key]


# --- a request ---------------------------------------------------------------------------------------


def in_arm(cell: Cell, request: ChatRequest, wish: Order, story: Story) -> Order:
    """The order under the version that its arm is given; as it is where nothing is on trial.

    Raises:
        BadRequest: the caller marks what guards shall read, and the version on trial allows no such marks.
    """
    trial = cell.taken.trials.get(wish.policy.name)
    if trial is None or trial.proposal.state != "rolling" or wish.policy.hash != trial.incumbent:
        return wish
    if not trial.here(cell.name):
        return wish
    place = place_of(trial.key, trial.proposal.id, _unit(trial, request, wish, story))
    arm: Arm = "canary" if place < trial.proposal.share else "incumbent"
    story.variant = trial.variant(arm)
    if arm == "incumbent":
        return wish
    story.policy = trial.policy
    story.on_trial = Reason(
        id="canary", text=f"{trial.proposal.id} is on trial with {trial.proposal.share:.0%} of the {trial.unit}s."
    )
    return under(wish, trial.policy)


def _unit(trial: Trial, request: ChatRequest, wish: Order, story: Story) -> bytes:
    if trial.unit == "request":
        return story.id.encode()
    if trial.unit == "tenant":
        return story.tenant.encode("utf-8", "surrogatepass")
    return session_name(request, story.tenant, "", wish.session, trial.key)
