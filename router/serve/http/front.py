"""The outermost middleware: a request id for every answer, and the shortest way to the hot routes.

Pure ASGI. The hot routes never enter the framework's router; everything else passes through with the
id added to its head.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from router.errors import MethodNotAllowed, Overloaded, StillhouseError
from router.serve.http.bodies import BIG, check_heavy, whose
from router.serve.http.exchange import (
    Exchange,
    Incoming,
    Receive,
    Scope,
    Send,
    check_head,
    check_repeats,
    read_body,
    until_gone,
)

if TYPE_CHECKING:
    from router.serve.cell import Cell

Handler = Callable[["Cell", Incoming, Exchange], Awaitable[None]]
Passing = Callable[["Cell", str, Incoming, Receive, Exchange], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
WATCH_AFTER = 0.1  # seconds from the whole request to the first look whether its caller is still there


class Ids:
    """Request ids: unguessable, so that one can name a record. Randomness is fetched for many at a time."""

    __slots__ = ("_at", "_pool")
    _BYTES = 12
    _POOL = 12 * 256

    def __init__(self) -> None:
        self._pool, self._at = "", 0

    def new(self) -> str:
        """``req_`` and 24 hex digits."""
        if self._at == len(self._pool):
            self._pool, self._at = os.urandom(self._POOL).hex(), 0
        at, self._at = self._at, self._at + 2 * self._BYTES
        return "req_" + self._pool[at : self._at]


class Front:
    """Routes hot paths to their handlers, the rest to ``app``.

    Args:
        app: the framework.
        state: the application's state; holds the cell once the lifespan has begun.
        hot: path -> handler of POST.
        shaped: the same for paths with a name in them, by their pattern.
        passed: the handler of paths whose bodies are not read here but passed on, and their pattern.
    """

    def __init__(
        self, app: App, *, state: Any, hot: Mapping[str, Handler], shaped: Mapping[re.Pattern[str], Handler],
        passed: tuple[re.Pattern[str], Passing] | None = None,
    ) -> None:  # fmt: skip
        self._app = app
        self._state = state
        self._hot = hot
        self._shaped = shaped
        self._passed = passed
        self._ids = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._ids.new()
        handler = self._hot.get(scope["path"]) or self._by_shape(scope)
        if handler is not None:
            await self._serve(handler, scope, receive, Exchange(receive, send, request_id))
            return
        if self._passed is not None and self._passed[0].fullmatch(scope["path"]):
            await self._pass(self._passed[1], scope, receive, Exchange(receive, send, request_id))
            return
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["method"] == "HEAD":  # the server leaves the body out; everything else is as for GET
            scope = {**scope, "method": "GET"}
        mark = (b"x-request-id", request_id.encode())

        async def send_marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), mark]
            await send(message)

        await self._app(scope, receive, send_marked)

    def _by_shape(self, scope: Scope) -> Handler | None:
        """What is not found at once: a slash too many at the end, or a name in the path."""
        path = scope["path"]
        if path.endswith("/") and path != "/":
            scope["path"] = path = path.rstrip("/") or "/"
            if path in self._hot:
                return self._hot[path]
        return next((handler for shape, handler in self._shaped.items() if shape.fullmatch(path)), None)

    async def _serve(self, handler: Handler, scope: Scope, receive: Receive, out: Exchange) -> None:
        cell: Cell = self._state.cell
        mark = [(b"x-request-id", out.request_id.encode())]
        cell.active += 1
        held = 0
        tenant: str | None = None
        try:
            if scope["method"] != "POST":
                error = MethodNotAllowed(f"{scope['path']} takes POST only.")
                await _spoken(handler, out).error(error, [*mark, (b"allow", b"POST")])
                return
            if cell.draining:
                raise Overloaded("The gateway is shutting down; try again.", retry_after="1")
            headers = dict(scope["headers"])
            if len(headers) != len(scope["headers"]):
                check_repeats(scope["headers"])
            limit = int(cell.settings.server.max_body_mb * 1024 * 1024)
            size = check_head(headers, limit)
            if size > BIG:
                tenant = whose(cell, headers)
                check_heavy(cell, tenant, headers)
            cell.bodies.take(size, tenant)
            held = size
            body = await read_body(receive, limit)
            if body is not None:
                if len(body) < held:
                    cell.bodies.give_back(held - len(body), tenant)
                    held = len(body)
                await self._with_company(handler, cell, Incoming(scope["path"], headers, body, out.request_id), out)
        except StillhouseError as error:
            await _spoken(handler, out).error(error, mark)
        finally:
            cell.active -= 1
            if held:
                cell.bodies.give_back(held, tenant)

    async def _pass(self, handler: Passing, scope: Scope, receive: Receive, out: Exchange) -> None:
        cell: Cell = self._state.cell
        cell.active += 1
        try:
            if cell.draining:
                raise Overloaded("The gateway is shutting down; try again.", retry_after="1")
            headers = dict(scope["headers"])
            if len(headers) != len(scope["headers"]):
                check_repeats(scope["headers"])
            head = Incoming(scope["path"], headers, b"", out.request_id)
            await handler(cell, scope["method"], head, receive, out)
        except StillhouseError as error:
            await out.error(error, [(b"x-request-id", out.request_id.encode())])
        finally:
            cell.active -= 1

    @staticmethod
    async def _with_company(handler: Handler, cell: Cell, incoming: Incoming, out: Exchange) -> None:
        """Run the handler while watching the caller: who leaves takes the upstream's work along."""
        task = asyncio.current_task()
        assert task is not None
        watch = Watch(out, task)
        try:
            await handler(cell, incoming, out)
        except asyncio.CancelledError:
            if not watch.done():
                raise  # somebody else cancelled us: the server is stopping
            task.uncancel()
        finally:
            watch.cancel()


def _spoken(handler: Handler, out: Exchange) -> Exchange:
    """``out`` in the tongue of a path whose handler could not begin."""
    spoken: Callable[[Exchange], Exchange] | None = getattr(handler, "spoken", None)
    return spoken(out) if spoken else out


class Watch:
    """Cancels ``work`` when the caller leaves.

    It begins to look only after a moment: a task for it costs as much as a guard, and most of what is answered
    sooner would be over before anybody could be told to stop.
    """

    __slots__ = ("_out", "_task", "_timer", "_work")

    def __init__(self, out: Exchange, work: asyncio.Task[None]) -> None:
        self._out, self._work = out, work
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(until_gone(self._out, self._work))

    def done(self) -> bool:
        """Whether the caller has left and the work was told to stop."""
        return self._task is not None and self._task.done()

    def cancel(self) -> None:
        """The work is over: nobody is watched any more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
