"""One cell: everything a running gateway holds, built in one call, shared with nobody.

No module-level state: a test builds a cell in one line, and two cells in one process do not know each
other. What changes while running (the scorer, policies, keys, the operator's pin) is replaced whole,
never edited, so a request sees one state from beginning to end.
"""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from policies.mistakes import Mistakes
from policies.policy import Policy
from router.core.decide import Fleet
from router.core.explore import Lot, lot_of
from router.core.models import usable
from router.errors import Overloaded
from router.ledger.captures import Captures
from router.ledger.db import LedgerError
from router.ledger.writer import Ledger
from router.postgres import PostgresError
from router.registry.home import home
from router.registry.keys import KeyStore
from router.registry.prices import PriceBook
from router.registry.references import reference_prices
from router.registry.salt import SaltError, prompt_salt
from router.registry.shared import MARK, Shared
from router.serve.capturing import open_captures, salt_where_captured
from router.serve.filed import PolicySet, calibration_of, families_of, read_policies, salt_for, unfit
from router.serve.fitting import Fits, Unfit, wearing
from router.serve.guards.prover import Prover
from router.serve.guards.verdicts import Verdicts
from router.serve.http.bodies import Bodies
from router.serve.limits.owners import Limits, open_limits
from router.serve.limits.quarantine import Quarantine
from router.serve.limits.shield import Shield
from router.serve.memory.kept import Answers
from router.serve.memory.scores import Scores
from router.serve.memory.sessions import Sessions
from router.serve.metrics import Metrics
from router.serve.places import keys_path, ledger_place, pin_path, read_pin, stamp
from router.serve.rollouts import Registry, Taken
from router.serve.scoring import Fresh, Watch, open_scorer
from router.serve.settings import LOOPBACK, Settings, deployments_of, dsn_of
from router.serve.students import Arrivals, Students
from router.serve.upstreams import open_upstream
from router.types import TIER_NAMES, Deployment, Price, TierName
from router.upstream.base import Upstream
from router.upstream.transport import AiohttpTransport, Transport

if TYPE_CHECKING:
    from router.core.checks import Calibration
    from router.score import Scorer
    from router.serve.story import Story

log = logging.getLogger("stillhouse")


@dataclass(slots=True)
class Cell:
    """The running state of one gateway process.

    ``clock`` is monotonic seconds, ``now_ms`` the wall clock, ``draw`` uniform in [0, 1): arguments
    here, so that a test or a simulation brings its own. ``filed`` are the policies of the settings, ``taken`` what
    the registry has live or on trial; ``policies`` is what is served: the first, with what is live over them.
    """

    settings: Settings
    book: PriceBook
    deployments: tuple[Deployment, ...]
    upstreams: Mapping[str, Upstream]
    policies: Mapping[str, Policy]
    default_policy: str
    scorer: Scorer | None
    calibration: Calibration | None
    keys: KeyStore
    keys_on: bool
    ledger: Ledger
    captures: Captures
    transport: Transport
    clock: Callable[[], float] = time.perf_counter
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    draw: Callable[[], float] = random.random
    metrics: Metrics = field(default_factory=Metrics)
    limits: Limits | None = None
    quarantine: Quarantine | None = None
    pin: TierName | None = None
    draining: bool = False
    active: int = 0
    bodies: Bodies = field(init=False)
    shield: Shield = field(init=False)
    blind: set[str] = field(default_factory=set)  # deployments that were seen to give no log-probabilities
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    watch: Watch = field(default_factory=Watch)
    filed: Mapping[str, Policy] = field(default_factory=dict)
    registry: Registry = field(default_factory=lambda: Registry(home()))
    shared: Shared | None = None
    _away: str = ""
    taken: Taken = field(default_factory=Taken)
    students: Students | None = None
    _left_out: tuple[str, ...] = ()
    prover: Prover = field(default_factory=Prover)
    _refused: Scorer | None = None
    explore_salt: bytes = b""
    prompt_salt: bytes | None = None
    capture_salt: bytes = b""
    sessions: Sessions = field(default_factory=Sessions)
    verdicts: Verdicts = field(default_factory=lambda: Verdicts(secrets.token_bytes(16)))
    scores: Scores = field(default_factory=lambda: Scores(secrets.token_bytes(16)))
    answers: Answers = field(init=False)
    _fleets: dict[str, Fleet] = field(default_factory=dict)
    _stamps: dict[str, tuple[tuple[str, int, int], ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The cell's name in the ledger."""
        return self.settings.server.cell

    def deployment(self, name: str) -> Deployment | None:
        """By its own name, or by its model's."""
        for d in self.deployments:
            if name in (d.name, d.model):
                return d
        return None

    def fleet(self, policy: Policy, resting: frozenset[str] = frozenset()) -> Fleet:
        """What a decision under ``policy`` may choose from. Made once a policy, pin and configuration.

        ``resting`` are the deployments that are left alone after failures.
        """
        fleet = self._fleets.get(policy.hash)
        if fleet is None:
            there = usable(policy.body, self.deployments)
            fleet = self._fleets[policy.hash] = Fleet(there, self.prices_for(policy), self.pin)
        return replace(fleet, resting=resting) if resting else fleet

    def prices_for(self, policy: Policy) -> Mapping[str, Price]:
        """Tier -> the deployment's price where it is known, else the family's reference price."""
        prices = dict(reference_prices(policy.body.family))
        for d in reversed(usable(policy.body, self.deployments)):
            if d.price.input is not None and d.price.output is not None:
                prices[d.tier] = d.price
        return prices

    def lot(self, policy: Policy, request_id: str) -> Lot | None:
        """The lot by which a request may explore; None where the policy does not."""
        return None if policy.body.explore is None else lot_of(self.explore_salt, policy.hash, request_id)

    def prompt_hash(self, tenant: str, ask: str) -> str | None:
        """By what a repeat of this ask by this tenant is known; None where the settings keep nothing of prompts."""
        if self.prompt_salt is None:
            return None
        said = f"{tenant}\0{ask}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, key=self.prompt_salt, digest_size=16).hexdigest()

    def told(self, request_id: str) -> dict[str, object] | None:
        """The record of a request, None where there is none. Waits for the ledger: call it off the event loop.

        Raises:
            Overloaded: the ledger cannot be read now.
        """
        if not (request_id.isascii() and request_id.isprintable()):
            return None  # no request bears such a name, and not every store could look for it
        try:
            return self.ledger.get(request_id)
        except (LedgerError, sqlite3.Error, OSError):
            raise Overloaded("The ledger cannot be read now; try again.", retry_after="1") from None

    def share_draw(self, story: Story) -> float:
        """In [0, 1), the same for one session: which generation of a tier serves it."""
        digest = hashlib.blake2b((story.session or story.id).encode(), key=self.salt, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    # --- what may change while running

    def __post_init__(self) -> None:
        self.filed = self.filed or self.policies
        server = self.settings.server
        self.bodies = Bodies(server.max_held_mb, server.tenant_share if self.keys_on else 1.0)
        self.shield = Shield(self.settings, self.draw, keys_on=self.keys_on)
        keeping = self.settings.responses
        seconds = keeping.keep_minutes * 60
        self.answers = Answers(int(keeping.keep_mb * 2**20), seconds, lambda: self.clock())  # noqa: PLW0108  (a test may turn it)

    def look(self) -> Looked:
        """Look for another scorer, candidates, and what the registry says. Reads files: call it off the event loop."""
        if self.shared is not None:
            self._look_at_shared(self.shared)
        fresh = self.watch.look()
        arrivals = None if self.students is None else self.students.look()
        fits = replace(self.fits(), deployments=self.deployments if arrivals is None else arrivals.deployments)
        return Looked(fresh, self.registry.look(self.filed, self.families(), self.taken, fits), arrivals)

    def _look_at_shared(self, shared: Shared) -> None:
        """Bring the home folder up to date; while the server is away, what lies there is served on."""
        try:
            shared.look() if (shared.home / MARK).exists() else shared.join()
        except (PostgresError, OSError) as error:
            if str(error) != self._away:
                log.error("the shared registry cannot be read; the last state of it is served on: %s", error)
            self._away = str(error)
        else:
            if self._away:
                log.warning("the shared registry is back")
            self._away = ""

    def reload(self, found: Looked | None = None) -> None:
        """Take up a changed scorer, policies, keys and the pin. What is bad keeps what is running and says so.

        Args:
            found: what ``look`` brought, where it was asked elsewhere; None looks here.
        """
        found = self.look() if found is None else found
        if found.arrivals is not None:
            self.take_candidates(found.arrivals)
        self._reload_scorer_and_policies(found.fresh)
        if found.taken is not None:
            self._reload_registry(found.taken)
        self._reload_keys()
        self._reload_pin()

    def _changed(self, name: str, *paths: Path) -> bool:
        """Whether any of the files differs from the last look."""
        stamps = tuple((str(path), *stamp(path)) for path in paths)
        if self._stamps.get(name) == stamps:
            return False
        first = name not in self._stamps
        self._stamps[name] = stamps
        return not first

    def take_candidates(self, now: Arrivals) -> None:
        """Take up what the machine's list of candidates says; what the settings name stays as it is."""
        for fault in now.faults:
            if fault not in self._left_out:
                self.metrics.reloads.add(1, "refused")
                log.error("%s", fault)
        self._left_out = now.faults
        if now.deployments == self.deployments:
            return
        self.deployments = now.deployments
        self.upstreams = {**self.upstreams, **now.upstreams}
        self._fleets = {}
        self.metrics.reloads.add(1, "taken")
        log.info("candidates: %s", ", ".join(d.name for d in now.deployments if d.candidate) or "none")

    def _reload_scorer_and_policies(self, fresh: Fresh) -> None:
        """Together, because a policy may name a family that only one scorer knows."""
        edited = self._changed("policies", *(path for policy in self.filed.values() for path in policy.files))
        if fresh.fault:
            self.metrics.reloads.add(1, "refused")
            log.error("another scorer was chosen but not taken up; the running one stays: %s", fresh.fault)
        scorer = fresh.scorer or (self._refused if edited else None)
        if scorer is not None and self._swap(scorer):
            return
        if edited:
            self._reload_policies()

    def _swap(self, scorer: Scorer) -> bool:
        """Take up a scorer, and the policies as their files now are; neither, when it lacks a family they name."""
        families, fits = families_of(scorer), replace(self.fits(), artefact=scorer.digest)
        found: PolicySet | None = None
        fault: Exception | None = None
        try:
            found = read_policies(self.settings, families, fits)
        except (Mistakes, SaltError, ValueError) as error:
            fault = error
        needing = [*self.taken.policies(), *(() if found else self.filed.values())]
        lost = [f"{p.name!r} names {p.body.family!r}" for p in needing if p.body.family not in families]
        lost = lost or list(unfit(fits, needing))
        if lost:
            self._refused = scorer
            self.metrics.reloads.add(1, "refused")
            log.error(
                "scorer %s was chosen but not taken up; the running one stays: it has no profile of a family, or of "
                "the models, that a policy needs (%s)", scorer.digest[:12], ", ".join(lost),
            )  # fmt: skip
            return False
        if found is None:
            log.error("the policies as edited do not fit; the running ones stay:\n%s", fault)
            found = PolicySet(self.filed, self.default_policy, self.explore_salt)
        self.scorer, self._refused = scorer, None
        self._lay(found)
        self.metrics.reloads.add(1, "taken")
        log.info("scorer %s is in use", scorer.digest[:12])
        return True

    def _reload_policies(self) -> None:
        try:
            found = read_policies(self.settings, self.families(), self.fits())
        except (Mistakes, SaltError, ValueError) as fault:
            self.metrics.reloads.add(1, "refused")
            log.error("a policy was edited but not taken up; the running ones stay:\n%s", fault)
            return
        before = {name: p.hash for name, p in self.filed.items()}
        if {name: p.hash for name, p in found.policies.items()} != before:
            self._lay(found)
            self.metrics.reloads.add(1, "taken")
            log.info("policies reloaded: %s", ", ".join(f"{p.name}@{p.hash[:12]}" for p in self.policies.values()))

    def _lay(self, found: PolicySet) -> None:
        """Serve the policies of the settings, with what is live in the registry over them."""
        self.filed, self.default_policy = found.policies, found.default
        self.policies = {name: self.taken.live.get(name, policy) for name, policy in self.filed.items()}
        exploring = {policy.hash: policy for policy in (*self.policies.values(), *self.taken.policies())}
        self.explore_salt = found.salt or salt_for(exploring)
        self.capture_salt = salt_where_captured(exploring)
        if self.scorer is not None:
            self.scorer = wearing(self.scorer, exploring.values(), self.registry.home)
        self._fleets = {}

    def _reload_registry(self, taken: Taken) -> None:
        """Take up what the registry says is live or on trial."""
        before, self.taken = self.taken, taken
        for fault in taken.faults:
            if fault not in before.faults:
                self.metrics.reloads.add(1, "refused")
                log.error("the registry was not taken up; what is running stays: %s", fault)
        for note in taken.notes:
            if note not in before.notes:
                log.warning("%s", note)
        try:
            self._lay(PolicySet(self.filed, self.default_policy, self.explore_salt))
        except (SaltError, Unfit) as fault:
            if str(fault) not in before.faults:
                log.error("the registry was not taken up; what is running stays: %s", fault)
            self.taken = replace(before, faults=(*taken.faults, str(fault)))
            return
        if (serving := _served(taken)) != _served(before):
            self.metrics.reloads.add(1, "taken")
            log.warning("policy versions in use: %s", serving or "none")

    def _reload_keys(self) -> None:
        path = keys_path(self.settings)
        if not self._changed("keys", path):
            return
        try:
            self.keys = KeyStore.load(path)
            if self.limits is None:  # the first key with a limit
                self.limits = open_limits(self.settings, self.keys, self.clock, self.now_ms, self.metrics)
            self.metrics.reloads.add(1, "taken")
        except (ValueError, OSError) as error:
            self.metrics.reloads.add(1, "refused")
            log.error("the key file was edited but not taken up; the running keys stay: %s", error)

    def _reload_pin(self) -> None:
        if self._changed("pin", pin_path()):
            self.pin = read_pin()
            self._fleets = {}
            log.warning("all traffic is pinned to %s", self.pin) if self.pin else log.warning("the pin is removed")

    def fits(self) -> Fits:
        """What a policy may name here."""
        return Fits(self.deployments, None if self.scorer is None else self.scorer.digest, self.registry.home)

    def families(self) -> frozenset[str] | None:
        """The families that the scorer knows; None where there is no scorer to ask."""
        return None if self.scorer is None else families_of(self.scorer)

    async def close(self) -> None:
        """Release the solver, models, connections and the ledger, in that order."""
        if self.limits is not None:
            await self.limits.limiter.close()
        await self.prover.close()
        for upstream in self.upstreams.values():
            await upstream.close()
        await self.transport.close()
        if self.quarantine is not None:
            self.quarantine.close()
            self.quarantine = None
        self.ledger.close()
        if self.shared is not None:
            self.shared.close()
        self.captures.close()


# --- building ----------------------------------------------------------------------------------------


def open_cell(settings: Settings, *, transport: Transport | None = None, ledger: Path | None = None) -> Cell:
    """Build a cell from settings.

    Raises:
        ValueError: a secret is missing, a policy is wrong, keys are off on an open address.
    """
    host = settings.server.host
    keys = settings.server.keys
    if keys == "off" and host not in LOOPBACK:
        raise ValueError(f"keys may be off only on a loopback address, and this server listens on {host}")
    shared = open_shared(settings)
    book = PriceBook.load()
    wire = transport or AiohttpTransport()
    watch = Watch(settings.scorer, settings.server.cell)
    scorer = open_scorer(watch)
    place = ledger or ledger_place(settings)
    captures = open_captures(settings, place)
    students = Students(home(), settings, book, lambda name, grown: open_upstream(name, grown, wire))
    arrivals = students.look() or Arrivals(deployments_of(settings, book), {})
    fits = Fits(arrivals.deployments, None if scorer is None else scorer.digest, home())
    found = read_policies(settings, None if scorer is None else families_of(scorer), fits)
    if scorer is not None:
        scorer = wearing(scorer, found.policies.values(), home())
    if salt := salt_where_captured(found.policies):
        captures.check()
    cell = Cell(
        settings=settings,
        book=book,
        deployments=arrivals.deployments,
        upstreams={name: open_upstream(name, settings, wire) for name in settings.upstreams} | dict(arrivals.upstreams),
        students=students,
        policies=found.policies,
        default_policy=found.default,
        scorer=scorer,
        calibration=calibration_of(found.policies),
        keys=KeyStore.load(keys_path(settings)),
        keys_on=keys == "required" or (keys == "auto" and host not in LOOPBACK),
        ledger=Ledger(place),
        shared=shared,
        captures=captures,
        transport=wire,
        pin=read_pin(),
        watch=watch,
        explore_salt=found.salt,
        prompt_salt=_prompt_salt() if settings.places else None,
        capture_salt=salt,
    )
    cell.limits = open_limits(settings, cell.keys, cell.clock, cell.now_ms, cell.metrics)
    if settings.quarantine.when == "always" and cell.keys_on:  # without keys all callers are one tenant
        cell.quarantine = Quarantine(home() / "quarantine", settings.server.cell, settings.quarantine.waits())
    cell.take_candidates(arrivals)
    cell.reload()
    return cell


def _prompt_salt() -> bytes:
    """The kept salt; one for this process where it cannot be kept, said aloud."""
    try:
        return prompt_salt(home())
    except (SaltError, OSError) as error:
        log.error("%s. Until then repeated prompts are known to this process only.", error)
        return secrets.token_bytes(32)


class Looked(NamedTuple):
    """What a look brought: another scorer, what the registry says, other candidates; None where nothing changed."""

    fresh: Fresh
    taken: Taken | None
    arrivals: Arrivals | None


def _served(taken: Taken) -> str:
    """In words, for the log."""
    live = [f"{name}@{policy.hash[:12]} live" for name, policy in taken.live.items()]
    trials = [f"{name}: {t.proposal.id} with {t.proposal.share:.0%}" for name, t in taken.trials.items()]
    return ", ".join([*live, *trials])


def open_shared(settings: Settings) -> Shared | None:
    """The registry that is shared with other gateways, joined; None where the home folder is all there is.

    A server that is away does not stop the start: the home folder holds the last state that was seen.

    Raises:
        ValueError: the secret that names it is not there, or server and home both have a registry.
    """
    dsn = None if settings.registry is None else dsn_of(settings.registry)
    if dsn is None:
        return None
    shared = Shared(dsn, home())
    try:
        shared.join()
    except PostgresError as error:
        if not error.away:
            raise ValueError(f"registry: {error}") from None
        log.error("the shared registry cannot be read; the last state of it is served: %s", error)
    return shared


def served_by(cell: Cell) -> dict[TierName, Deployment | None]:
    """Tier -> the deployment a plain prompt wanting it would reach under the default policy."""
    policy = cell.policies[cell.default_policy]
    there = {d.tier: d for d in reversed(usable(policy.body, cell.deployments))}
    out: dict[TierName, Deployment | None] = {}
    for i, tier in enumerate(TIER_NAMES):
        up = [there[t] for t in TIER_NAMES[i:] if t in there]
        down = [there[t] for t in reversed(TIER_NAMES[:i]) if t in there] if policy.body.allow_degrade else []
        out[tier] = next(iter(up + down), None)
    return out
