"""The explicit list of targets: what a suite says in, somebody who can be asked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evals.runs.asking import Asker
    from evals.runs.places import Places
    from evals.suites.grammar import Suite
    from evals.suites.target_kinds import Target
    from router.types import TierName


def build(target: Target, suite: Suite, places: Places, params: Mapping[str, Any] | None = None) -> Asker:
    """The asker of a target; ``params`` stand in for the suite's."""
    fields = suite.params if params is None else params
    config, system = target.config, suite.system
    if target.gateway is not None:
        if target.gateway.base_url is not None:
            from evals.runs.targets.remote import Remote

            return Remote(target.name, target.gateway, fields, system)
        from evals.runs.targets.inside import Inside

        return Inside(target.name, places, config, target.gateway, fields, system)
    if target.policy is not None or target.guards is not None or target.outcomes is not None:
        return _deciding(target, suite, places)
    from evals.runs.targets.direct import Direct

    return Direct(
        target.name, places, config, tier=target.tier, model=target.model, otherwise=target.otherwise, params=fields,
        system=system,
    )  # fmt: skip


def _deciding(target: Target, suite: Suite, places: Places) -> Asker:
    from evals.runs.targets.deciding import Deciding, Guarding
    from evals.runs.targets.recorded import Recorded

    real = bool(target.config or suite.config)
    if target.guards is not None:
        return Guarding(target.name, places, target.guards, target.config)
    if target.policy is not None:
        return Deciding(target.name, places, target.policy, target.config, real=real)
    outcomes = target.outcomes
    assert outcomes is not None
    policy = outcomes.policy
    deciding = Deciding(target.name, places, policy, target.config, real=real) if policy else None
    return Recorded(target.name, outcomes, deciding)


def of_tier(tier: TierName, places: Places, params: Mapping[str, Any]) -> Asker:
    """A tier of the suite's settings, alone: for a judge."""
    from evals.runs.targets.direct import Direct

    return Direct(tier, places, None, tier=tier, params=params, system=None)
