"""The ``pii`` guard: personal data, told by its form, by the words before it, or (names, addresses) by likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from guardrails.categories import BY_NAME, CATEGORIES, groups
from guardrails.config import ActionWord, OverrideWord, Strict, Words, action_of, refuse, suggest
from guardrails.matching import Bound, Family, Kind, Rule, RuleFamily
from guardrails.normalize import normalize
from guardrails.pii import addresses, ages, banking, korean, names, names_korean, network, numbers
from guardrails.pii.cues import CUES
from guardrails.pii.spoken import SpokenFamily
from guardrails.secrets.scan import SecretFamily
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RULES: tuple[tuple[Kind, Rule], ...] = (
    *network.RULES,
    *numbers.RULES,
    *korean.RULES,
    *banking.RULES,
    *ages.RULES,
    *names.RULES,
    *names_korean.RULES,
    *addresses.RULES,
)
_KEYS = groups()["keys"]
# A wider category takes over what its Korean one finds when only the wider one is asked for.
_WIDER = {
    "KR_PHONE": "PHONE",
    "KR_CARD": "CREDIT_DEBIT_CARD_NUMBER",
    "KR_DRIVER_LICENSE": "DRIVER_ID",
}


class PiiConfig(Strict):
    """What to look for and what to do about it.

    Attributes:
        entities: categories or groups (``all``, ``structured``, ``korean``, ``context``, ``personal``, ``keys``).
        action: for every entity that ``actions`` does not name.
        actions: entity -> its own action; ``none`` leaves it out.
        allow: exact values that are nobody's secret, e.g. the support address.
    """

    entities: Annotated[Words, Field(min_length=1)] = ("structured",)
    action: ActionWord = "mask"
    actions: dict[str, OverrideWord] = Field(default_factory=dict)
    allow: Words = ()


def compile_pii(config: PiiConfig, item: int) -> tuple[Family, ...]:
    """The families that recognise what ``config`` asks for.

    Raises:
        GuardConfigErrors: an entity is unknown.
    """
    chosen = _chosen(config)
    allow = frozenset(normalize(value)[0] for value in config.allow)
    return (*_by_form(chosen, allow, item), *_by_cue(chosen, allow, item), *_keys(chosen, allow, item))


def _by_form(chosen: Mapping[str, Action], allow: frozenset[str], item: int) -> Iterator[Family]:
    families: dict[tuple[str, bool], tuple[Kind, list[Bound]]] = {}
    for kind, rule in _RULES:
        wider = _WIDER.get(rule.category, "")
        category = rule.category if rule.category in chosen else wider
        if category not in chosen:
            continue
        action = chosen[category]
        _, bound = families.setdefault((kind.name, action >= Action.MASK), (kind, []))
        bound.append(Bound(rule, category, action, allow))
    return (RuleFamily(kind, tuple(bound), "pii", item) for kind, bound in families.values())


def _by_cue(chosen: Mapping[str, Action], allow: frozenset[str], item: int) -> Iterator[Family]:
    for enforcing in (True, False):
        part = [
            (cue, chosen[cue.category])
            for cue in CUES
            if cue.category in chosen and (chosen[cue.category] >= Action.MASK) is enforcing
        ]
        if part:
            yield SpokenFamily.of(part, allow, item)


def _keys(chosen: Mapping[str, Action], allow: frozenset[str], item: int) -> Iterator[Family]:
    for enforcing in (True, False):
        part = {key: chosen[key] for key in _KEYS if key in chosen and (chosen[key] >= Action.MASK) is enforcing}
        if part:
            yield SecretFamily.of(part, allow, item, "pii")


def _chosen(config: PiiConfig) -> dict[str, Action]:
    known = groups()
    mistakes: list[GuardConfigError] = []
    chosen: dict[str, Action] = {}
    for index, entity in enumerate(config.entities):
        names = known.get(entity) or ((entity,) if entity in BY_NAME else ())
        if not names:
            mistakes.append(_unknown(("entities", index), entity))
        for name in names:
            # A web address is rarely personal: a group only reports it, its own name does as it is told.
            chosen[name] = Action.DETECT if name == "URL" != entity else action_of(config.action)
    for entity, word in config.actions.items():
        if entity not in BY_NAME:
            mistakes.append(_unknown(("actions", entity), entity))
        elif word == "none":
            chosen.pop(entity, None)
        else:
            chosen[entity] = action_of(word)
    refuse(mistakes)
    return chosen


def _unknown(path: tuple[str | int, ...], entity: str) -> GuardConfigError:
    for category in CATEGORIES:
        if entity in {category.bedrock, category.presidio}:
            hint = f"it is called {category.name} here"
            break
    else:
        hint = suggest(entity, (*BY_NAME, *groups()))
    return GuardConfigError(path, f"unknown entity {entity!r}", hint)
