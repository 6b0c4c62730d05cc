"""Finding and opening policies and scorers by name, beside the recorded outcomes they are judged on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from evals.tuning import sources
from evals.tuning.side import Side
from evals.tuning.sources import Source
from policies.load import load_policy
from policies.policy import Policy
from router.core.models import profile_name
from router.registry import scorers
from router.registry.home import home
from router.score import artefact, load

if TYPE_CHECKING:
    from router.score import Scorer

Kind = Literal["policy", "scorer"]


class Outcomes(NamedTuple):
    """What both sides are judged on.

    Attributes:
        path: outcome rows, recorded answers or a ledger.
        family, families, models: which model of the rows is which tier; as of ``sources.family_of``.
        policy: under which two scorers are judged.
    """

    path: Path
    family: str | None
    families: Path | None
    models: Mapping[str, str]
    policy: str = "balanced"


class Decider(NamedTuple):
    """One side, with its decisions."""

    kind: Kind
    label: str
    digest: str
    side: Side


def deciders(candidate: str, currents: list[str], on: Outcomes) -> list[Decider]:
    """The candidate and what it is judged against, in that order.

    Raises:
        ValueError: a name is unknown, kinds are mixed, or the rows cannot be used. ``Mistakes`` of a policy among them.
        LedgerError: the ledger cannot be read.
    """
    names = [candidate, *currents]
    kinds = [kind_of(name) for name in names]
    if len(set(kinds)) > 1:
        told = ", ".join(f"{name} is a {kind}" for name, kind in zip(names, kinds, strict=True))
        raise ValueError(f"{told}: a policy is compared with a policy, a scorer with a scorer")
    opener = _scorers if kinds[0] == "scorer" else _policies
    return opener(names, on)


def kind_of(name: str) -> Kind:
    """A folder of an artefact, ``shipped`` or the beginning of a kept digest is a scorer; anything else a policy."""
    if name == scorers.SHIPPED or (Path(name) / artefact.MANIFEST).is_file():
        return "scorer"
    if len(name) >= 6 and any(digest.startswith(name) for digest in scorers.kept(home())):
        return "scorer"
    return "policy"


def _policies(names: list[str], on: Outcomes) -> list[Decider]:
    used = load(scorers.place(home(), scorers.active(home()).active))
    chosen = [load_policy(name, families=frozenset(used.families)) for name in names]
    rows = _source(on, chosen[0], used)
    return [Decider("policy", f"{policy.name}@{policy.hash[:12]}", policy.hash, rows.side(policy)) for policy in chosen]


def _scorers(names: list[str], on: Outcomes) -> list[Decider]:
    if sources.is_ledger(on.path) or sources.is_climbs(on.path):
        raise ValueError(
            f"{on.path} holds the chances of the scorer that served, or none: judge scorers on outcome rows"
        )
    found = []
    for name in names:
        place = Path(name) if Path(name).is_dir() else scorers.place(home(), scorers.find(home(), name))
        scorer = load(place)
        policy = load_policy(on.policy, families=frozenset(scorer.families))
        side = _source(on, policy, scorer).side(policy)
        found.append(Decider("scorer", f"scorer {scorer.digest[:12]}", scorer.digest, side))
    return found


def _source(on: Outcomes, policy: Policy, scorer: Scorer) -> Source:
    if sources.is_ledger(on.path):
        return sources.Log.read(on.path, profile_name(policy.body))
    if sources.is_climbs(on.path):
        from router.score.calibration import load_calibration

        return sources.climbs(on.path, on.family or policy.body.family, load_calibration())
    family = sources.family_of(on.family or policy.body.family, on.families, on.models)
    return sources.outcomes(on.path, family, scorer)
