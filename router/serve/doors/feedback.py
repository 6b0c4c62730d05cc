"""``POST /v1/feedback``: what a person, a judge or a signal says of an answer that we gave."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec

from router.core.wire import check_json
from router.errors import BadRequest, Conflict, NotFound, Overloaded, StillhouseError
from router.ledger.db import LedgerError
from router.ledger.feedback import WHO, Feedback, give
from router.serve.accept import accept
from router.serve.http.exchange import Exchange, Incoming
from router.serve.recorded import confess
from router.serve.story import Story

if TYPE_CHECKING:
    from router.registry.keys import Key
    from router.serve.cell import Cell


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]
    who: Annotated[str, msgspec.Meta(pattern=WHO)]


_SHAPE = "Send {'request_id': the answer's x-request-id, 'score': 0 to 1, 'who': 'person', 'judge', 'signal' or a name}"


async def feedback(cell: Cell, incoming: Incoming, out: Exchange) -> None:
    """Keep one judgement. 201 when it is new, 200 when the same one is already there."""
    story = Story(cell, incoming.request_id, incoming.path)
    mark = [(b"x-request-id", story.id.encode())]
    try:
        key = accept(cell, incoming, story, "chat")
        body = _read(incoming.body)
        at_ms = await asyncio.to_thread(_judged_request, cell, key, body.request_id)
        given = Feedback(
            request_id=body.request_id, at_ms=at_ms, who=body.who, score=body.score,
            given_ms=cell.now_ms(), key_id=story.key_id,
        )  # fmt: skip
        added = await asyncio.to_thread(_keep, cell, given)
        if added:
            cell.metrics.feedback.add(1)
        words = {"object": "stillhouse.feedback", "request_id": given.request_id, "who": given.who}
        await out.whole(201 if added else 200, mark, msgspec.json.encode({**words, "score": given.score}))
    except StillhouseError as error:
        await out.error(error, mark)
    except Exception as bug:  # noqa: BLE001  (as in the pipeline)
        await confess(bug, story, out)


def _read(body: bytes) -> _Body:
    check_json(body)
    try:
        return msgspec.json.decode(body, type=_Body)
    except msgspec.ValidationError as error:
        _refuse(str(error))


def _refuse(said: str) -> NoReturn:
    """The decoder's words name fields and kinds, never values."""
    what, _, where = said.partition(" - at `$.")
    param = where.rstrip("`") or next((name for name in _Body.__struct_fields__ if f"`{name}`" in what), None)
    if what.startswith("Object contains unknown field"):
        what += "; no other field is kept"
    raise BadRequest(f"{what}. {_SHAPE}.", param=param)


def _judged_request(cell: Cell, key: Key | None, request_id: str) -> int:
    """When the request came that is judged.

    Raises:
        NotFound: there is none, or it is another tenant's.
        Overloaded: the ledger cannot be read now.
        BadRequest: no model answered it, so there is nothing to judge.
    """
    record = cell.told(request_id)
    if record is None or (key is not None and record["tenant"] != key.tenant and "admin" not in key.scopes):
        raise NotFound("There is no such request.", param="request_id")
    if record["outcome"] != "ok" or record["tier_served"] is None:
        raise BadRequest("No model's answer was served for this request.", param="request_id")
    at_ms: int = record["at_ms"]  # type: ignore[assignment]
    return at_ms


def _keep(cell: Cell, given: Feedback) -> bool:
    try:
        score, added = give(cell.ledger.place, given)
    except (LedgerError, sqlite3.Error, OSError):
        raise Overloaded("The ledger cannot keep feedback now; try again.", retry_after="1") from None
    if score != given.score:
        raise Conflict(f"{given.who!r} already scored this answer {score:g}; feedback is never changed.", param="score")
    return added
