"""The cool routes: listings, health, metrics, one request's record. Ordinary FastAPI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from router.errors import LimitsAway, ModelNotFound, NotFound
from router.serve.accept import AUTO, accept
from router.serve.cell import served_by
from router.serve.http.exchange import Incoming
from router.serve.limits import quarantine
from router.serve.limits.shield import readings_of
from router.serve.story import Story
from router.state.store import StoreAway
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from router.registry.keys import Key
    from router.serve.cell import Cell

pages = APIRouter()


def _cell(request: Request) -> Cell:
    cell: Cell = request.app.state.cell
    return cell


def _key(request: Request, scope: str) -> Key | None:
    cell = _cell(request)
    incoming = Incoming(request.url.path, dict(request.scope["headers"]), b"", request.scope["state"]["request_id"])
    return accept(cell, incoming, Story(cell, incoming.request_id, incoming.path), scope)


def _chat_key(request: Request) -> Key | None:
    return _key(request, "chat")


ChatKey = Annotated[Any, Depends(_chat_key)]


@pages.get("/v1/models", summary="Models, tiers and policies that may stand in 'model'")
async def models(request: Request, key: ChatKey) -> JSONResponse:
    """OpenAI's listing; each entry says what it is and, for deployments, its lineage."""
    return JSONResponse({"object": "list", "data": _listing(_cell(request), key)})


@pages.get("/v1/models/{model:path}", summary="One model", responses={404: {"description": "No such model"}})
async def model(request: Request, model: Annotated[str, Path()], key: ChatKey) -> JSONResponse:
    """One entry of the listing."""
    for entry in _listing(_cell(request), key):
        if entry["id"] == model:
            return JSONResponse(entry)
    raise ModelNotFound(f"The model {model!r} does not exist.", param="model")


def _listing(cell: Cell, key: Key | None) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [_entry(AUTO, "the default policy", policy=cell.default_policy)]
    entries += [_entry(name, "a policy", policy=name) for name in cell.policies]
    serving = served_by(cell)
    for tier in TIER_NAMES:
        d = serving[tier]
        if d is not None:
            entries.append(_entry(tier, "a tier", served_by=d.name, tier=d.tier))
    named = {d for policy in cell.policies.values() for d in cell.fleet(policy).deployments if d.candidate}
    for d in [d for d in cell.deployments if not d.candidate or d in named]:
        lineage = {f: getattr(d.lineage, f) for f in d.lineage.__struct_fields__}
        entries.append(_entry(d.name, "a deployment", tier=d.tier, model=d.model, private=d.private, lineage=lineage))
    unique = {entry["id"]: entry for entry in reversed(entries)}
    listed = [unique[name] for name in dict.fromkeys(entry["id"] for entry in entries)]
    return [entry for entry in listed if key is None or not key.models or entry["id"] in key.models]


def _entry(name: str, kind: str, **more: object) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "stillhouse", "stillhouse": {"kind": kind, **more}}


@pages.get("/v1/limits", summary="What a key, its team and its tenant have used, and what is left")
async def limits(request: Request, key: ChatKey) -> JSONResponse:
    """The caller's own meters. Money in nano-dollars; what is held is set aside for calls in progress."""
    cell = _cell(request)
    lines: list[dict[str, Any]] = []
    if cell.limits is not None:
        try:
            lines = await cell.limits.usage(key, key.tenant if key else "default")
        except StoreAway:
            raise LimitsAway("The store of limits does not answer now.", retry_after="1") from None
    return JSONResponse({"object": "list", "data": lines})


@pages.get("/health", summary="The same, by the name that many clients look for")
@pages.get("/healthz", summary="The process is alive")
async def healthz() -> PlainTextResponse:
    """Says nothing about models: restarting this process would not mend them."""
    return PlainTextResponse("ok\n")


@pages.get("/readyz", summary="The process takes requests", responses={503: {"description": "Not ready"}})
async def readyz(request: Request) -> JSONResponse:
    """False while draining, and when the ledger cannot keep records. Models that rest are named."""
    cell = _cell(request)
    faults = []
    if cell.draining:
        faults.append("draining")
    if cell.ledger.error is not None:
        faults.append("ledger")
    body = {
        "ready": not faults, "faults": faults, "scorer": cell.scorer is not None, "policy": cell.default_policy,
        # No fault of this process, which other cells would not share: said, and not held against it.
        "resting": sorted({name for (_, name), state in cell.shield.states(cell.clock()) if state != "closed"}),
    }  # fmt: skip
    return JSONResponse(body, 503 if faults else 200)


def _is_away(cell: Cell) -> bool:
    return cell.limits is not None and cell.limits.limiter.away is not None


@pages.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus' text format 0.0.4. No label comes from a caller."""
    cell = _cell(request)
    gauges = (
        ("stillhouse_requests_active", "Requests being served.", float(cell.active)),
        ("stillhouse_ledger_dropped_total", "Records the ledger lost.", float(cell.ledger.dropped)),
        ("stillhouse_captures_total", "Captures that were written.", float(cell.captures.kept)),
        (
            "stillhouse_captures_left_out_total",
            "Captures without room, or that could not be checked or written.",
            float(cell.captures.full + cell.captures.unchecked + cell.captures.lost),
        ),
        ("stillhouse_limits_away", "1 while the store of limits does not answer.", float(_is_away(cell))),
        ("stillhouse_pinned", "1 while the operator has pinned all traffic.", float(cell.pin is not None)),
        ("stillhouse_held_bytes", "Announced bytes of the bodies being held.", float(cell.bodies.held)),
    )
    more = readings_of(cell.shield, cell.clock())
    if cell.quarantine is not None:
        more += quarantine.readings_of(cell.quarantine)
    return Response(cell.metrics.render(gauges, more), media_type="text/plain; version=0.0.4; charset=utf-8")


@pages.get(
    "/v1/stillhouse/requests/{request_id}",
    summary="What happened to one request",
    responses={404: {"description": "No such request, or another tenant's"}},
)
async def one_request(request: Request, request_id: Annotated[str, Path()], key: ChatKey) -> JSONResponse:
    """The decision, its reasons, attempts, tokens and final cost. A key sees its own tenant's requests."""
    cell = _cell(request)
    record = await asyncio.to_thread(cell.told, request_id)
    if record is None or (key is not None and record["tenant"] != key.tenant and "admin" not in key.scopes):
        raise NotFound("There is no such request.")
    return JSONResponse(record)
