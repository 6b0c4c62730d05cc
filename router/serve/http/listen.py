"""How the gateway listens: the one place that says how uvicorn is set up, for the command and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uvicorn

from router.serve.http.edge import edge_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from router.serve.settings import ServerSettings


def server_config(app: FastAPI, server: ServerSettings, **more: Any) -> uvicorn.Config:
    """Uvicorn's settings; ``more`` overrides."""
    chosen: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "loop": "uvloop",
        "http": edge_of(server.read_seconds, server.stuck_seconds),
        "ws": "none",
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": int(server.drain_seconds),
        "ssl_certfile": server.tls_cert,
        "ssl_keyfile": server.tls_key,
    }
    return uvicorn.Config(app, **{**chosen, **more})
