"""The composition root: settings in, an ASGI application out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from router.errors import BadRequest, MethodNotAllowed, NotFound, StillhouseError
from router.serve.cell import Cell, open_cell
from router.serve.doors.applying import APPLY, BEDROCK, apply
from router.serve.doors.completions import COMPLETIONS
from router.serve.doors.feedback import feedback
from router.serve.doors.media import MEDIA, media_with_company
from router.serve.doors.messages import count_tokens, messages
from router.serve.doors.moderating import moderations
from router.serve.doors.observing import observe, observe_completions, observe_embeddings, observe_responses
from router.serve.doors.pages import pages
from router.serve.doors.responses import RESPONSES, kept_answers
from router.serve.doors.sides import embeddings, route
from router.serve.http.exchange import error_headers
from router.serve.http.front import A_MISTAKE, Front
from router.serve.http.schema import openapi_of
from router.serve.judge import Judge
from router.serve.pipeline import chat
from router.serve.settings import Settings
from router.serve.upkeep import keep_up

if TYPE_CHECKING:
    from router.serve.http.exchange import Receive, Scope, Send
    from router.serve.http.front import App, Handler

HOT: dict[str, Handler] = {
    "/v1/chat/completions": chat,
    "/v1/messages": messages,
    "/v1/messages/count_tokens": count_tokens,
    "/v1/responses": RESPONSES,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": embeddings,
    "/v1/route": route,
    "/v1/feedback": feedback,
    "/v1/moderations": moderations,
}
# What only looks on takes the place of what acts; whoever asks for a decision or a verdict still gets one.
# It passes on what it was sent, byte by byte: what would have to be translated has no place there.
_TRANSLATED = ("/v1/messages", "/v1/messages/count_tokens")
OBSERVING: dict[str, Handler] = {
    **{path: handler for path, handler in HOT.items() if path not in _TRANSLATED},
    "/v1/chat/completions": observe,
    "/v1/responses": observe_responses,
    "/v1/completions": observe_completions,
    "/v1/embeddings": observe_embeddings,
}
SHAPED: dict[re.Pattern[str], Handler] = {APPLY: apply, BEDROCK: apply}
log = logging.getLogger("stillhouse")
JUDGE_SECONDS = 1.0
LOOK_SECONDS = 0.25
RELOAD_SECONDS = 0.5  # an edit, a new key or a pin takes effect within a second
# Asked for by clients whose base URL should have ended in /v1.
BARE = frozenset({"/models", *(path.removeprefix("/v1") for path in HOT)})
# What a page may read of an answer beside its body.
EXPOSED = (
    "x-request-id",
    "retry-after",
    *(
        f"x-stillhouse-{name}"
        for name in (
            "tier", "wanted", "model", "score", "reason", "policy", "arm", "lineage", "cost", "cost-estimate", "dropped"
        )
    ),
)  # fmt: skip


class Gateway(FastAPI):
    """The framework behind a door of our own.

    What the framework puts around its middleware costs a hot request as much as reading it; nothing of it does
    anything for one.
    """

    door: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self.door(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the door does not serve itself."""
        await super().__call__(scope, receive, send)


def create_app(settings: Settings, *, ledger: Path | None = None, build: Callable[[], Cell] | None = None) -> FastAPI:
    """The gateway as an ASGI application; mount it, or serve it with uvicorn.

    Args:
        settings: see ``router.serve.settings``.
        ledger: where the ledger lies, if not where the settings say.
        build: makes the cell; a test brings one with its own clock or transport.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        cell = build() if build else open_cell(settings, ledger=ledger)
        app.state.cell = front.cell = cell
        tasks = [asyncio.create_task(work(cell)) for work in (_watch, _judge, _look, keep_up)]
        if cell.quarantine is not None:
            tasks.append(asyncio.create_task(cell.quarantine.keep_watch()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await cell.close()

    app = Gateway(
        title="Stillhouse",
        description="Sends every prompt to the smallest distilled model that answers it well.",
        lifespan=lifespan,
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        # The framework's own telemetry would record the texts of exceptions, and asks three times a request
        # whether somebody has set it up.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(pages)
    app.include_router(kept_answers)
    app.add_exception_handler(StillhouseError, _own_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _bug)
    hot = OBSERVING if settings.server.observe else HOT
    app.door = front = Front(app.behind, hot=hot, shaped=SHAPED, passed=(MEDIA, media_with_company))
    if settings.server.cors_origins:
        app.door = CORSMiddleware(
            app.door,
            allow_origins=settings.server.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    return app


async def _watch(cell: Cell) -> None:
    """Look for another scorer, edited policies, versions, keys and pins."""
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        cell.answers.sweep()
        try:
            cell.reload(await asyncio.to_thread(cell.look))
        except Exception as error:  # noqa: BLE001  (one bad look must not be the last: a pin has to work tomorrow)
            log.error("looking for another scorer, edited policies, keys and pins failed: %s", type(error).__name__)


async def _look(cell: Cell) -> None:
    """Look for servers that have fallen silent, though nobody new may ask them."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        cell.shield.look(cell.clock())


async def _judge(cell: Cell) -> None:
    """Compare the arms of what is on trial, beside the requests."""
    judge = Judge(cell.registry.home, cell.ledger.place, cell.name, cell.shared)
    while True:
        await asyncio.sleep(JUDGE_SECONDS)
        if not cell.taken.trials:
            continue
        try:
            await asyncio.to_thread(judge.look, cell.taken, cell.now_ms())
        except Exception as error:  # noqa: BLE001  (as above: a roll-back has to work tomorrow)
            log.error("comparing the arms of a roll-out failed: %s", type(error).__name__)


def _answer(request: Request, error: StillhouseError, headers: dict[str, str] | None = None) -> Response:
    body: dict[str, dict[str, Any]] = dict(error.body())
    body["error"] = {**body["error"], "request_id": request.scope.get("state", {}).get("request_id")}
    return JSONResponse(body, error.status, headers)


async def _own_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StillhouseError)
    headers = {name.decode(): value.decode("latin-1") for name, value in error_headers(error)}
    return _answer(request, error, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        return _answer(request, MethodNotAllowed(f"{request.method} is not allowed here."), headers)
    hint = f" Is it /v1{path}?" if (path := request.url.path) in BARE else ""
    return _answer(request, NotFound(f"There is nothing at this path; see /openapi.json.{hint}"), headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _answer(request, BadRequest(f"{where}: {first['msg']}", param=where))


async def _bug(request: Request, _error: Exception) -> Response:
    return _answer(request, StillhouseError(A_MISTAKE))
