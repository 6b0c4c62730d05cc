"""LiteLLM's keys: the master key, and a dump of ``/key/list``. LiteLLM keeps SHA-256 of a token and so do we.

A key is carried only where it may do no more here than there: one whose models cannot be told is left out, because
an empty list of models would mean all of them.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from evals.migrate.litellm_models import ENV
from evals.migrate.places import Tree
from router.core.limits import FIELDS, Allowance
from router.registry.keys import SCOPES, Key

if TYPE_CHECKING:
    from evals.migrate.told import Tale

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LIMITS: Final[Mapping[str, str]] = {
    "soft_budget": "nothing warns before a budget is used up",
    "budget_id": "budgets have no names: give its figures to the key",
    "budget_fallbacks": "what answers at a limit is the policy's word (at_limit)",
    "budget_limits": "a key has one budget a day and one a month",
    "litellm_budget_table": "budgets have no names: give its figures to the key",
    "model_max_budget": "budgets are of keys, teams and tenants, not of models",
    "tpd_limit": "tokens are limited a minute, money a day",
    "aliases": "a key has no model names of its own; use the deployments'",
    "config": "a key has no settings of its own",
    "permissions": "what a key may do is said by its scopes",
    "allowed_routes": "what a key may do is said by its scopes",
    "allowed_cache_controls": "there is no cache of answers",
    "guardrails": "guards belong to a policy",
    "object_permission": "what a key may do is said by its scopes",
    "object_permission_id": "what a key may do is said by its scopes",
    "auto_rotate": "keys do not change by themselves: give them an expiry",
    "rotation_interval": "keys do not change by themselves: give them an expiry",
    "members_with_roles": "a tenant has no members: give each of them a key",
    "metadata": "a key has a note and no data",
}
#: About the past, or only names: nothing that a gateway would act on.
_HISTORY: Final = frozenset(
    """
    spend total_spend model_spend created_at created_by updated_at updated_by settings_updated_at last_active
    budget_reset_at key_name key_type rotation_count last_rotation_at key_rotation_at soft_budget_cooldown user_id
    organization_id org_id project_id agent_id access_group_ids user team_alias admins members
    """.split()  # noqa: SIM905 -- a table
)
_RATES: Final = {
    "rpm_limit": "requests_per_minute", "tpm_limit": "tokens_per_minute", "max_parallel_requests": "parallel",
}  # fmt: skip
_DAY: Final = frozenset({"1d", "24h", "daily"})
_MONTH: Final = frozenset({"1mo", "30d", "31d", "monthly"})
_ALL: Final = frozenset({"all-proxy-models", "*"})


class Team(NamedTuple):
    """What keys inherit from their team; ``models`` bound what a key may name, and none are all."""

    name: str
    models: tuple[str, ...]
    blocked: bool = False
    limits: Allowance | None = None


def master_key(general: Tree | None, env: Mapping[str, str], now: datetime, tale: Tale, file: str) -> list[Key]:
    """The master key as a key with every scope; none where there is none to be had."""
    tree = None if general is None else general.get("master_key")
    value = None if general is None else general.text("master_key")
    if tree is None or value is None:
        return []
    if value.startswith(ENV):
        variable = value.removeprefix(ENV)
        if variable not in env:
            words = f"the master key is in the variable {variable}, which is not set here: set it and run this again"
            tale.say("lost", file, tree.line, tree.path, words)
            return []
        value = env[variable]
    words = "the master key has every scope; only its hash is kept, under the id 'litellm-master'"
    tale.say("carried", file, tree.line, tree.path, words)
    digest = hashlib.sha256(value.encode()).hexdigest()
    note = "LiteLLM's master key"
    return [Key(id="litellm-master", tenant="default", sha256=digest, created=now, scopes=SCOPES, note=note)]


def teams_of(root: Tree | None, file: str, tale: Tale) -> dict[str, Team]:
    """Team id -> team, from a dump of ``/team/list``."""
    found: dict[str, Team] = {}
    for entry in _items(root, "teams"):
        team = entry.text("team_id")
        if team is None:
            tale.say("lost", file, entry.line, entry.path, "has no team_id")
            entry.account()
            continue
        name, blocked = _plain(entry.text("team_alias") or team), bool(entry.truth("blocked"))
        limits = _allowance(entry, f"team {name}", file, tale)
        found[team] = Team(name, _texts(entry.get("models")), blocked, limits)
        _left_out(entry, f"team {name}", file, tale)
    return found


def keys_of(
    root: Tree, teams: Mapping[str, Team], known: Collection[str], now: datetime, tale: Tale, file: str
) -> list[Key]:
    """Every key of a dump that can be carried.

    Args:
        root: the dump: ``{"keys": […]}`` or the list itself.
        teams: see ``teams_of``.
        known: the names that callers may say here.
        now: when keys without a date of their own were made.
        tale: what becomes of each is told there.
        file: the dump's name, for people.
    """
    found: list[Key] = []
    ids: set[str] = {"litellm-master"}
    for entry in _items(root, "keys"):
        if not isinstance(entry.value, dict):
            words = "only a hash: export with return_full_object=true, else nobody knows what the key may do"
            tale.say("lost", file, entry.line, entry.path, words)
            entry.account()
            continue
        key = _key(entry, teams, known, now, tale, file)
        if key is None:
            entry.account()
            continue
        if key.sha256 in {other.sha256 for other in found}:
            tale.say("lost", file, entry.line, entry.path, "the same key stands above already")
            entry.account()
            continue
        name = key.id if key.id not in ids else f"litellm-{key.sha256[:12]}"
        ids.add(name)
        found.append(msgspec.structs.replace(key, id=name, limits=_allowance(entry, f"key {name}", file, tale)))
        only = f", for {', '.join(key.models)} ('auto' is not among them)" if key.models else ""
        tale.say("carried", file, entry.line, entry.path, f"key {name} of tenant {key.tenant}{only}")
        _left_out(entry, f"key {name}", file, tale)
    return found


def _key(
    entry: Tree, teams: Mapping[str, Team], known: Collection[str], now: datetime, tale: Tale, file: str
) -> Key | None:
    """One key; None, told, where it cannot be carried."""
    digest = entry.text("token") or ""
    if not _DIGEST.fullmatch(digest):
        tale.say("lost", file, entry.line, entry.path, "its 'token' is no SHA-256 hash; the key itself is not read")
        return None
    alias, team_id = entry.text("key_alias"), entry.text("team_id")
    team = teams.get(team_id or "")
    models = _models(entry, team, team_id, known, tale, file)
    if models is None:
        return None
    expires, ended = _time(entry.text("expires")), entry.truth("blocked") or (team is not None and team.blocked)
    if entry.get("expires") is not None and expires is None:
        tale.say("lost", file, entry.line, entry.path, "its expiry is no time that can be read")
        return None
    tenant = (
        team.name if team else _plain(team_id or entry.text("organization_id") or entry.text("user_id") or "default")
    )
    return Key(
        id=_plain(alias) if alias else f"litellm-{digest[:12]}",
        tenant=tenant,
        sha256=digest,
        created=_time(entry.text("created_at")) or now,
        scopes=("chat", "embeddings"),
        models=models,
        expires=expires,
        revoked=now if ended else None,
        note="from LiteLLM",
    )


def _models(
    entry: Tree, team: Team | None, team_id: str | None, known: Collection[str], tale: Tale, file: str
) -> tuple[str, ...] | None:
    """The models that a key may name, none for all; None, told, where that cannot be said."""
    listed = _texts(entry.get("models"))
    if not listed or "all-team-models" in listed:
        if team is None and (team_id or listed):
            words = "it may use what its team may, and the team is not known: give the teams too (--teams)"
            tale.say("lost", file, entry.line, entry.path, words)
            return None
        listed = (*(name for name in listed if name != "all-team-models"), *(team.models if team else ()))
    whole = not listed or bool(_ALL & set(listed))
    if team is not None and team.models and not _ALL & set(team.models):
        # LiteLLM asks both: what the key may name, and what its team may.
        listed = team.models if whole else tuple(name for name in listed if name in team.models)
        if not listed:
            tale.say("lost", file, entry.line, entry.path, f"its team {team.name} may name none of its models")
            return None
    elif whole:
        return ()
    kept = tuple(dict.fromkeys(name for name in listed if name in known))
    if missing := [name for name in listed if name not in known]:
        words = f"it may no longer name {', '.join(map(repr, missing))}, which no deployment bears"
        tale.say("lost", file, entry.line, f"{entry.path}.models", words)
    if not kept:
        tale.say("lost", file, entry.line, entry.path, "none of the models it may name was carried")
        return None
    return kept


def _allowance(entry: Tree, who: str, file: str, tale: Tale) -> Allowance | None:
    """What a key or team may use, as far as it has a counterpart."""
    said: dict[str, Any] = {}
    for name, ours in _RATES.items():
        value = _number(entry, name)
        if value is not None:
            said[ours] = round(value)
            tale.say("carried", file, entry.line, f"{entry.path}.{name}", f"{who}: {ours} {round(value)}")
    budget, duration = _number(entry, "max_budget"), entry.text("budget_duration")
    if budget is not None:
        ours = "usd_per_day" if duration in _DAY else "usd_per_month" if duration in _MONTH else ""
        if ours:
            said[ours] = float(budget)
            words = f"{who}: {ours} {budget:g}, by the calendar (UTC); what was spent before does not count"
            tale.say("carried", file, entry.line, f"{entry.path}.max_budget", words)
        else:
            span = f"over {duration}" if duration else "for good"
            words = f"{who}: a budget {span} has no counterpart: budgets are of a day or a month"
            tale.say("lost", file, entry.line, f"{entry.path}.max_budget", words)
    return Allowance(**said) if said else None


def _number(entry: Tree, name: str) -> float | None:
    """A positive number; LiteLLM's zero and null are no limit."""
    tree = entry.get(name)
    if tree is None:
        return None
    tree.account()
    value = tree.value
    real = isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and math.isfinite(value)
    return value if real else None


def _left_out(entry: Tree, who: str, file: str, tale: Tale) -> None:
    """What of a key or a team is not carried, each with its reason; its history is passed over."""
    for left in list(entry.left()):
        name = left.path.rsplit(".", 1)[-1]
        if name in _HISTORY or left.value in (False, 0, ""):
            continue
        reason = _LIMITS.get(name, "there is no setting for it here")
        tale.say("lost", file, left.line, left.path, f"{who}: {reason}")
    entry.account()


def tenants_of(teams: Mapping[str, Team]) -> dict[str, dict[str, Any]]:
    """The limits of teams, which are tenants here, as the settings write them."""
    said: dict[str, dict[str, Any]] = {}
    for team in teams.values():
        if team.limits is not None:
            values = {name: getattr(team.limits, name) for name in FIELDS.values()}
            said[team.name] = {name: value for name, value in values.items() if value is not None}
    return said


def _items(root: Tree | None, name: str) -> list[Tree]:
    if root is None:
        return []
    listed = root.get(name) if isinstance(root.value, dict) else root
    if isinstance(root.value, dict):
        for other in root.entries().values():
            if other is not listed:
                other.account()  # counts and pages
    return [] if listed is None else list(listed)


def _texts(tree: Tree | None) -> tuple[str, ...]:
    if tree is None:
        return ()
    tree.account()
    return tuple(str(item.value) for item in tree if isinstance(item.value, str))


def _time(text: str | None) -> datetime | None:
    """A time; LiteLLM's are in UTC where they do not say."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _plain(text: str) -> str:
    """A name as the key file takes it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64]
    return name or "default"
