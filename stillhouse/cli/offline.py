"""What decides without a server, for ``explain`` and ``route``: loaded here, or the command ends with words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from policies.load import load_policy
from policies.mistakes import Mistakes
from router.core.decide import Fleet
from router.core.models import usable
from router.registry.prices import PriceBook
from router.registry.references import has_prices, reference_prices
from router.serve.offline import Bench, Judged, request_of
from stillhouse.cli import show

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.score import Scorer
    from router.serve.settings import Settings

__all__ = ["Bench", "Judged", "bench", "request_of", "say_whose_prices", "scorer_in_use", "settings_or_none"]


def bench(policy: str, settings: Settings | None) -> Bench:
    """Load what is needed; ends the command with words where it cannot be had."""
    scorer = scorer_in_use(settings)
    families = frozenset(scorer.families) if scorer else None
    try:
        loaded = load_policy(policy, families=families)
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    scorer = worn(scorer, loaded)
    prices = dict(reference_prices(loaded.body.family))
    if settings is None:
        return Bench(loaded, scorer, Fleet((), prices))
    from router.serve.settings import deployments_of

    deployments = usable(loaded.body, deployments_of(settings, PriceBook.load()))
    for d in reversed(deployments):
        if d.price.input is not None and d.price.output is not None:
            prices[d.tier] = d.price
    return Bench(loaded, scorer, Fleet(deployments, prices))


def scorer_in_use(settings: Settings | None) -> Scorer | None:
    """What a gateway with these settings on this machine would score with; says where it cannot be had."""
    from router.serve.scoring import Watch

    found = Watch(None if settings is None else settings.scorer).look()
    if found.scorer is None:
        show.note(f"no scorer: {found.fault}")
    return found.scorer


def worn(scorer: Scorer | None, policy: Policy) -> Scorer | None:
    """The scorer with the profile that the policy names, if it names one; ends the command where it does not fit."""
    from router.registry.home import home
    from router.serve.fitting import Unfit, wearing

    try:
        return None if scorer is None else wearing(scorer, [policy], home())
    except Unfit as error:
        show.fail(str(error))


def say_whose_prices(family: str) -> None:
    """A note where a family's money is counted at another's reference prices."""
    if not has_prices(family):
        show.note(f"note: no reference prices are known for family {family!r}; those of 'generic' are taken")


def settings_or_none(config: Path | None) -> Settings | None:
    """The settings of a file; None without one."""
    if config is None:
        return None
    from router.serve.settings import load_settings

    try:
        return load_settings(config)
    except Mistakes as mistakes:
        show.fail(f"{config} has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
