"""From a candidate that is listed to a policy version that names it: who is asked, what is expected, what is written.

A head stands before the model of its tier and leaves to it what it is not sure of; any other student takes the model's
place. Both are judged as they would be served: the heads of the tier one after the other, then its model.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evals.distill.folder import Folder, digest_of
from evals.distill.registering import RegisterError, find_student, name_of
from policies.edit import set_models
from policies.load import load_layers
from policies.policy import Policy
from router.core.models import usable
from router.registry import proposals, versions, weights
from router.registry.weights import WeightsError
from router.types import TIER_NAMES, Deployment, TierName

if TYPE_CHECKING:
    from router.registry.profiles import Profile

BLANK = "0" * 64
"""Stands in for a profile that is not made yet, to see that the policy may name one."""


class ProposeError(ValueError):
    """Nothing was asked or proposed; the message says why and how to mend it."""


class Line(NamedTuple):
    """The models of one tier in the order in which they are asked."""

    tier: TierName
    candidate: Deployment
    proposed: tuple[str, ...]
    current: tuple[str, ...]
    control: tuple[str, ...] | None


def find_candidate(folder: Folder, home: Path, wanted: str | None, there: Sequence[Deployment]) -> Deployment:
    """The deployment of a student that was registered.

    Args:
        folder: of the loop.
        home: the state folder.
        wanted: the student, as ``find_student`` takes it, or how the candidate is called at the endpoint.
        there: all deployments.

    Raises:
        ProposeError: there is none, or several.
    """
    named = next((d for d in there if d.candidate and d.name == wanted), None)
    if named is not None:
        return named
    try:
        found = find_student(folder, wanted)
        called = {name_of(found.student)} | {w.name for w in weights.candidates(home) if w.student == found.digest}
    except (RegisterError, WeightsError) as error:
        raise ProposeError(str(error)) from None
    ours = [d for d in there if d.candidate and d.name in called]
    if len(ours) != 1:
        words = "is registered under several names; say which" if ours else "is no candidate here yet"
        step = f"stillhouse distill register {folder.root.name} {found.digest[:12]} --tier TIER"
        raise ProposeError(f"the student {found.digest[:12]} ({found.student.name}) {words}; {step}")
    return ours[0]


def line_of(
    folder: Folder, home: Path, policy: Policy, candidate: Deployment, there: Sequence[Deployment], control: str | None
) -> Line:
    """Who serves the tier today, who would, and who stands beside: the loop's own head, where another is judged.

    Raises:
        ProposeError: nobody serves the tier, several share it, the candidate serves it already, or no such control.
    """
    tier = candidate.tier
    if tier not in policy.body.tiers:
        raise ProposeError(f"the policy {policy.name!r} does not use the tier {tier}: its tiers say so")
    serving = [d for d in usable(policy.body, there) if d.tier == tier]
    heads, plain = [d.name for d in serving if d.abstains], [d.name for d in serving if not d.abstains]
    if candidate in serving:
        raise ProposeError(f"{candidate.name} serves the tier {tier} of {policy.name!r} already")
    if not serving or len(plain) > 1:
        why = f"{', '.join(plain)} share it: name one of them under 'models'" if serving else "has no model in it"
        raise ProposeError(f"the tier {tier} of {policy.name!r}: {why}, or there is nothing to judge it against")
    ours = _of_loop(folder, home)
    if candidate.abstains:
        proposed = (candidate.name, *(name for name in heads if name not in ours), *plain)
    else:
        proposed = (*heads, candidate.name)
    beside = control
    if beside is None and not candidate.abstains:
        beside = next((d.name for d in there if d.abstains and d.name in ours and d.name not in heads), None)
    elif beside is not None and beside not in {d.name for d in there}:
        raise ProposeError(f"no model here is called {beside!r} (--control)")
    line = None if beside is None else (beside, *plain) if _abstains(there, beside) else (beside,)
    return Line(tier, candidate, proposed, (*heads, *plain), line)


def _of_loop(folder: Folder, home: Path) -> set[str]:
    """What this loop's students are called here."""
    made = {path.parent.name for path in (folder.root / "students").glob("*/student.json")}
    return {each.name for each in weights.candidates(home) if each.student in made}


def _abstains(there: Iterable[Deployment], name: str) -> bool:
    return any(d.abstains for d in there if d.name == name)


# --- the policy ---------------------------------------------------------------------------------------


class Base(NamedTuple):
    """The policy that shall be replaced, and copies of its layers' files, the lowest floor first."""

    policy: Policy
    files: tuple[Path, ...]


def base_of(folder: Folder, home: Path, source: str) -> Base:
    """What serves now: the version that is live, else the policy of the settings. Its files are copied into the loop.

    Args:
        folder: of the loop; the copies lie under ``proposed``.
        home: of the registry.
        source: the file or preset of the settings, or the name of a policy of which a version is live.

    Raises:
        Mistakes, VersionError, TrailError: a file is wrong.
    """
    standing = proposals.standing(home)
    live = standing.live(source)
    if live is None:
        filed = versions.keep(home, source)
        live = standing.live(filed.name)
    version = live.version if live is not None else filed.hash
    into = folder.root / "proposed" / version[:12]
    shutil.rmtree(into, ignore_errors=True)
    files = tuple(versions.restore(home, version, into))
    return Base(load_layers(files), files)


def rewritten(base: Base, line: Line, profile: str | None) -> tuple[str, Policy]:
    """The text of the policy that names the student, and the policy that it makes; the file in the loop says it then.

    Raises:
        CannotEdit, Mistakes: it cannot be said there, or a floor does not allow it.
    """
    path = base.files[-1]
    before = path.read_bytes()
    models = models_of(base.policy) | {line.tier: line.proposed}
    text = set_models(before.decode(), {tier: models[tier] for tier in TIER_NAMES if tier in models}, profile)
    path.write_bytes(text.encode())
    try:
        return text, load_layers(base.files)
    except ValueError:
        path.write_bytes(before)
        raise


def tried(base: Base, line: Line, *, profile: bool) -> None:
    """See that the policy may say it, before anything is asked and paid; the file stays as it was.

    Raises:
        CannotEdit, Mistakes: as of ``rewritten``.
    """
    path = base.files[-1]
    before = path.read_bytes()
    try:
        rewritten(base, line, BLANK if profile else None)
    finally:
        path.write_bytes(before)


def models_of(policy: Policy) -> dict[TierName, tuple[str, ...]]:
    """Those that a policy names."""
    return {tier: tuple(names) for tier, names in (policy.body.models or {}).items()}


def diff_of(path: Path, before: str, after: str) -> str:
    """What changes in the file, as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), path.name, f"{path.name} (proposed)", n=2
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


# --- the evidence -------------------------------------------------------------------------------------


def evidence_of(
    folder: Folder, base: Base, policy: Policy, line: Line, diff: str, told: dict[str, Any], profile: Profile | None
) -> bytes:
    """All that a proposal rests on; equal content, equal bytes. No text of a prompt is in it."""
    whole = {
        "kind": "distillation", "format": 1, "loop": folder.root.name,
        "rows": digest_of(folder.manifest) if folder.manifest.exists() else None,
        "candidate": {"name": line.candidate.name, "tier": line.tier, "lineage": line.candidate.lineage},
        "models": {"before": line.current, "after": line.proposed, "control": line.control},
        "policy": {"name": policy.name, "base": base.policy.hash, "proposed": policy.hash, "diff": diff},
        "profile": None if profile is None else {"digest": policy.body.profile, **profile.about},
        "gate": told,
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(whole, order="deterministic"), indent=1) + b"\n"
