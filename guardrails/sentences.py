"""What the reason ids of findings mean, in words for people: one entry a guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from guardrails.categories import BY_NAME
from guardrails.content import SENTENCES as CONTENT
from guardrails.reasoning.outcome import SENTENCES as REASONING

_ATTACKS = {
    "JAILBREAK": "This text tries to overturn the assistant's instructions.",
    "PROMPT_INJECTION": "This text gives the assistant orders from a place that has none to give.",
    "PROMPT_LEAKAGE": "This text tries to draw out the assistant's instructions.",
}
_TARGETS = {
    "UNTRUSTED_TARGET": "This call goes to a target that only untrusted text named.",
    "UNSEEN_TARGET": "This call goes to a target that nobody in the conversation named.",
    "UNREADABLE_ARGUMENTS": "The arguments of this call are not JSON, so its target cannot be told.",
}
_HIDDEN = {
    "INVISIBLE": "characters that are not drawn",
    "TAGS": "text in characters that are not drawn",
    "BIDI": "characters that override the direction of reading",
    "HTML": "an element of a page that is not shown",
    "COMMENTS": "a comment",
    "MARKDOWN": "a part of Markdown that stays out of sight",
}
_GROUNDING = {
    "UNGROUNDED": "The sources do not bear this sentence.",
    "IRRELEVANT": "This answers something else than the question.",
}
_TOPIC = "This text is about a topic that the policy denies."

#: Guard -> category in capitals -> the sentence.
_SAID: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "pii": lambda kind: f"This text holds {BY_NAME[kind].means if kind in BY_NAME else f'personal data ({kind})'}.",
        "secrets": lambda kind: f"This text holds a secret ({kind}).",
        "words": lambda kind: f"This text holds a listed word ({kind}).",
        "regex": lambda kind: f"This text matches a pattern of the policy ({kind}).",
        "attacks": lambda kind: _ATTACKS.get(kind, "This text reads like an attack on the assistant's instructions."),
        "content": lambda kind: CONTENT.get(kind, "This text is harmful."),
        "topics": lambda kind: _TOPIC,  # noqa: ARG005  (the name of the topic is the policy's)
        "judged_topics": lambda kind: _TOPIC,  # noqa: ARG005
        "rerouting": lambda kind: "This text talks to the router, to be given another model.",  # noqa: ARG005
        "hidden": lambda kind: f"This text holds {_HIDDEN.get(kind, 'hidden text')}.",
        "canary": lambda kind: f"This text holds a token that was planted in the system prompt ({kind}).",
        "leak": lambda kind: "This text repeats a part of the system prompt.",  # noqa: ARG005
        "tool_targets": lambda kind: _TARGETS[kind],
        "grounding": lambda kind: _GROUNDING.get(kind, "The sources do not bear this answer."),
        "reasoning": lambda kind: REASONING[kind],
    }
)
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


def sentence(reason: str) -> str:
    """What a reason id such as ``secrets.github_token.base64`` means."""
    guard, category, *rest = (*reason.split("."), "")
    if category in ("error", "timeout"):
        return f"The guard {guard} could not be run{' in time' if category == 'timeout' else ''}."
    said = _SAID.get(guard, _SAID["regex"])(category.upper())
    if "overlong" in rest:
        said += " It is longer than such a value may be."
    forms = [FORMS[part] for part in rest if part in FORMS]
    return said + (f" It is written {', inside text '.join(forms)}." if forms else "")
