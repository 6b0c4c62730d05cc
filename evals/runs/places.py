"""Where models live for a suite: settings read once, cells opened when first asked, all closed together.

A cell of an evaluation is a gateway's with three differences: it listens nowhere, its ledger is thrown away, and the
operator's pin, another file's edit and the time of day do not reach it, so that the same suite measures the same.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

import guardrails
import policies
import router
from evals.runs.asking import ConfigError
from policies.mistakes import Mistakes
from router.core.models import usable
from router.registry.home import home
from router.registry.prices import PriceBook
from router.registry.references import reference_prices
from router.registry.weights import WeightsError, candidates, load_weights, state_of
from router.serve.fitting import Unfit, wearing
from router.serve.settings import ServerSettings, Settings, deployments_of, embedded_settings, load_settings
from router.serve.students import with_candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policies.policy import Policy
    from router.registry.weights import Weights
    from router.score import Scorer
    from router.serve.cell import Cell
    from router.types import Deployment, Price

_SALT: Final = b"stillhouse-evals"
_SERVER: Final = ServerSettings(host="127.0.0.1", keys="off", cell="evals")


class Places:
    """What a suite's targets share.

    Args:
        folder: relative paths of the suite are taken from here.
        config: the suite's settings file; None for the embedded models.
    """

    def __init__(self, folder: Path, config: str | None) -> None:
        self._folder = folder
        self._config = config
        self._settings: dict[str | None, Settings] = {}
        self._deployments: dict[str | None, tuple[Deployment, ...]] = {}
        self._policies: dict[str, Policy] = {}
        self._scorers: dict[str | None, Scorer | None] = {}
        self._cells: dict[tuple[str | None, str | None], Cell] = {}
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._weights: tuple[Weights, ...] | None = None
        self.book = PriceBook.load()

    # --- what is configured

    def settings(self, config: str | None = None) -> Settings:
        """The settings of a target, or of the suite; the embedded models where neither names a file.

        Raises:
            ConfigError: the file has mistakes, or no model is here.
        """
        chosen = config or self._config
        if chosen not in self._settings:
            self._settings[chosen] = with_candidates(self._read(chosen), self._candidates())
        return self._settings[chosen]

    def _read(self, config: str | None) -> Settings:
        if config is not None:
            try:
                found = load_settings(self._folder / Path(config).expanduser())
            except Mistakes as mistakes:
                raise ConfigError(f"the settings have mistakes:\n{mistakes}") from None
            return found.model_copy(update={"server": _SERVER, "keys_file": None})
        weights = self._local()
        if not weights:
            hint = "add config: stillhouse.yaml to the suite, or 'stillhouse models add'"
            raise ConfigError("the suite names no settings, and no embedded model is here", hint)
        return embedded_settings(weights, _SERVER)

    def _candidates(self) -> list[Weights]:
        """Those of this machine: a suite may ask one by its name, and none is asked for its tier."""
        try:
            return [each for each in candidates(home()) if state_of(each) == "ready"]
        except WeightsError as error:
            raise ConfigError(error.message, error.hint) from None

    def _local(self) -> tuple[Weights, ...]:
        """The weights on this machine, looked at once: their headers take a while to read."""
        if self._weights is None:
            try:
                self._weights = load_weights()
            except WeightsError as error:
                raise ConfigError(error.message, error.hint) from None
        return self._weights

    def deployments(self, config: str | None = None) -> tuple[Deployment, ...]:
        """The models that can be asked, with their prices."""
        chosen = config or self._config
        if chosen not in self._deployments:
            self._deployments[chosen] = deployments_of(self.settings(config), self.book)
        return self._deployments[chosen]

    def policy(self, source: str, config: str | None = None) -> Policy:
        """A policy by file or preset.

        Raises:
            ConfigError: it has mistakes.
        """
        path = self._policy_source(source)
        if path not in self._policies:
            scorer = self.scorer(config)
            families = None if scorer is None else frozenset(scorer.families)
            from policies.load import load_policy  # with all guards, so only where a policy is wanted

            try:
                self._policies[path] = load_policy(path, families=families)
            except Mistakes as mistakes:
                raise ConfigError(f"the policy has mistakes:\n{mistakes}") from None
        return self._policies[path]

    def _policy_source(self, source: str) -> str:
        is_file = "/" in source or source.endswith((".yaml", ".yml"))
        return str(self._folder / Path(source).expanduser()) if is_file else source

    def scorer(self, config: str | None = None) -> Scorer | None:
        """What scores prompts under these settings, or on this machine where there are none."""
        chosen = config or self._config
        if chosen not in self._scorers:
            from router.serve.scoring import Watch, open_scorer

            wanted = self.settings(config).scorer if chosen else None
            self._scorers[chosen] = open_scorer(Watch(wanted))
        return self._scorers[chosen]

    def worn(self, policy: Policy, config: str | None = None) -> Scorer | None:
        """The scorer, with the profile that a policy names.

        Raises:
            ConfigError: it is not here, or does not fit.
        """
        scorer = self.scorer(config)
        try:
            return None if scorer is None else wearing(scorer, [policy], home())
        except Unfit as error:
            raise ConfigError(str(error)) from None

    def prices(self, policy: Policy, config: str | None = None) -> Mapping[str, Price]:
        """Tier -> its deployment's price where one is configured, else the family's reference price."""
        prices = dict(reference_prices(policy.body.family))
        if config or self._config:
            for d in reversed(usable(policy.body, self.deployments(config))):
                if d.price.input is not None and d.price.output is not None:
                    prices[d.tier] = d.price
        return prices

    # --- who is asked

    def cell(self, policy: str | None = None, config: str | None = None) -> Cell:
        """A cell whose default policy is ``policy``. All cells of one settings file share their models.

        Raises:
            ConfigError: it cannot be opened.
        """
        at = (config or self._config, policy)
        if at not in self._cells:
            self._cells[at] = self._open(policy, config, at[0])
        return self._cells[at]

    def _open(self, policy: str | None, config: str | None, chosen: str | None) -> Cell:
        from router.ledger.db import LedgerError
        from router.serve.cell import open_cell

        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="stillhouse-eval-")
        settings = self.settings(config)
        if policy is not None:
            settings = settings.model_copy(update={"policies": (self._policy_source(policy),), "default_policy": None})
        try:
            cell = open_cell(settings, ledger=Path(self._scratch.name) / f"{len(self._cells)}.db")
        except Mistakes as mistakes:
            raise ConfigError(f"a policy has mistakes:\n{mistakes}") from None
        except (ValueError, OSError, LedgerError) as error:
            raise ConfigError(str(error)) from None
        cell.pin, cell.salt, cell.explore_salt = None, _SALT, _SALT if cell.explore_salt else b""
        for (other, _), before in self._cells.items():
            if other == chosen:
                cell.upstreams = before.upstreams
                break
        return cell

    async def close(self) -> None:
        """Close every cell, its models and its ledger."""
        shared: set[int] = set()
        for cell in self._cells.values():
            if id(cell.upstreams) in shared:
                cell.upstreams = {}  # another cell's, closed with it
            shared.add(id(cell.upstreams))
            await cell.close()
        self._cells.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    # --- who it is, for the cache

    def identity(self, deployments: tuple[Deployment, ...], config: str | None = None) -> list[Any]:
        """What decides the answers of these deployments: model, place, weights, generation. Not their price."""
        settings = self.settings(config)
        listed = self._candidates()
        prints = {w.name: w.sha256 for w in (*listed, *(self._local() if _any_local(settings) else ()))}
        return [
            [
                d.name, d.tier, d.model, settings.upstreams[d.upstream].kind, settings.upstreams[d.upstream].base_url,
                prints.get(d.model, "") or settings.upstreams[d.upstream].sha256 or "", _descent(d),
                d.context_window, d.tools, d.images, d.share,
            ]
            for d in deployments
        ]  # fmt: skip


def _descent(d: Deployment) -> dict[str, Any]:
    """Where it comes from, without what a gate said of it: that decides no answer."""
    return {field: getattr(d.lineage, field) for field in d.lineage.__struct_fields__ if field != "gate"}


def _any_local(settings: Settings) -> bool:
    return any(place.kind == "local" for place in settings.upstreams.values())


@functools.cache
def program() -> str:
    """Names what decides and guards here.

    A version would do for what was installed, but not for who works on it: there a changed rule would be judged by
    the decisions of the one before.
    """
    return files_digest(str(Path(str(package.__file__)).parent) for package in (guardrails, policies, router))


def files_digest(folders: Iterable[str]) -> str:
    """Names folders by their files: place, size and time of each."""
    found = []
    for folder in folders:
        for path in sorted(each for each in Path(folder).rglob("*") if each.is_file() and each.suffix != ".pyc"):
            stat = path.stat()
            found.append([str(path), stat.st_size, stat.st_mtime_ns])
    return digest(found)


def digest(*parts: Any) -> str:
    """Names anything that is JSON by its content."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def policy_identity(policy: Policy) -> list[str]:
    """A policy by its content and its guards' own version: the same words under better recognisers decide otherwise."""
    return [policy.hash, *(policy.rails[way].hash for way in sorted(policy.rails))]
