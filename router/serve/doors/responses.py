"""``/v1/responses``: asked like chat, in OpenAI's newer protocol; its kept answers, read and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response

from router.core.surfaces.responses import Kept, Responses
from router.errors import NotFound
from router.serve.accept import accept
from router.serve.doors.surfaces import Door
from router.serve.http.exchange import Incoming
from router.serve.memory.kept import TenantShelf
from router.serve.story import Story

if TYPE_CHECKING:
    from router.core.surfaces import Read
    from router.serve.cell import Cell

kept_answers = APIRouter(prefix="/v1/responses")


def _reader(cell: Cell, incoming: Incoming) -> Read:
    mark, now = incoming.request_id.removeprefix("req_"), cell.now_ms() // 1000
    return lambda body, tenant: Responses(body, mark, now, TenantShelf(cell.answers, tenant))


RESPONSES = Door(_reader)


def _tenant(request: Request) -> str:
    cell: Cell = request.app.state.cell
    incoming = Incoming(request.url.path, dict(request.scope["headers"]), b"", request.scope["state"]["request_id"])
    story = Story(cell, incoming.request_id, incoming.path)
    accept(cell, incoming, story, "chat")
    return story.tenant


Tenant = Annotated[str, Depends(_tenant)]
AnswerId = Annotated[str, Path(max_length=128)]
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "Not kept, or another tenant's"}}


def _kept(request: Request, tenant: str, answer_id: str) -> Kept:
    cell: Cell = request.app.state.cell
    kept = cell.answers.get(tenant, answer_id)
    if kept is None:
        raise _not_kept()
    return kept


def _not_kept() -> NotFound:
    return NotFound("That response is not kept here: answers are kept for a while, in memory.", param="response_id")


@kept_answers.get("/{response_id}", summary="A kept answer", responses=_MISSING)
async def answer(request: Request, response_id: AnswerId, tenant: Tenant) -> Response:
    """As it was given."""
    return Response(_kept(request, tenant, response_id).body, media_type="application/json")


@kept_answers.get("/{response_id}/input_items", summary="What a kept answer was asked", responses=_MISSING)
async def input_items(request: Request, response_id: AnswerId, tenant: Tenant) -> JSONResponse:
    """The items that were new in its request, the latest first, on one page."""
    items: list[dict[str, Any]] = msgspec.json.decode(_kept(request, tenant, response_id).items)
    mark = response_id.removeprefix("resp_")
    data = [{"id": f"in_{mark}{k:04x}", **item} for k, item in enumerate(items)][::-1]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return JSONResponse({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": False})


@kept_answers.delete("/{response_id}", summary="Forget a kept answer", responses=_MISSING)
async def forget(request: Request, response_id: AnswerId, tenant: Tenant) -> JSONResponse:
    """It can neither be read nor continued any more."""
    cell: Cell = request.app.state.cell
    if not cell.answers.drop(tenant, response_id):
        raise _not_kept()
    return JSONResponse({"id": response_id, "object": "response", "deleted": True})
