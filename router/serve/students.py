"""Candidates of this machine's list in a running gateway: deployments behind those of the settings.

None of them serves by itself (``router.core.models``). One whose file is missing or
changed is left out, and said so. The list is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from router.registry.weights import Weights, WeightsError, candidates, list_path, state_of
from router.serve.places import stamp
from router.serve.settings import LineageSettings, Settings, TierSettings, UpstreamSettings, deployments_of

if TYPE_CHECKING:
    from router.registry.prices import PriceBook
    from router.types import Deployment
    from router.upstream.base import Upstream

Open = Callable[[str, Settings], "Upstream"]


class Arrivals(NamedTuple):
    """All deployments and upstreams as they are now, and what could not be taken up, in words."""

    deployments: tuple[Deployment, ...]
    upstreams: Mapping[str, Upstream]
    faults: tuple[str, ...] = ()


class Students:
    """Remembers how the list looked, so that a head is loaded once.

    Args:
        home: the state folder.
        settings: of the gateway.
        book: prices.
        opens: makes an upstream of the settings.
    """

    def __init__(self, home: Path, settings: Settings, book: PriceBook, opens: Open) -> None:
        self._path, self._home = list_path(home), home
        self._settings, self._book, self._open = settings, book, opens
        self._upstreams: dict[str, Upstream] = {}
        self._seen: tuple[int, int] | None = None

    def look(self) -> Arrivals | None:
        """What is there now; None where nothing changed. Reads files: call it off the event loop."""
        seen = stamp(self._path)
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            there = candidates(self._home)
        except WeightsError as error:
            return None if self._upstreams else self._arrivals((), (error.message,))
        faults = []
        usable = []
        for each in there:
            fault = self._opened(each)
            usable += [] if fault else [each]
            faults += [f"the candidate {each.name} is left out: {fault}"] if fault else []
        return self._arrivals(usable, tuple(faults))

    def _opened(self, each: Weights) -> str:
        """Open its upstream, once; why it cannot be had, in words."""
        same = next((tier for tier in self._settings.tiers if each.name == (tier.name or tier.model)), None)
        if same is not None:
            return "" if same.upstream == upstream_of(each) else "the settings have a deployment of that name"
        if state_of(each) != "ready":
            return f"its file {each.path} is {state_of(each)}"
        name = upstream_of(each)
        if name not in self._upstreams:
            try:
                self._upstreams[name] = self._open(name, with_candidates(self._settings, [each]))
            except ValueError as error:  # a head that was changed
                return str(error)
        return ""

    def _arrivals(self, there: Iterable[Weights], faults: tuple[str, ...]) -> Arrivals:
        grown = with_candidates(self._settings, there)
        return Arrivals(deployments_of(grown, self._book), dict(self._upstreams), faults)


def with_candidates(settings: Settings, there: Iterable[Weights]) -> Settings:
    """The settings with the candidates of a machine behind their own deployments."""
    upstreams = dict(settings.upstreams)
    tiers = list(settings.tiers)
    taken = {tier.name or tier.model for tier in tiers}
    for each in there:
        if each.name in taken:
            continue
        nano = each.kind == "nano"
        name = upstream_of(each)
        upstreams[name] = UpstreamSettings(
            kind="nano" if nano else "local", path=each.path if nano else None, sha256=each.sha256 if nano else None
        )
        lineage = LineageSettings(**{field: getattr(each.lineage, field) for field in each.lineage.__struct_fields__})
        tiers.append(
            TierSettings(
                tier=each.tier, upstream=name, model=each.name, context_window=each.context, tools=each.tools,
                images=False, share=each.share, candidate=True, lineage=lineage,
            )
        )  # fmt: skip
    return settings.model_copy(update={"upstreams": upstreams, "tiers": tuple(tiers)})


def upstream_of(each: Weights) -> str:
    """Its upstream's name; another file is another upstream."""
    return f"candidate-{each.name}-{each.sha256[:12]}"
