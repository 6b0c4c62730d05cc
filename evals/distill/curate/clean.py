"""One row by itself: masked, or left out for one reason. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import msgspec

from evals.distill.curate.rules import Rules
from evals.distill.example import Example, Message, prompt_id
from guardrails import Action, Placeholders, Rails, compile_rails
from router.core.captures import PERSONAL
from router.core.signals import opens_with_refusal

Reason = Literal[
    "no text", "too short", "too long", "no answer", "the teacher refused", "licence forbids training",
    "licence unknown", "personal data", "blocked by a guard",
]  # fmt: skip
Clean = Callable[[Example], "Example | Reason"]


def masker() -> Callable[[Example], tuple[Example, bool]]:
    """The function that gives a row without personal data and secrets, and whether it had any."""
    personal = compile_rails(PERSONAL)

    # System prompts come again and again; they stand first, so their placeholders are numbered alike.
    @lru_cache(maxsize=1024)
    def harmless(text: str) -> bool:
        return not personal.find(text)

    return lambda row: _masked(row, personal, harmless)


def cleaner(rules: Rules) -> Clean:
    """The function that masks a row or says why it is left out.

    Raises:
        GuardConfigErrors: the rules' guards are none.
    """
    mask, others = masker(), compile_rails(rules.guards)

    def clean(row: Example) -> Example | Reason:
        reason = _unfit(row, rules)
        if reason is not None:
            return reason
        masked, touched = mask(row)
        if touched and rules.personal == "drop":
            return "personal data"
        if not others.empty and any(others.check(text).action >= Action.BLOCK for text in _texts(masked)):
            return "blocked by a guard"
        return masked

    return clean


def _unfit(row: Example, rules: Rules) -> Reason | None:
    size = sum(len(message.content) for message in row.messages)
    if not row.messages or not any(m.content.strip() for m in row.messages if m.role != "system"):
        return "no text"
    if size < rules.shortest:
        return "too short"
    if size > rules.longest:
        return "too long"
    if row.answer is None or not row.answer.strip():
        return "no answer" if rules.answers else None
    if row.licence == "forbidden":
        return "licence forbids training"
    if row.licence == "unknown" and rules.licence:
        return "licence unknown"
    return "the teacher refused" if opens_with_refusal(row.answer) else None


def _masked(row: Example, rails: Rails, harmless: Callable[[str], bool]) -> tuple[Example, bool]:
    """The row without personal data, under the id of what is left of it. Placeholders agree across its texts."""
    held = Placeholders()
    touched = False

    def mask(text: str) -> str:
        nonlocal touched
        verdict = rails.check(text, held)
        touched = touched or bool(verdict.findings)
        return verdict.text

    messages = tuple(
        m if m.role == "system" and harmless(m.content) else Message(m.role, mask(m.content)) for m in row.messages
    )
    answer = None if row.answer is None else mask(row.answer)
    rejected = None if row.rejected is None else mask(row.rejected)
    soft = None if row.soft is None else {mask(text): nats for text, nats in row.soft.items()}
    if not touched:
        return msgspec.structs.replace(row, id=prompt_id(row.messages)), False
    # Log-probabilities token by token spell the answer out, so they cannot outlive a mask in it.
    tokens = None if answer != row.answer else row.tokens
    clean = msgspec.structs.replace(
        row, id=prompt_id(messages), messages=messages, answer=answer, rejected=rejected, soft=soft, tokens=tokens
    )
    return clean, True


def _texts(row: Example) -> list[str]:
    return [*(message.content for message in row.messages), *(text for text in (row.answer, row.rejected) if text)]
