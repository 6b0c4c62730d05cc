"""The explicit list of guards: name -> configuration and compiler. Adding one is adding a line."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.categories import BY_NAME
from guardrails.pii import PiiConfig, compile_pii
from guardrails.regex import RegexConfig, compile_regex
from guardrails.rerouting import ReroutingConfig, compile_rerouting
from guardrails.secrets import SecretsConfig, compile_secrets
from guardrails.topics import TopicsConfig, compile_topics
from guardrails.words import WordsConfig, compile_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guardrails.config import Strict
    from guardrails.matching import Family

# Part of every content hash: raise it when a recogniser changes what it finds.
RECOGNISERS = 1


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
            Guard("topics", "Subjects that the policy will not talk about.", TopicsConfig, compile_topics),
            Guard("rerouting", "Talk to the router, to be given a larger model.", ReroutingConfig, compile_rerouting),
        )
    }
)


_TARGETS = {
    "UNTRUSTED_TARGET": "This call goes to a target that only untrusted text named.",
    "UNSEEN_TARGET": "This call goes to a target that nobody in the conversation named.",
    "UNREADABLE_ARGUMENTS": "The arguments of this call are not JSON, so its target cannot be told.",
}
_GROUNDING = {
    "UNGROUNDED": "The sources do not bear this sentence.",
    "IRRELEVANT": "This answers something else than the question.",
}


def sentence(reason: str) -> str:
    """What a reason id of a finding means, in words for people."""
    guard, _, rest = reason.partition(".")
    category, _, overlong = rest.partition(".")
    known = BY_NAME.get(category.upper())
    if category in ("error", "timeout"):
        said = f"The guard {guard} could not be run{' in time' if category == 'timeout' else ''}."
    elif guard == "pii" and known:
        said = f"This text holds {known.means}."
    elif guard == "secrets":
        said = f"This text holds a secret ({category.upper()})."
    elif guard == "words":
        said = f"This text holds a listed word ({category.upper()})."
    elif guard == "rerouting":
        said = "This text talks to the router, to be given another model."
    elif guard == "tool_targets":
        said = _TARGETS[category.upper()]
    elif guard == "grounding":
        said = _GROUNDING[category.upper()]
    elif guard in ("topics", "judged_topics"):
        said = "This text is about a topic that the policy denies."
    else:
        said = f"This text matches a pattern of the policy ({category.upper()})."
    return said + (" It is longer than such a value may be." if overlong else "")
