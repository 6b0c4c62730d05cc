"""The guards at work on requests and whole answers; ``router.serve.stream`` does it for streams."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from guardrails import Action, Placeholders, Rails
from router.core.wire import (
    Edit,
    TextSite,
    choice_sites,
    finish_word,
    given,
    read_answer,
    read_choice,
    read_usage,
    span,
    splice,
)
from router.errors import UpstreamInvalid
from router.serve.respond import refused_choice
from router.serve.story import Direction, Story
from router.types import Usage


class Blocked(Exception):
    """A guard stopped the request. The answer is the policy's words with ``content_filter``."""


def guard_request(
    rails: Rails, sites: Sequence[TextSite], held: Placeholders, story: Story
) -> list[tuple[TextSite, str]]:
    """Check every text of a request; give back those that were masked.

    Raises:
        Blocked: a guard says block. All findings of all texts are noted first.
    """
    masks: list[tuple[TextSite, str]] = []
    if rails.empty:
        return masks
    for site in sites:
        verdict = rails.check(site.text, held)
        if verdict.findings:
            story.found(verdict.findings, "input", site.path)
            if verdict.text != site.text:
                masks.append((site, verdict.text))
    if story.actions["input"] is Action.BLOCK:
        raise Blocked
    return masks


def finding_names(story: Story, direction: Direction = "input") -> tuple[str, ...]:
    """What was found, as ``guard.CATEGORY``, for the policy's rules."""
    return tuple(sorted({f"{f.guard}.{f.category}" for f in story.findings if f.direction == direction}))


def guard_answer(rails: Rails, body: bytes, held: Placeholders, refusal: str, story: Story) -> bytes:
    """Check every text of every choice; mask by splicing, replace a blocked choice, note the usage.

    Raises:
        UpstreamInvalid: the body is not a chat completion.
    """
    try:
        answer = read_answer(body)
        choices = [read_choice(raw) for raw in answer.choices]
    except ValueError:
        raise UpstreamInvalid("The model's server sent something that is not a chat completion.") from None
    usage = read_usage(answer.usage)
    if usage is not None:
        story.usage = Usage(
            input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, cached_tokens=usage.cached
        )
    edits: list[Edit] = []
    for raw, choice in zip(answer.choices, choices, strict=True):
        if given(choice.finish_reason):
            story.finish_reason = finish_word(choice)
        if rails.empty:
            continue
        blocked, masked = False, []
        for site in choice_sites(choice):
            verdict = rails.check(site.text, held)
            if not verdict.findings:
                continue
            story.found(verdict.findings, "output", f"choices[{choice.index}].{site.path}")
            blocked |= verdict.action is Action.BLOCK
            if verdict.text != site.text:
                masked.append(Edit(*span(body, site.raw), msgspec.json.encode(verdict.text)))
        if blocked:
            edits.append(Edit(*span(body, raw), msgspec.json.encode(refused_choice(choice.index, refusal))))
            continue
        if masked and given(choice.logprobs):
            masked.append(Edit(*span(body, choice.logprobs), b"null"))
        edits += masked
    return splice(body, edits) if edits else body
