"""Whether a gateway can keep what a policy says: the models that it names are here, and so is what is expected of them.

A policy that names a model which is not here would quietly send its traffic to the next tier, so it is not taken up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.models import missing

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.types import Deployment


class Unfit(ValueError):
    """The policy cannot be served here; the message says what is missing and how to bring it."""


@dataclass(frozen=True, slots=True)
class Fits:
    """What a policy may name here.

    Attributes:
        deployments: all of the gateway's, candidates too.
    """

    deployments: tuple[Deployment, ...]

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
