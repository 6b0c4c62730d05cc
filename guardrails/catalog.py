"""The explicit list of guards: name -> configuration and compiler. Adding one is adding a line."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.attacks import AttacksConfig, compile_attacks
from guardrails.categories import BY_NAME
from guardrails.pii import PiiConfig, compile_pii
from guardrails.regex import RegexConfig, compile_regex
from guardrails.rerouting import ReroutingConfig, compile_rerouting
from guardrails.secrets import SecretsConfig, compile_secrets
from guardrails.words import WordsConfig, compile_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guardrails.config import Strict
    from guardrails.matching import Family

# Part of every content hash: raise it when a recogniser changes what it finds.
RECOGNISERS = 2


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard of the catalogue.

    Attributes:
        name: its key in a policy.
        summary: one sentence for people.
        config: what a policy may say about it.
        compile: configuration and place in the list -> recognisers.
    """

    name: str
    summary: str
    config: type[Strict]
    compile: Callable[[Any, int], tuple[Family, ...]]


CATALOG: Mapping[str, Guard] = MappingProxyType(
    {
        guard.name: guard
        for guard in (
            Guard("words", "Words and phrases, your own or from a managed list.", WordsConfig, compile_words),
            Guard("pii", "Personal data that can be told by its form.", PiiConfig, compile_pii),
            Guard("secrets", "Keys, tokens and passwords of programs.", SecretsConfig, compile_secrets),
            Guard("regex", "A pattern of your own, in linear time.", RegexConfig, compile_regex),
            Guard("attacks", "Attacks on the instructions of an assistant.", AttacksConfig, compile_attacks),
            Guard("rerouting", "Talk to the router, to be given a larger model.", ReroutingConfig, compile_rerouting),
        )
    }
)


def sentence(reason: str) -> str:
    """What a reason id of a finding means, in words for people."""
    guard, _, rest = reason.partition(".")
    category, _, overlong = rest.partition(".")
    known = BY_NAME.get(category.upper())
    if guard == "pii" and known:
        said = f"This text holds {known.means}."
    elif guard == "secrets":
        said = f"This text holds a secret ({category.upper()})."
    elif guard == "words":
        said = f"This text holds a listed word ({category.upper()})."
    elif guard == "rerouting":
        said = "This text talks to the router, to be given another model."
    elif guard == "attacks":
        said = f"This text reads like an attack on the assistant's instructions ({category.upper()})."
    else:
        said = f"This text matches a pattern of the policy ({category.upper()})."
    return said + (" It is longer than such a value may be." if overlong else "")
