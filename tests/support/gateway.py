"""A running gateway on a real socket, for tests: settings in, a base URL out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from router.serve.app import create_app
from router.serve.cell import Cell, open_cell
from router.serve.http.listen import server_config
from router.serve.settings import Settings


@dataclass(slots=True)
class Gateway:
    """What a test needs of it."""

    url: str
    cell: Cell
    http: httpx.AsyncClient

    @property
    def base_url(self) -> str:
        """For OpenAI clients."""
        return self.url + "/v1"

    async def chat(self, content: Any = "hi", headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """POST a chat completion."""
        body = {"model": "auto", "messages": [{"role": "user", "content": content}], **fields}
        return await self.http.post("/v1/chat/completions", json=body, headers=headers)

    async def record(self, answer: httpx.Response) -> dict[str, Any]:
        """The ledger's record of an answer."""
        record = await asyncio.to_thread(self.cell.ledger.get, answer.headers["x-request-id"])
        assert record is not None
        return record


@contextlib.asynccontextmanager
async def gateway(
    settings: Settings, home: Path, change: Callable[[Cell], None] = lambda cell: None
) -> AsyncIterator[Gateway]:
    """Serve ``settings`` on a free port of the loopback address."""
    cell = open_cell(settings, ledger=home / "ledger.db")
    change(cell)
    app = create_app(settings, build=lambda: cell)
    config = server_config(app, settings.server, host="127.0.0.1", port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    sock = config.bind_socket()
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        try:
            yield Gateway(url, cell, http)
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 20)
            sock.close()
