"""The ``secrets`` guard: keys, tokens, private keys and passwords that must not travel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from guardrails.config import ActionWord, OverrideWord, Strict, Words, action_of, refuse, suggest
from guardrails.normalize import normalize
from guardrails.secrets.formats import FORMATS
from guardrails.secrets.scan import SecretFamily
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from guardrails.matching import Family

NAMES = tuple(dict.fromkeys(form.category for form in FORMATS))


class SecretsConfig(Strict):
    """What to look for and what to do about it.

    Attributes:
        kinds: categories such as ``GITHUB_TOKEN``, or ``all``.
        action: for every kind that ``actions`` does not name.
        actions: kind -> its own action; ``none`` leaves it out.
        allow: exact values that are known to be harmless, e.g. keys of the documentation.
    """

    kinds: Annotated[Words, Field(min_length=1)] = ("all",)
    action: ActionWord = "block"
    actions: dict[str, OverrideWord] = Field(default_factory=dict)
    allow: Words = ()


def compile_secrets(config: SecretsConfig, item: int) -> tuple[Family, ...]:
    """The families that recognise what ``config`` asks for.

    Raises:
        GuardConfigErrors: a kind is unknown.
    """
    known = {*NAMES, "all"}
    mistakes = [
        GuardConfigError(("kinds", index), f"unknown kind of secret {kind!r}", suggest(kind, known))
        for index, kind in enumerate(config.kinds)
        if kind not in known
    ]
    mistakes.extend(
        GuardConfigError(("actions", kind), f"unknown kind of secret {kind!r}", suggest(kind, NAMES))
        for kind in config.actions
        if kind not in NAMES
    )
    refuse(mistakes)
    chosen = dict.fromkeys(NAMES if "all" in config.kinds else config.kinds, action_of(config.action))
    for kind, word in config.actions.items():
        chosen[kind] = action_of(word)
    allow = frozenset(normalize(value)[0] for value in config.allow)
    families = []
    for enforcing in (True, False):
        part = {
            kind: action
            for kind, action in chosen.items()
            if action is not Action.NONE and (action >= Action.MASK) is enforcing
        }
        if part:
            families.append(SecretFamily.of(part, allow, item))
    return tuple(families)
