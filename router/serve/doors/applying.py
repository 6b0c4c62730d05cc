"""``POST /v1/guardrails/{policy}/apply``: a policy's guards over texts that some other program answers for.

The body and the answer are those of Amazon Bedrock's ApplyGuardrail (``router.core.bedrock``), and the same is done at
Bedrock's own path, so that its clients reach it by their endpoint's address alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from guardrails import Action, Finding
from guardrails.views import Passage, View
from policies.policy import Policy
from router.core.bedrock import Application, Block, Qualifier, Seen, assessment_of, read_application, usage_of
from router.errors import BadRequest, NotFound, StillhouseError
from router.serve.accept import Order, accept, order
from router.serve.doors.judging import REWRITTEN, Judged, Piece, judge_pieces
from router.serve.guards.aside import aside
from router.serve.guards.guarding import moved
from router.serve.http.exchange import Exchange, Incoming
from router.serve.http.respond import Headers, headers_of
from router.serve.limits.account import enter
from router.serve.limits.admitting import admit
from router.serve.recorded import on_record
from router.serve.story import Direction, Story

if TYPE_CHECKING:
    from router.registry.keys import Key
    from router.serve.cell import Cell

APPLY: Final = re.compile(r"/v1/guardrails/(?P<policy>[^/]+)/apply")
BEDROCK: Final = re.compile(r"/guardrail/(?:arn:[^/]+:guardrail/)?(?P<policy>[^/]+)/version/(?P<version>[^/]*)/apply")
_DRAFT: Final = "DRAFT"
_SHOWN = 12  # digits of a policy's hash that name a version
_REASONS: Final = {
    Action.NONE: "No action.",
    Action.DETECT: "No action.",
    Action.MASK: "Guardrail masked.",
    Action.BLOCK: "Guardrail blocked.",
}
#: HTTP status -> the name under which Bedrock's clients know such an error.
_NAMES: Final = {
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


async def apply(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Judge the texts of one request."""
    story = Story(cell, incoming.request_id, "/v1/guardrails/apply")
    async with on_record(story, out, lambda error: _refuse(error, incoming, story, out)):
        key = accept(cell, incoming, story, "guard")
        await admit(cell, incoming, story, key)
        wish = _policy_of(cell, incoming, story, key)
        if cell.limits is not None:
            await enter(cell.limits, key, story)
        asked = await aside(story, len(incoming.body), read_application, incoming.body)
        direction: Direction = "output" if asked.output else "input"
        _can_be_judged(wish.policy, asked)
        pieces = [
            Piece(block.where, block.text, asked.role(block), answer=block.answer)
            for block in asked.blocks
            if block.guarded
        ]
        found = await judge_pieces(cell, wish, pieces, _view(asked), direction, story)
        if found.action is Action.BLOCK:
            story.outcome = "blocked_output" if asked.output else "blocked_input"
        body = _answer(asked, found, wish.policy, story)
        await out.whole(200, _marks(incoming, story), msgspec.json.encode(body))


def _policy_of(cell: Cell, incoming: Incoming, story: Story, key: Key | None) -> Order:
    """The policy that the path names.

    Raises:
        NotFound: there is none, the key may not use it, or it is in force in another version.
        BadRequest: a header names another policy.
    """
    path = APPLY.fullmatch(incoming.path) or BEDROCK.fullmatch(incoming.path)
    assert path is not None
    name = path["policy"]
    if name not in cell.policies:
        raise NotFound("There is no policy of that name here; GET /v1/models lists them.", param="policy")
    wish = order(cell, incoming, story, key, name)
    story.mode = "guard"
    if wish.policy.name != name:
        raise BadRequest("The path names the policy; do not send another.", param="x-stillhouse-policy")
    version = path.groupdict().get("version", _DRAFT)
    if version not in {"", _DRAFT} and not (len(version) >= _SHOWN and wish.policy.hash.startswith(version)):
        words = f"The policy {name!r} is in force as version {wish.policy.hash[:_SHOWN]}; name that, or {_DRAFT}."
        raise NotFound(words, param="version")
    return wish


def _can_be_judged(policy: Policy, asked: Application) -> None:
    """Grounding needs a source and relevance a question, and a check that was not run is no pass.

    Raises:
        BadRequest: the policy looks for one of them, and no block is marked as what it needs.
    """
    for settings in (item["grounding"] or {} for item in _items(policy, asked) if "grounding" in item):
        sources = "grounding" in settings and settings.get("without_sources", "error") == "error"
        needs: tuple[tuple[bool, Qualifier], ...] = (sources, "grounding_source"), ("relevance" in settings, "query")
        for needed, qualifier in needs:
            if needed and not asked.of(qualifier):
                words = f"The policy {policy.name!r} checks grounding: mark at least one block as {qualifier!r}."
                raise BadRequest(words, param="content")


def _items(policy: Policy, asked: Application) -> tuple[dict[str, Any], ...]:
    guards = policy.body.guards
    return guards.output if asked.output else guards.input


def _view(asked: Application) -> View:
    """What is judged, what it should rest on, and what was asked."""
    passages = tuple(
        Passage(block.text, "document" if "grounding_source" in block.qualifiers else "user", block.where)
        for block in asked.blocks
        if block.qualifiers & {"grounding_source", "query"}
    )
    text = "\n".join(block.text for block in _judged_whole(asked))
    return View(text, "\n".join(block.text for block in asked.of("query")), passages)


def _judged_whole(asked: Application) -> list[Block]:
    """The texts that checks judge: a source or a query that guards read too is no part of the answer."""
    return [block for block in asked.blocks if block.answer]


def _seen(asked: Application, found: Judged) -> Iterator[Seen]:
    """Every finding beside its text. One of a check is told in the offsets of its block, where it lies in one."""
    guarded = [block for block in asked.blocks if block.guarded]
    for block, findings in zip(guarded, found.pieces, strict=True):
        for finding in findings:
            yield Seen(finding, block.text, block.where)
    blocks = _judged_whole(asked)
    for finding in found.checks:
        yield _placed(finding, blocks)
    for finding in found.again or ():
        yield Seen(finding, "", REWRITTEN)  # its words are a model's, and stand in the outputs


def _placed(finding: Finding, blocks: Sequence[Block]) -> Seen:
    at = 0
    for block in blocks:
        if at <= finding.start and finding.end <= at + len(block.text):
            return Seen(moved((finding,), -at)[0], block.text, block.where)
        at += len(block.text) + 1
    return Seen(finding, "\n".join(block.text for block in blocks), "content")


def _answer(asked: Application, found: Judged, policy: Policy, story: Story) -> dict[str, Any]:
    """Bedrock's answer, and ours beside it."""
    items = _items(policy, asked)
    guarded = sum(len(block.text) for block in asked.blocks if block.guarded)
    total = sum(len(block.text) for block in asked.blocks)
    usage = usage_of(items, guarded, total - guarded)
    coverage = {"textCharacters": {"guarded": guarded, "total": total}}
    seen, blocked = list(_seen(asked, found)), found.action is Action.BLOCK
    metrics = {
        "guardrailProcessingLatency": round(story.elapsed_ms()),
        "usage": usage,
        "guardrailCoverage": coverage,
    }
    return {
        "action": "GUARDRAIL_INTERVENED" if found.action >= Action.MASK or found.again is not None else "NONE",
        "actionReason": _REASONS[found.action] if blocked or found.again is None else "Guardrail rewrote.",
        "outputs": _outputs(asked, found, policy),
        "assessments": [
            {
                **assessment_of(seen, items, full=asked.full),
                "invocationMetrics": metrics,
                "appliedGuardrailDetails": {
                    "guardrailId": policy.name,
                    "guardrailVersion": policy.hash[:_SHOWN],
                    "guardrailOrigin": ["REQUEST"],
                    "guardrailOwnership": "SELF",
                },
            }
        ],
        "usage": usage,
        "guardrailCoverage": coverage,
        "stillhouse": {
            "id": story.id,
            "policy": policy.name,
            "policy_hash": policy.hash,
            "action": found.action.word,
            "findings": [finding_words(one) for one in seen],
            "not_run": sorted({f.guard for f in found.findings if f.category == "ERROR"}),
        },
    }


def finding_words(one: Seen) -> dict[str, object]:
    """A finding as we tell it: what, how sure, where; never the text. A proof's words are the caller's own."""
    told = getattr(one.finding, "told", None)
    words = {**one.finding.as_dict(), "action": one.finding.action.word, "where": one.where}
    return {**words, "told": told} if told else words


def _outputs(asked: Application, found: Judged, policy: Policy) -> list[dict[str, str]]:
    """The policy's words where it blocks, the texts where it masked or wrote again, nothing where it lets be."""
    if found.action is Action.BLOCK:
        refusal = policy.body.refusal
        return [{"text": refusal.output if asked.output else refusal.input}]
    changed = found.action is Action.MASK or found.again is not None
    return [{"text": text} for text in found.texts] if changed else []


def _marks(incoming: Incoming, story: Story) -> Headers:
    """The usual headers; at Bedrock's path also its own name for the request id."""
    headers = headers_of(story, stream=False)
    if BEDROCK.fullmatch(incoming.path):
        headers.append((b"x-amzn-requestid", story.id.encode()))
    return headers


async def _refuse(error: StillhouseError, incoming: Incoming, story: Story, out: Exchange) -> None:
    """Our error; at Bedrock's path in a form that its clients can raise by name."""
    if not BEDROCK.fullmatch(incoming.path):
        await out.error(error, headers_of(story, stream=False))
        return
    name = _NAMES.get(error.status, "ValidationException" if error.status < 500 else "InternalServerException")
    words = f"{error.param}: {error.message}" if error.param else error.message
    body = {"message": words, **error.body()}
    headers = [*_marks(incoming, story), (b"x-amzn-errortype", name.encode())]
    await out.whole(error.status, headers, msgspec.json.encode(body))
