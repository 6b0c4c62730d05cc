"""Texts of a request that stand beside its messages: schemas and names of tools, metadata, whatever a server may read.

A member of the body that holds nothing is remembered whole, under a keyed hash, so a tool list that comes again with
every turn is not even looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.core.wire import ChatRequest, TextSite, span, strings_in
from router.serve.guards.aside import aside, look_ahead
from router.serve.guards.guarding import guard_request, hurry_of
from router.serve.story import MOST_FINDINGS, Story

if TYPE_CHECKING:
    from msgspec import Raw

    from guardrails import Placeholders, Rails


class Beyond(NamedTuple):
    """What is to be read.

    Attributes:
        sites: every string of it.
        names: what its members are remembered by.
    """

    sites: list[TextSite]
    names: list[tuple[str, bytes]]


NOTHING = Beyond([], [])


async def guard_chat(
    request: ChatRequest, rails: Rails, held: Placeholders, story: Story, tag: str | None
) -> list[tuple[TextSite, str]]:
    """Check every text of a chat request; give back those that were masked or lost their tags.

    Raises:
        Blocked: a guard says block.
        BadJSON: something is nested too deeply to be read.
    """
    more = await beyond(request, rails, story)
    texts = [*request.texts, *more.sites] if more.sites else request.texts
    if tag is None:
        await look_ahead(story, rails, texts, len(request.body), hurry_of(story))
    masks = guard_request(rails, texts, held, story, tag)
    remember(more, story)
    return masks


async def beyond(request: ChatRequest, rails: Rails, story: Story) -> Beyond:
    """What no guard has read yet.

    Raises:
        BadJSON: nested too deeply to be read.
    """
    shadow = story.policy is not None and bool(story.policy.shadow)
    if rails.empty and not shadow:
        return NOTHING
    verdicts = story.cell.verdicts
    new: list[tuple[str, str, Raw]] = []
    names: list[tuple[str, bytes]] = []
    for path, role, raw in request.beside():
        name = verdicts.name(rails, bytes(raw).decode(), f"{role} {path} whole")
        if shadow or verdicts.known(story.tenant, name) is None:
            new.append((path, role, raw))
            names.append((path, name))
    if not new:
        return NOTHING
    return Beyond(await aside(story, len(request.body), _expanded, request, new), names)


def _expanded(request: ChatRequest, members: list[tuple[str, str, Raw]]) -> list[TextSite]:
    read = {span(request.body, site.raw) for site in request.others}  # what tools are for
    found = [site for path, role, raw in members for site in strings_in(path, role, raw)]
    return [site for site in found if span(request.body, site.raw) not in read] if read else found


def remember(seen: Beyond, story: Story) -> None:
    """The guards have read them: where they found nothing, it need not be read again."""
    if not seen.names or len(story.findings) >= MOST_FINDINGS:
        return
    held = {found.where.partition(".")[0].partition("[")[0] for found in story.findings}
    for path, name in seen.names:
        if path not in held:
            story.cell.verdicts.keep(story.tenant, name, ())
