"""The explicit list of guards: name -> configuration and compiler. Adding one is adding a line."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.canary import CanaryConfig, compile_canary
from guardrails.categories import BY_NAME
from guardrails.content import SENTENCES, ContentConfig, compile_content
from guardrails.hidden import HiddenConfig, compile_hidden
from guardrails.pii import PiiConfig, compile_pii
from guardrails.regex import RegexConfig, compile_regex
from guardrails.rerouting import ReroutingConfig, compile_rerouting
from guardrails.secrets import SecretsConfig, compile_secrets
from guardrails.words import WordsConfig, compile_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
            Guard("pii", "Personal data: by its form, by the words before it, by likelihood.", PiiConfig, compile_pii),
            Guard("secrets", "Keys, tokens and passwords of programs.", SecretsConfig, compile_secrets),
            Guard("regex", "A pattern of your own, in linear time.", RegexConfig, compile_regex),
            Guard("hidden", "Text that a person does not see and a model reads.", HiddenConfig, compile_hidden),
            Guard("canary", "Tokens planted in a system prompt, coming out.", CanaryConfig, compile_canary),
            Guard("content", "Sexual, violent, hateful, insulting, criminal content.", ContentConfig, compile_content),
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


_TARGETS = {
    "UNTRUSTED_TARGET": "This call goes to a target that only untrusted text named.",
    "UNSEEN_TARGET": "This call goes to a target that nobody in the conversation named.",
    "UNREADABLE_ARGUMENTS": "The arguments of this call are not JSON, so its target cannot be told.",
}
#: What a text was written in, as the last parts of a reason say it.
FORMS: Mapping[str, str] = MappingProxyType(
    {
        "base64": "in base64",
        "hex": "in hexadecimal",
        "percent": "with percent signs",
        "entities": "in character references",
        "escapes": "in escapes",
        "markup": "with markup between its letters",
        "emphasis": "with emphasis marks between its letters",
        "tags": "in characters that are not drawn",
    }
)
_HIDDEN = {
    "invisible": "characters that are not drawn",
    "tags": "text in characters that are not drawn",
    "bidi": "characters that override the direction of reading",
    "html": "an element of a page that is not shown",
    "comments": "a comment",
    "markdown": "a part of Markdown that stays out of sight",
}


def sentence(reason: str) -> str:
    """What a reason id of a finding means, in words for people."""
    guard, category, *rest = (*reason.split("."), "")
    known = BY_NAME.get(category.upper())
    if category in ("error", "timeout"):
        said = f"The guard {guard} could not be run{' in time' if category == 'timeout' else ''}."
    elif guard == "pii" and known:
        said = f"This text holds {known.means}."
    elif guard == "secrets":
        said = f"This text holds a secret ({category.upper()})."
    elif guard == "words":
        said = f"This text holds a listed word ({category.upper()})."
    elif guard == "content":
        said = SENTENCES.get(category.upper(), "This text is harmful.")
    elif guard == "rerouting":
        said = "This text talks to the router, to be given another model."
    elif guard == "tool_targets":
        said = _TARGETS[category.upper()]
    elif guard == "hidden":
        said = f"This text holds {_HIDDEN.get(category, 'hidden text')}."
    elif guard == "canary":
        said = f"This text holds a token that was planted in the system prompt ({category.upper()})."
    elif guard == "leak":
        said = "This text repeats a part of the system prompt."
    else:
        said = f"This text matches a pattern of the policy ({category.upper()})."
    if "overlong" in rest:
        said += " It is longer than such a value may be."
    forms = [FORMS[part] for part in rest if part in FORMS]
    return said + (f" It is written {', inside text '.join(forms)}." if forms else "")
