"""What the policy files of the settings decide together: the policies, the default, the salts, the chances."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from policies.load import load_policy
from policies.mistakes import Mistake, Mistakes
from policies.policy import Policy
from router.core.models import MARK as PROFILE_MARK
from router.registry.home import home
from router.registry.salt import explore_salt
from router.serve.fitting import Fits, Unfit
from router.serve.settings import Settings

if TYPE_CHECKING:
    from router.core.checks import Calibration
    from router.score import Scorer

log = logging.getLogger("stillhouse")


def load_policies(settings: Settings, families: frozenset[str] | None) -> dict[str, Policy]:
    """Every configured policy by name.

    Raises:
        Mistakes: all mistakes of the first file that has any.
    """
    loaded: dict[str, Policy] = {}
    for source in settings.policies:
        policy = load_policy(source, families=families)
        if policy.name in loaded:
            words = f"{loaded[policy.name].source} has the name {policy.name!r} already"
            where = Mistake(str(policy.source), 1, 1, "name", words, "callers could not tell the two apart: rename one")
            raise Mistakes([where])
        loaded[policy.name] = policy
    return loaded


class PolicySet(NamedTuple):
    """The policies in force, the default's name, and the salt their exploration draws with."""

    policies: Mapping[str, Policy]
    default: str
    salt: bytes


def read_policies(settings: Settings, families: frozenset[str] | None, fits: Fits) -> PolicySet:
    """All that the policy files decide together.

    Raises:
        Mistakes: a file is wrong. SaltError: the salt cannot be used. ValueError: there is no such default.
        Unfit: one cannot be served here.
    """
    policies = load_policies(settings, families)
    for policy in policies.values():
        fits.check(policy)
    return PolicySet(policies, _default_policy(settings, policies), salt_for(policies))


def families_of(scorer: Scorer) -> frozenset[str]:
    """The families that an artefact knows, without the profiles that policies brought."""
    return frozenset(name for name in scorer.families if PROFILE_MARK not in name)


def unfit(fits: Fits, policies: Iterable[Policy]) -> Iterator[str]:
    """Why those that cannot be served here cannot."""
    for policy in policies:
        try:
            fits.check(policy)
        except Unfit as fault:
            yield str(fault)


def salt_for(policies: Mapping[str, Policy]) -> bytes:
    """The kept salt where a policy explores; no file is made for those that do not.

    Raises:
        SaltError: its file cannot be used.
    """
    return explore_salt(home()) if any(policy.body.explore for policy in policies.values()) else b""


def _default_policy(settings: Settings, policies: Mapping[str, Policy]) -> str:
    name = settings.default_policy or next(iter(policies))
    if name not in policies:
        raise ValueError(f"default_policy is {name!r}, which is not among the policies ({', '.join(policies)})")
    return name


def calibration_of(policies: Mapping[str, Policy]) -> Calibration | None:
    """The chances by which a cascade judges; None, visibly, where the file is missing or damaged."""
    from router.score.calibration import load_calibration

    try:
        return load_calibration()
    except (ValueError, OSError) as error:
        if any(policy.body.cascade for policy in policies.values()):
            log.error("no calibration: %s. A cascade that needs chances turns every answer down.", error)
        return None
