"""Whether a gateway can keep what a policy says: the models that it names are here, and so is what is expected of them.

A policy that names a model which is not here would quietly send its traffic to the next tier, and one whose profile is
not here would decide by the figures of another model. So neither is taken up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.core.models import missing, profile_name
from router.registry import profiles
from router.registry.proposals import ProposalError

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.registry.profiles import Profile
    from router.score import Head, Scorer
    from router.types import Deployment


class Unfit(ValueError):
    """The policy cannot be served here; the message says what is missing and how to bring it."""


@dataclass(frozen=True, slots=True)
class Fits:
    """What a policy may name here.

    Attributes:
        deployments: all of the gateway's, candidates too.
        artefact: the digest of the scorer in use; None without one, and then no profile is asked for.
        home: where profiles are kept.
    """

    deployments: tuple[Deployment, ...]
    artefact: str | None
    home: Path

    def check(self, policy: Policy) -> None:
        """Refuse a policy that cannot be served as it says.

        Raises:
            Unfit: with what is missing.
        """
        if lost := missing(policy.body, self.deployments):
            raise Unfit(
                f"the policy {policy.name!r} names the model {lost[0]!r}, and no deployment here is called so in that "
                "tier; register it (stillhouse distill register), or add it to the settings"
            )
        if policy.body.profile is not None and self.artefact is not None:
            fitting(policy, self.artefact, self.home)


def fitting(policy: Policy, artefact: str, home: Path) -> Profile:
    """The profile that a policy names.

    Raises:
        Unfit: it is not here, or speaks of another family, scorer or model.
    """
    assert policy.body.profile is not None
    try:
        found = profiles.read(home, policy.body.profile)
    except ProposalError as error:
        raise Unfit(f"the policy {policy.name!r}: its profile: {error}") from None
    named = policy.body.models or {}
    other = [tier for tier, names in found.models.items() if tuple(named.get(tier, ())) != names]
    if found.artefact != artefact:
        words = f"was made with the scorer {found.artefact[:12]}, and {artefact[:12]} is in use"
    elif found.family != policy.body.family:
        words = f"is of the family {found.family!r}, and the policy reckons with {policy.body.family!r}"
    elif other:
        words = f"is about other models of {other[0]} than the policy names"
    else:
        return found
    raise Unfit(f"the profile of the policy {policy.name!r} {words}; 'stillhouse distill propose' makes one that fits")


def wearing(scorer: Scorer, policies: Iterable[Policy], home: Path) -> Scorer:
    """The scorer with the profiles that these policies name, under the same digest: the policies' hashes name them.

    Raises:
        Unfit: one is not here, or does not fit.
    """
    for policy in policies:
        name = profile_name(policy.body)
        if policy.body.profile is None or name in scorer.families:
            continue
        scorer = scorer.beside(name, _heads(fitting(policy, scorer.digest, home)))
    return scorer


def _heads(profile: Profile) -> dict[str, Head]:
    import numpy as np

    from router.score.profile import Head

    return {
        tier: Head(each.ability, np.array(each.loading, dtype=np.float64), each.token_level, each.token_slope)
        for tier, each in profile.tiers.items()
    }
