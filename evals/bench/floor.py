"""The floor: the least a Python gateway can do. A bare ASGI application that passes bytes on with aiohttp.

No key, no routing, no guard, no record. Everything measured is given as a ratio to this, because a ratio
travels between machines and absolute figures do not.

    BENCH_UPSTREAM=http://127.0.0.1:28600 uvicorn evals.bench.floor:app --port 28601
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Floor:
    """Passes every request to the upstream of the environment and its answer back as it arrives."""

    def __init__(self) -> None:
        self._upstream = os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:28600")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve the lifespan and requests."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._pass_on(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with self._session.post(self._upstream + scope["path"], data=body, headers=headers) as answer:
            kind = answer.headers.get("content-type", "application/json")
            fields = [(b"content-type", kind.encode())]
            if answer.content_length is None:
                await send({"type": "http.response.start", "status": answer.status, "headers": fields})
                async for chunk in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            whole = await answer.read()
            fields.append((b"content-length", str(len(whole)).encode()))
            await send({"type": "http.response.start", "status": answer.status, "headers": fields})
            await send({"type": "http.response.body", "body": whole})


app = Floor()
