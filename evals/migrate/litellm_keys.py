"""LiteLLM's keys: the master key, and a dump of ``/key/list``. LiteLLM keeps SHA-256 of a token and so do we.

A key is carried only where it may do no more here than there: one whose models cannot be told is left out, because
an empty list of models would mean all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from evals.migrate.litellm_models import ENV
from evals.migrate.places import Tree
from router.registry.keys import SCOPES, Key

if TYPE_CHECKING:
    from evals.migrate.told import Tale

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LIMITS: Final[Mapping[str, str]] = {
    "max_budget": "there are no budgets yet",
    "soft_budget": "there are no budgets yet",
    "budget_duration": "there are no budgets yet",
    "budget_id": "there are no budgets yet",
    "budget_fallbacks": "there are no budgets yet",
    "budget_limits": "there are no budgets yet",
    "litellm_budget_table": "there are no budgets yet",
    "model_max_budget": "there are no budgets yet",
    "tpm_limit": "there are no rate limits yet",
    "rpm_limit": "there are no rate limits yet",
    "tpd_limit": "there are no rate limits yet",
    "max_parallel_requests": "there are no rate limits yet",
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
_ALL: Final = frozenset({"all-proxy-models", "*"})


class Team(NamedTuple):
    """What keys inherit from their team; ``models`` bound what a key may name, and none are all."""

    name: str
    models: tuple[str, ...]
    blocked: bool = False


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
        found[team] = Team(name, _texts(entry.get("models")), blocked)
        _limits(entry, f"team {found[team].name}", file, tale)
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
        found.append(Key(**{f: getattr(key, f) for f in key.__struct_fields__} | {"id": name}))
        only = f", for {', '.join(key.models)} ('auto' is not among them)" if key.models else ""
        tale.say("carried", file, entry.line, entry.path, f"key {name} of tenant {key.tenant}{only}")
        _limits(entry, f"key {name}", file, tale)
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


def _limits(entry: Tree, who: str, file: str, tale: Tale) -> None:
    """What of a key or a team is not carried, each with its reason; its history is passed over."""
    for left in list(entry.left()):
        name = left.path.rsplit(".", 1)[-1]
        if name in _HISTORY or left.value in (False, 0, ""):
            continue
        reason = _LIMITS.get(name, "there is no setting for it here")
        tale.say("lost", file, left.line, left.path, f"{who}: {reason}")
    entry.account()


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
