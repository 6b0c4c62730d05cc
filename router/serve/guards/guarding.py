"""The guards at work on requests and whole answers; ``router.serve.guards.stream`` does it for streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import msgspec

from guardrails import Action, Finding, Placeholders, Rails
from guardrails.catalog import names
from guardrails.run import Hurry, judged
from router.core.json_masks import JsonMasks
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
from router.serve.guards.onlooker import is_call
from router.serve.guards.verdicts import SHORT
from router.serve.http.respond import refused_choice
from router.serve.story import Story
from router.types import Usage


class Blocked(Exception):
    """A guard stopped the request. The answer is the policy's words with ``content_filter``."""


def guard_request(
    rails: Rails, sites: Sequence[TextSite], held: Placeholders, story: Story, tag: str | None = None
) -> list[tuple[TextSite, str]]:
    """Check every text of a request; give back those that were masked or lost their tags.

    Args:
        rails: the policy's.
        sites: the texts.
        held: the request's placeholders.
        story: the record; findings go there.
        tag: the caller's tag, where the policy lets callers mark what is to be read. Where no text holds the
            tag, all of them are read: a mark that is missing must not switch a guard off.

    Raises:
        Blocked: a guard says block. All findings of all texts are noted first.
    """
    masks: list[tuple[TextSite, str]] = []
    if rails.empty and tag is None and not (story.policy is not None and story.policy.shadow):
        return masks
    if story.policy is not None and story.policy.body.guards.restore:
        for site in sites:
            held.reserve(site.text)
    marked = tag is not None and any(f"<{tag}>" in site.text for site in sites)
    hurry = story.hurry_in or hurry_of(story)
    for site in sites:
        if story.actions["input"] is Action.BLOCK and hurry():
            break  # it is refused already, and the rest would be read in vain
        if marked and tag is not None:
            text = "".join(
                guard_text(rails, part, site, held, story, hurry, at) if inside else part
                for part, inside, at in tagged(site.text, tag)
            )
        else:
            text = guard_text(rails, site.text, site, held, story, hurry)
        if text != site.text:
            masks.append((site, text))
    if story.actions["input"] is Action.BLOCK:
        raise Blocked
    return masks


def guard_text(
    rails: Rails, text: str, site: TextSite, held: Placeholders, story: Story, hurry: Hurry, at: int = 0
) -> str:
    """Check one text of a request, or a part of it that begins ``at``; give back what may travel."""
    shadow = story.policy.shadow if story.policy is not None else {}
    foreseen = story.foreseen
    findings = foreseen.get((site.role, text)) if foreseen is not None else None
    if findings is None:
        findings = story.cell.verdicts.find(rails, story.tenant, text, site.role, hurry)
    elif len(text) >= SHORT:
        story.cell.verdicts.keep(story.tenant, story.cell.verdicts.name(rails, text, site.role), findings)
    if shadow:
        seen = story.cell.verdicts.find(shadow["input"], story.tenant, text, site.role)
        story.shadowed(moved(seen, at), "input", site.path)
    if not findings:
        return text
    story.found(moved(findings, at), "input", site.path)
    return judged(text, findings, held).text


def returned(held: Placeholders, story: Story) -> Placeholders | None:
    """The values that may be put back into the answer: those of the request, where the policy says so."""
    if story.policy is None or not story.policy.body.guards.restore or not len(held):
        return None
    return held.snapshot()


def moved(findings: tuple[Finding, ...], by: int) -> tuple[Finding, ...]:
    """Findings of a part in the offsets of the whole."""
    if not by:
        return findings
    return tuple(replace(finding, start=finding.start + by, end=finding.end + by) for finding in findings)


def tagged(text: str, tag: str) -> Iterator[tuple[str, bool, int]]:
    """The parts of ``text`` outside and inside the tag, without the tags, and where each begins.

    A tag that is opened and never closed reaches to the end.
    """
    start, end, at, inside = f"<{tag}>", f"</{tag}>", 0, False
    while at <= len(text):
        mark = end if inside else start
        stop = text.find(mark, at)
        if stop < 0:
            yield text[at:], inside, at
            return
        yield text[at:stop], inside, at
        at, inside = stop + len(mark), not inside


def hurry_of(story: Story) -> Hurry:
    """Whether the policy's time for the guards of one direction is over, counted from now, less time spent in line."""
    clock = story.cell.clock
    limit = story.policy.body.guards.limit_ms if story.policy is not None else 5_000
    end = clock() + limit / 1e3 - story.waited
    return lambda: clock() > end + story.waited


def finding_names(story: Story) -> tuple[str, ...]:
    """What was found in the request, for the policy's rules."""
    of_input = [found for found in story.findings if found.direction == "input" and not found.shadow]
    return names((found.guard, found.category, found.confidence) for found in of_input)


def guard_answer(
    rails: Rails, body: bytes, held: Placeholders, refusal: str, story: Story, stopped: Collection[int] = ()
) -> bytes:
    """Check every text of every choice; mask by splicing, replace a blocked choice, note the usage.

    ``stopped`` are choices that a check of the whole answer has blocked already.

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
    back = returned(held, story)
    hurry = hurry_of(story)
    shadow = story.policy.shadow if story.policy is not None else {}
    for raw, choice in zip(answer.choices, choices, strict=True):
        if given(choice.finish_reason):
            story.finish_reason = finish_word(choice)
        for site in choice_sites(choice) if shadow else ():
            seen = shadow["output"].find(site.text, "assistant")
            story.shadowed(seen, "output", f"choices[{choice.index}].{site.path}")
        if rails.empty and not stopped and back is None:
            continue
        blocked, masked = choice.index in stopped, []
        for site in choice_sites(choice):
            text, stops = _guard_said(rails, site, held, back, story, hurry, f"choices[{choice.index}].{site.path}")
            blocked |= stops
            if text != site.text:
                masked.append(Edit(*span(body, site.raw), msgspec.json.encode(text)))
        if blocked:
            edits.append(Edit(*span(body, raw), msgspec.json.encode(refused_choice(choice.index, refusal))))
            continue
        if masked and given(choice.logprobs):
            masked.append(Edit(*span(body, choice.logprobs), b"null"))
        edits += masked
    return splice(body, edits) if edits else body


def _guard_said(
    rails: Rails, site: TextSite, held: Placeholders, back: Placeholders | None, story: Story, hurry: Hurry, where: str
) -> tuple[str, bool]:
    """One text of an answer as it may travel, and whether it must not."""
    verdict = rails.check(site.text, held, role="assistant", hurry=hurry)
    if verdict.findings:
        story.found(verdict.findings, "output", where)
    text = verdict.text
    if text != site.text and is_call(site.path):
        text = JsonMasks().feed(text)
    if back is not None:
        text = back.restore(text, in_json=is_call(site.path))
    return text, verdict.action is Action.BLOCK
