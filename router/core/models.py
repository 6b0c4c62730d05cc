"""Which deployments a policy may use: those it names for a tier, elsewhere all that are no candidates. Pure.

A candidate therefore serves nobody until a policy version names it, and none any more once that version is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.schema import PolicyBody
from router.types import Deployment

MARK = "@"
"""Between a family and the digest of a profile in its place; no family's own name holds it."""


def usable(body: PolicyBody, deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """The deployments that this policy may use, in their order."""
    named = body.models
    if named is None:
        return tuple([d for d in deployments if not d.candidate])
    return tuple([d for d in deployments if (d.name in named[d.tier] if d.tier in named else not d.candidate)])


def missing(body: PolicyBody, deployments: Iterable[Deployment]) -> tuple[str, ...]:
    """The models that a policy names and that are not there under its tier, in the policy's order."""
    there = {(d.tier, d.name) for d in deployments}
    return tuple(name for tier, names in (body.models or {}).items() for name in names if (tier, name) not in there)


def profile_name(body: PolicyBody) -> str:
    """By which profile the scorer answers for a policy: its family's, or the one of the very models that it names."""
    return body.family if body.profile is None else f"{body.family}{MARK}{body.profile[:12]}"
