"""LiteLLM's ``config.yaml`` and exported keys, turned into settings, a policy, a key file, and a tale of it all.

Pure: texts in, texts out. Nothing is skipped in silence: what nobody read is found at the end and named (see
``evals.migrate.places``). A secret that is written out is never repeated; a virtual key is known by its hash alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import yaml

from evals.migrate.litellm_keys import Team, keys_of, master_key, teams_of, tenants_of
from evals.migrate.litellm_models import Model, Models
from evals.migrate.litellm_policy import Rules, ordered
from evals.migrate.litellm_tiers import tiers_of
from evals.migrate.places import ForeignError, read_tree
from evals.migrate.told import Tale
from router.registry.keys import Key
from router.registry.prices import PriceBook
from router.types import TIER_NAMES, TierName

POLICY = "migrated"
_TAKEN = frozenset({*TIER_NAMES, "auto", POLICY})


class Given(NamedTuple):
    """One foreign file: its name, for people, and its text."""

    name: str
    text: str


class Migrated(NamedTuple):
    """What came of it.

    Attributes:
        settings, policy: YAML.
        keys: known by their hashes.
        tale: what was carried, guessed and lost.
    """

    settings: str
    policy: str
    keys: tuple[Key, ...]
    tale: Tale


def migrate(
    config: Given, *, keys: Given | None, teams: Given | None, env: Mapping[str, str], now: datetime, keys_file: str
) -> Migrated:
    """Carry a configuration over.

    Args:
        config: LiteLLM's ``config.yaml``.
        keys: what ``/key/list`` gave, where it was exported.
        teams: the same of ``/team/list``.
        env: the process environment, for addresses and the master key that are named by a variable.
        now: when this happens.
        keys_file: where the key file will lie.

    Raises:
        ForeignError: a file cannot be read, or no model of it can be served.
    """
    tale = Tale()
    root = read_tree(config.text, file=config.name)
    models = Models(tale, config.name, env)
    models.read(root.get("model_list"))
    chat = [model for model in models.found if not model.embedding]
    if not chat:
        first = "; ".join(str(told) for told in tale.of("lost")[:3])
        raise ForeignError(f"{config.name}: no chat model in it can be carried over{': ' if first else ''}{first}")
    tiers = tiers_of(chat, models.routers, PriceBook.load(), tale, config.name)
    rules = Rules(tiers, tale, config.name)
    rules.read(root)
    of_teams: Mapping[str, Team] = {}
    made = master_key(root.get("general_settings"), env, now, tale, config.name)
    rules.rest(root)
    entries = _tiers(chat, tiers, tale)
    if keys is not None:
        known = {entry["name"] for entry in entries} | {model.model for model in models.found if model.embedding}
        listed = None if teams is None else read_tree(teams.text, file=teams.name, listed=True)
        of_teams = teams_of(listed, "" if teams is None else teams.name, tale)
        made += keys_of(read_tree(keys.text, file=keys.name, listed=True), of_teams, known, now, tale, keys.name)
    there = [tier for tier in TIER_NAMES if any(entry["tier"] == tier for entry in entries)]
    settings = _settings(models, entries, made, keys_file)
    if tenants := tenants_of(of_teams):
        settings["limits"] = {"tenants": tenants}
    return Migrated(_yaml(settings), _yaml(_policy(rules, there)), tuple(made), tale)


def _tiers(chat: Sequence[Model], tiers: Mapping[str, Sequence[TierName]], tale: Tale) -> list[dict[str, Any]]:
    """The deployments. The first of a name bears it; callers cannot say the others', only their tier."""
    taken: set[str] = set()
    entries: list[tuple[str, dict[str, Any]]] = []
    groups = Counter(model.public for model in chat)
    shares = _shares(chat)
    for model in chat:
        for place, tier in enumerate(tiers[model.public]):
            name = model.public if not place else f"{model.public}-{tier}"
            if name in _TAKEN:
                words = f"the name {name!r} means something else here: callers must say {name + '-model'!r}"
                tale.say("lost", model.file, model.line, f"name of {name}", words)
                name += "-model"
            free = _numbered(name, taken)
            if free != name:
                words = (
                    f"one of {groups[model.public]} deployments of {model.public!r}: callers who say that name "
                    f"meet the first; this one, {free!r}, serves its tier beside it"
                )
                tale.say("lost", model.file, model.line, f"balance of {model.public}", words)
            taken.add(free)
            entry: dict[str, Any] = {"tier": tier, "upstream": model.upstream, "model": model.model, "name": free}
            if id(model) in shares:
                entry["share"] = shares[id(model)]
            elif model.weight is not None and groups[model.public] > 1:
                words = "some deployments of the name say a weight and some do not: each gets an equal part"
                tale.say("lost", model.file, model.line, f"weight of {free}", words)
            entries.append((model.public, entry | model.settings))
    _mixed(chat, entries, tale)
    return sorted((entry for _, entry in entries), key=lambda entry: TIER_NAMES.index(entry["tier"]))


def _shares(chat: Sequence[Model]) -> dict[int, float]:
    """Each deployment's part of its name's traffic, where all of the name say a weight; a name's parts make one."""
    found: dict[int, float] = {}
    for public in dict.fromkeys(model.public for model in chat):
        group = [model for model in chat if model.public == public]
        weights = [model.weight for model in group if model.weight is not None]
        if len(group) > 1 and len(weights) == len(group):
            found |= {id(model): round(w / sum(weights), 6) for model, w in zip(group, weights, strict=True)}
    return found


def _mixed(chat: Sequence[Model], entries: Sequence[tuple[str, Mapping[str, Any]]], tale: Tale) -> None:
    """Different models in one tier share what is sent to the tier: say so, for it is seldom meant."""
    for tier in TIER_NAMES:
        names = list(dict.fromkeys(public for public, entry in entries if entry["tier"] == tier))
        if len(names) > 1:
            listed = ", ".join(names)
            words = f"{len(names)} models share what is sent to {tier} ({listed}): keep one, or say each one's 'share'"
            tale.say("guess", chat[0].file, chat[0].line, f"tier {tier}", words)


def _numbered(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _settings(
    models: Models, entries: Sequence[Mapping[str, Any]], keys: Sequence[Key], keys_file: str
) -> dict[str, Any]:
    used = {entry["upstream"] for entry in entries} | {model.upstream for model in models.found if model.embedding}
    said: dict[str, Any] = {"stillhouse": 1}
    if keys:
        said["server"] = {"keys": "required"}
    said["upstreams"] = {name: place for name, place in models.upstreams.items() if name in used}
    said["tiers"] = list(entries)
    # An embeddings request travels as it is, so its callers say the name that the upstream knows.
    embeddings = {model.model: model.upstream for model in models.found if model.embedding}
    if embeddings:
        said["embeddings"] = [{"model": model, "upstream": upstream} for model, upstream in embeddings.items()]
    said |= {"policies": [f"{POLICY}.yaml"], "default_policy": POLICY}
    if keys:
        said["keys_file"] = keys_file
    return said


def _policy(rules: Rules, there: Sequence[TierName]) -> dict[str, Any]:
    said: dict[str, Any] = {"stillhouse": 1, "name": POLICY, "tiers": list(there), "quality": {"keep": 0.95}}
    if fallbacks := ordered(rules.fallbacks, there):
        said["fallbacks"] = fallbacks
    if rules.timeouts:
        said["timeouts"] = rules.timeouts
    if guards := {side: listed for side, listed in rules.guards.items() if listed}:
        said["guards"] = guards
    return said


class _Dumper(yaml.SafeDumper):
    """No anchors: a value that stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
