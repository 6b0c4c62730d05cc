"""The explicit list of guards: name -> configuration and compiler. Adding one is adding a line."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.attacks import AttacksConfig, compile_attacks
from guardrails.canary import CanaryConfig, LeakConfig, compile_canary, compile_leak
from guardrails.content import ContentConfig, compile_content
from guardrails.hidden import HiddenConfig, compile_hidden
from guardrails.pii import PiiConfig, compile_pii
from guardrails.regex import RegexConfig, compile_regex
from guardrails.rerouting import ReroutingConfig, compile_rerouting
from guardrails.secrets import SecretsConfig, compile_secrets
from guardrails.topics import TopicsConfig, compile_topics
from guardrails.words import WordsConfig, compile_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from guardrails.config import Strict
    from guardrails.matching import Family

# Part of every content hash: raise it when a recogniser changes what it finds.
RECOGNISERS = 3


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
            Guard("pii", "Personal data: by its form, by the words before it, by likelihood.", PiiConfig, compile_pii),
            Guard("secrets", "Keys, tokens and passwords of programs.", SecretsConfig, compile_secrets),
            Guard("regex", "A pattern of your own, in linear time.", RegexConfig, compile_regex),
            Guard("hidden", "Text that a person does not see and a model reads.", HiddenConfig, compile_hidden),
            Guard("leak", "The system prompt of the request, coming out.", LeakConfig, compile_leak),
            Guard("canary", "Tokens planted in a system prompt, coming out.", CanaryConfig, compile_canary),
            Guard("content", "Sexual, violent, hateful, insulting, criminal content.", ContentConfig, compile_content),
            Guard("topics", "Subjects that the policy will not talk about.", TopicsConfig, compile_topics),
            Guard("attacks", "Attacks on the instructions of an assistant.", AttacksConfig, compile_attacks),
            Guard("rerouting", "Talk to the router, to be given a larger model.", ReroutingConfig, compile_rerouting),
        )
    }
)


#: Guards whose findings are more or less sure: a policy's rules may ask for ``attacks.HIGH``.
GRADED = frozenset({"attacks", "content", "topics"})


def names(findings: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """What a policy's rules may call some findings, sorted: ``pii.EMAIL``, and of graded guards ``attacks.HIGH``.

    Args:
        findings: guard, category and confidence of each.
    """
    found: set[str] = set()
    for guard, category, confidence in findings:
        found.add(f"{guard}.{category}")
        if guard in GRADED:
            found.add(f"{guard}.{confidence}")
    return tuple(sorted(found))
