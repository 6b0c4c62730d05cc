"""Proposals: a policy version, what was shown for it, who approved it, and how far its roll-out is.

Nothing but the log (``trail``) is stored: where everything stands is what its entries say, read in order. So a restart
loses nothing, two gateways agree, and the audit trail cannot differ from what is served.

    proposed -> approved -> rolling (a share of the traffic, growing) -> live -> superseded
        |           |            |                                        |
     rejected   rolled_back  rolled_back                              rolled_back (the one before is live again)

Only ``approve`` leads out of ``proposed`` to traffic, and it takes a person's name.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from router.core.rollout import Plan
from router.registry import trail, versions
from router.registry.trail import Draft, Entry
from router.types import Frozen

State = Literal["proposed", "approved", "rolling", "live", "superseded", "rolled_back", "rejected"]
Gate = Literal["passed", "refused", "none"]
FILE = "file"
"""What is served where no version is live: the file that the settings name."""

_LONGEST_NAME = 64
_GATE_YES = ("yes", "pass", "passed")


class ProposalError(ValueError):
    """What was asked cannot be done; the message says why and what can."""


class Proposal(Frozen, frozen=True, kw_only=True):
    """One proposal as it stands.

    Attributes:
        id: ``p-`` and 8 hex digits. policy: the name under which it is served.
        version: what is proposed. base: the version it shall replace.
        over: the version that was live when it was proposed; empty where the file was served.
        by, at_ms, why: who proposed it. evidence: SHA-256 of the bundle; empty without one.
        gate: what the gate said. plan: how it is rolled out, once approved.
        step: on which step it stands; -1 before the first. share: of the traffic it is given.
        step_ms: when that step began; begun_ms: when the first one did.
        approved_by: who. said: the last word about it, a reason's id and text.
    """

    id: str
    policy: str
    version: str
    base: str
    over: str = ""
    by: str
    at_ms: int
    why: str = ""
    evidence: str = ""
    gate: Gate = "none"
    state: State = "proposed"
    plan: Plan | None = None
    step: int = -1
    share: float = 0.0
    step_ms: int = 0
    begun_ms: int = 0
    approved_by: str = ""
    said: tuple[str, str] = ("", "")


class Standing(Frozen, frozen=True, kw_only=True):
    """Everything, as the log says.

    Attributes:
        proposals: by id, the oldest first. lives: policy -> ids that went live and were not rolled back, latest last.
        two_people: whether a proposer may not approve their own. head: the hash of the last entry.
    """

    proposals: Mapping[str, Proposal] = {}
    lives: Mapping[str, tuple[str, ...]] = {}
    two_people: bool = True
    head: str = trail.FIRST

    def live(self, policy: str) -> Proposal | None:
        """The proposal whose version is served to all; None where the file is."""
        ids = self.lives.get(policy)
        return self.proposals[ids[-1]] if ids else None

    def moving(self, policy: str) -> Proposal | None:
        """The one that is approved or rolling; at most one a policy."""
        moving = (p for p in self.proposals.values() if p.policy == policy and p.state in ("approved", "rolling"))
        return next(moving, None)

    def one(self, name: str) -> Proposal:
        """By id, or by how it begins.

        Raises:
            ProposalError: there is none, or several.
        """
        found = [p for p in self.proposals.values() if p.id.startswith(name)] if name else []
        if len(found) != 1:
            raise ProposalError(
                f"{'several proposals begin' if found else 'no proposal begins'} with {name!r}; "
                "'stillhouse policy status --all' shows them"
            )
        return found[0]


def log_path(home: Path) -> Path:
    """The log; what gateways watch."""
    return home / "registry" / "audit.jsonl"


def bundle_path(home: Path, digest: str) -> Path:
    """A kept evidence bundle or gate verdict."""
    return home / "registry" / "evidence" / f"{digest}.json"


def keep_bundle(home: Path, raw: bytes) -> str:
    """Keep JSON under its SHA-256, which is given back.

    Raises:
        ProposalError: it cannot be written.
    """
    digest = hashlib.sha256(raw).hexdigest()
    path = bundle_path(home, digest)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(raw)
    except OSError as error:
        raise ProposalError(f"{path}: {error.strerror or error}. Is STILLHOUSE_HOME writable?") from None
    return digest


def bundle(home: Path, digest: str) -> bytes:
    """A kept bundle's bytes.

    Raises:
        ProposalError: it is gone, or not as it was kept.
    """
    path = bundle_path(home, digest)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ProposalError(f"{path}: {error.strerror or error}. Restore it from a copy") from None
    if hashlib.sha256(raw).hexdigest() != digest:
        raise ProposalError(f"{path}: not as it was kept. Restore it from a copy")
    return raw


def standing(home: Path) -> Standing:
    """Read the log.

    Raises:
        TrailError: it was changed.
    """
    return replay(trail.read(log_path(home)))


# --- reading ------------------------------------------------------------------------------------------


def replay(entries: Sequence[Entry]) -> Standing:
    """What the entries say, in order. Pure."""
    proposals: dict[str, Proposal] = {}
    lives: dict[str, tuple[str, ...]] = {}
    two_people = True
    for entry in entries:
        if entry.kind == "rules":
            two_people = bool(entry.data["two_people"])
        elif entry.kind == "proposed":
            ids = lives.get(entry.data["policy"])
            proposals[entry.proposal] = _proposed(entry, proposals[ids[-1]].version if ids else "")
        else:
            before = proposals[entry.proposal]
            proposals[before.id] = after = _moved(before, entry)
            _relive(before, after, lives, proposals)
    return Standing(
        proposals=proposals, lives=lives, two_people=two_people, head=entries[-1].hash if entries else trail.FIRST
    )


def _proposed(entry: Entry, over: str) -> Proposal:
    data = {key: entry.data[key] for key in ("policy", "version", "base", "why", "evidence", "gate")}
    return msgspec.convert({**data, "id": entry.proposal, "over": over, "by": entry.by, "at_ms": entry.at_ms}, Proposal)


def _moved(now: Proposal, entry: Entry) -> Proposal:
    change: dict[str, Any] = {}
    data = entry.data
    match entry.kind:
        case "approved":
            change = {"state": "approved", "plan": msgspec.convert(data["plan"], Plan), "approved_by": entry.by}
        case "rejected":
            change = {"state": "rejected", "said": ("rejected", data["why"])}
        case "stepped":
            share = float(data["share"])
            change = {
                "state": "live" if share == 1 else "rolling", "step": int(data["step"]), "share": share,
                "step_ms": entry.at_ms, "begun_ms": now.begun_ms or entry.at_ms, "said": tuple(data["reason"]),
            }  # fmt: skip
        case "held":
            change = {"said": tuple(data["reason"])}
        case "rolled_back":
            change = {"state": "rolled_back", "share": 0.0, "said": tuple(data["reason"])}
    return msgspec.structs.replace(now, **change)


def _relive(before: Proposal, after: Proposal, lives: dict[str, tuple[str, ...]], all_: dict[str, Proposal]) -> None:
    """Keep the order of those that went live: one that is rolled back gives way to the one before it."""
    ids = lives.get(after.policy, ())
    if after.state == "live" != before.state:
        if ids:
            all_[ids[-1]] = msgspec.structs.replace(all_[ids[-1]], state="superseded")
        lives[after.policy] = (*ids, after.id)
    elif after.state == "rolled_back" and after.id in ids:
        lives[after.policy] = left = tuple(each for each in ids if each != after.id)
        if left:
            all_[left[-1]] = msgspec.structs.replace(all_[left[-1]], state="live", share=1.0)


# --- what people do ------------------------------------------------------------------------------------


def propose(
    home: Path, source: str | Path | Sequence[Path], *, by: str, now_ms: int, against: str | Path | None = None,
    why: str = "", evidence: bytes | None = None, gate: bytes | None = None,
) -> Proposal:  # fmt: skip
    """Put a policy forward. It changes nothing that is served.

    Args:
        home: the folder of this machine's registry.
        source: the proposed policy, or the files of its layers, the lowest floor first.
        by: who proposes.
        now_ms: the time.
        against: the policy in the settings that it shall replace; not needed where a version is live already.
        why: in a person's words.
        evidence: JSON, kept under its hash.
        gate: the same; its ``verdict`` counts.

    Raises:
        ProposalError, VersionError, Mistakes, TrailError: with words for people.
    """
    _person(by)
    policy = versions.keep(home, source)
    live = standing(home).live(policy.name)
    if live is not None:
        base, base_name = live.version, policy.name
    elif against is None:
        raise ProposalError(
            f"no version of {policy.name!r} is live yet, so say which file or preset it shall replace (--against)"
        )
    else:
        kept = versions.keep(home, against)
        base, base_name = kept.hash, kept.name
    if base_name != policy.name:
        raise ProposalError(
            f"the proposed policy is called {policy.name!r} and the one it shall replace {base_name!r}; callers know a "
            "policy by its name, so give both the same"
        )
    if base == policy.hash:
        raise ProposalError("the proposed policy decides exactly as the one it shall replace; there is nothing to do")
    data = {
        "policy": policy.name, "version": policy.hash, "base": base, "why": why,
        "evidence": _kept(home, _about(evidence, "evidence", policy.hash)),
        "gate": _gate(_about(gate, "gate's verdict", policy.hash)),
        "gate_bundle": _kept(home, gate),
    }  # fmt: skip
    return _write(home, now_ms, f"p-{secrets.token_hex(4)}", lambda _: Draft(by=by, kind="proposed", data=data))


def approve(home: Path, name: str, plan: Plan, *, by: str, why: str, now_ms: int, override: str = "") -> Proposal:
    """Let a proposal be rolled out. The only way to traffic.

    Raises:
        ProposalError: it is not waiting, its ground has moved, a second person is needed, or what speaks against it
            was not overridden.
    """
    _person(by)
    plan = _plan(plan)

    def decide(now: Standing) -> Draft:
        it = now.one(name)
        _require(it, "approved", "proposed")
        if now.two_people and same_person(by, it.by):
            raise ProposalError(
                f"{it.by} proposed it, and a second person has to approve (stillhouse policy rules --two-people off "
                "--by NAME --why TEXT lets one person do both)"
            )
        if (other := now.moving(it.policy)) is not None:
            raise ProposalError(f"{other.id} is being rolled out for {it.policy!r}; it has to end first")
        live = now.live(it.policy)
        serving = "" if live is None else live.version
        if serving != it.over or serving not in ("", it.base):
            where = serving[:12] or "the file in the settings"
            raise ProposalError(f"{it.policy!r} has moved to {where} since it was proposed; propose again")
        if it.gate == "refused" and not override:
            raise ProposalError("the gate refused it; --override REASON approves it all the same, on record")
        if not it.evidence and it.gate == "none" and not override:
            raise ProposalError("nothing was shown for it; --override REASON approves it all the same, on record")
        versions.read(home, it.version)
        data = {"why": why, "override": override, "plan": msgspec.to_builtins(plan)}
        return Draft(by=by, kind="approved", proposal=it.id, data=data)

    return _write(home, now_ms, name, decide)


def reject(home: Path, name: str, *, by: str, why: str, now_ms: int) -> Proposal:
    """Turn a proposal down.

    Raises:
        ProposalError: it is not waiting.
    """
    _person(by)

    def decide(now: Standing) -> Draft:
        it = now.one(name)
        _require(it, "rejected", "proposed")
        return Draft(by=by, kind="rejected", proposal=it.id, data={"why": why})

    return _write(home, now_ms, name, decide)


def step_by_hand(home: Path, name: str, *, by: str, why: str, now_ms: int) -> Proposal:
    """Take the next step on a person's word, where signals do not let the roll-out take it.

    Raises:
        ProposalError: it is not rolling.
    """
    _person(by)

    def decide(now: Standing) -> Draft:
        it = now.one(name)
        _require(it, "stepped up", "rolling")
        assert it.plan is not None
        share = it.plan.steps[it.step + 1]
        reason = ("canary-by-hand", f"{by} took the step to {share:.0%} without the test: {why}")
        data = {"step": it.step + 1, "share": share, "reason": reason, "why": why}
        return Draft(by=by, kind="stepped", proposal=it.id, data=data)

    return _write(home, now_ms, name, decide)


def roll_back(home: Path, name: str, *, by: str, why: str, now_ms: int) -> Proposal:
    """Take a version out of traffic at once; what was served before it is served again.

    Args:
        home: the folder of this machine's registry.
        name: a proposal, or a policy: then what is rolling for it, else what is live.
        by: who.
        why: for what reason.
        now_ms: the time.

    Raises:
        ProposalError: nothing of that name is in traffic.
    """
    _person(by)

    def decide(now: Standing) -> Draft:
        it = now.moving(name) or now.live(name)
        if it is None and any(p.policy == name for p in now.proposals.values()):
            raise ProposalError(
                f"no version of {name!r} is rolling or live; the file in the settings is served already"
            )
        it = it or now.one(name)
        _require(it, "rolled back", "approved", "rolling", "live")
        data = {"reason": ("rolled-back-by-hand", f"{by} rolled it back: {why}"), "why": why, "from": it.share}
        return Draft(by=by, kind="rolled_back", proposal=it.id, data=data)

    return _write(home, now_ms, name, decide)


def set_rules(home: Path, *, two_people: bool, by: str, why: str, now_ms: int) -> None:
    """Whether it takes a second person to approve; on record like everything else."""
    _person(by)
    data = {"two_people": two_people, "why": why}
    trail.append(log_path(home), now_ms, lambda _: Draft(by=by, kind="rules", data=data))


# --- what gateways do ----------------------------------------------------------------------------------


def moved(
    home: Path, it: Proposal, kind: Literal["stepped", "held", "rolled_back"], data: Mapping[str, Any], *,
    by: str, now_ms: int,
) -> bool:  # fmt: skip
    """Write what a gateway's test found; False where the proposal is no longer as the gateway saw it.

    Of two gateways that find the same, the first one writes.
    """

    def decide(entries: Sequence[Entry]) -> Draft | None:
        now = replay(entries).proposals.get(it.id)
        if now is None or (now.state, now.step, now.said[0]) != (it.state, it.step, it.said[0]):
            return None
        return Draft(by=by, kind=kind, proposal=it.id, data=data)

    return trail.append(log_path(home), now_ms, decide) is not None


# --- helpers -------------------------------------------------------------------------------------------


def same_person(one: str, other: str) -> bool:
    """Names are compared without case, space and ways to write a letter: a slip must not pass for a second person."""
    return _compared(one) == _compared(other)


def _compared(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _write(home: Path, now_ms: int, name: str, decide: Callable[[Standing], Draft]) -> Proposal:
    def placed(entries: Sequence[Entry]) -> Draft:
        draft = decide(replay(entries))
        return draft if draft.proposal else msgspec.structs.replace(draft, proposal=name)

    entry = trail.append(log_path(home), now_ms, placed)
    assert entry is not None
    return standing(home).proposals[entry.proposal]


def _require(it: Proposal, done: str, *states: State) -> None:
    if it.state not in states:
        raise ProposalError(f"{it.id} is {it.state.replace('_', ' ')}, so it cannot be {done}")


def _plan(plan: Plan) -> Plan:
    """Read as the log will read it: what it cannot read back would make every later reading fail."""
    try:
        plan = msgspec.convert(msgspec.to_builtins(plan), Plan)
    except msgspec.ValidationError as error:
        raise ProposalError(f"this plan cannot be kept: {error}") from None
    if problems := plan.problems():
        raise ProposalError("; ".join(problems))
    return plan


def _person(name: str) -> None:
    # Characters that nobody sees would make one person two.
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ProposalError(f"say who: --by NAME, 1 to {_LONGEST_NAME} characters that can be seen")
    if name.startswith("gateway:"):
        raise ProposalError("names that begin with 'gateway:' are the gateways' own")


def _kept(home: Path, raw: bytes | None) -> str:
    return "" if raw is None else keep_bundle(home, raw)


def _about(raw: bytes | None, what: str, version: str) -> bytes | None:
    """What names the policy that it speaks of must speak of this one: else one is approved by what another showed."""
    try:
        said = None if raw is None else msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise ProposalError(f"the {what} is not JSON: {error}") from None
    match said:
        case {"kind": "tuning", "policy": {"proposed_hash": found}}:
            pass
        case {"candidate": {"kind": "policy", "digest": found}}:
            pass
        case _:
            return raw
    if found is None:
        raise ProposalError(f"the {what} proposes nothing: tuning refused, and its bundle says why")
    if found != version:
        raise ProposalError(
            f"the {what} is about {str(found)[:12]}, and {version[:12]} is proposed; make it anew for this policy"
        )
    return raw


def _gate(raw: bytes | None) -> Gate:
    """Only a plain yes is one: what says nothing, or something else, has not passed."""
    if raw is None:
        return "none"
    said = msgspec.json.decode(raw)
    verdict = said.get("verdict") if isinstance(said, dict) else None
    if not isinstance(verdict, str):
        raise ProposalError("the gate's verdict has no 'verdict'; give what 'stillhouse gate --json' printed")
    return "passed" if verdict in _GATE_YES else "refused"
