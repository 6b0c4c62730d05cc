"""Steering by HAProxy: the configuration, the map from keys to cells, and the words for when no cell answers.

A new key needs a reload (``systemctl reload haproxy``), which loses no connection. Each list of cells is a backend
with ``balance first``: the first cell that is up serves, and the one retry goes to the next, because a server that has
just refused is avoided. Servers of a list track the one check of their cell.
"""

from __future__ import annotations

import json
from typing import Any

from router.core.steering.base import (
    HEALTH,
    NOBODY,
    READY,
    REFUSAL,
    TWO_KEYS,
    Place,
    Steering,
    prefixes,
    route_name,
)

MAIN, MAP, NOBODY_FILE = "haproxy.cfg", "keys.map", "503.http"
_RETRY_ON = {"unsent": "conn-failure", "unanswered": "conn-failure empty-response"}
_REFUSED = "in.refused"


def files(steering: Steering, folder: str) -> dict[str, str]:
    """The files by name, in the order in which they must be replaced.

    Args:
        steering: what to say.
        folder: where they will lie, absolute: the configuration names the others.
    """
    return {MAP: keys_map(steering), NOBODY_FILE: nobody(), MAIN: config(steering, folder)}


def keys_map(steering: Steering) -> str:
    """How a key's header begins, and where it goes; one line each."""
    lines = [
        f"{prefix.replace(' ', '_')} {route_name(cells)}"
        for key, cells in steering.keys.items()
        for prefix in prefixes(key)
    ]
    return "".join(f"{line}\n" for line in lines)


def nobody() -> str:
    """The whole answer, head and body, when no cell of a tenant is up."""
    body = _error(NOBODY)
    head = (
        "HTTP/1.1 503 Service Unavailable", "content-type: application/json", "retry-after: 1",
        f"content-length: {len(body.encode())}", "connection: close",
    )  # fmt: skip
    return "\r\n".join(head) + "\r\n\r\n" + body


def config(steering: Steering, folder: str) -> str:
    """``haproxy.cfg``."""
    parts = [_defaults(steering, folder), _front(steering, folder)]
    parts += [_check(place, steering) for place in steering.places]
    parts += [_list(route, steering) for route in steering.routes()]
    head = "# Made by 'stillhouse cells proxy'; changes are lost when it is made again. It holds no secret.\n"
    return head + "\n".join(parts)


def _defaults(steering: Steering, folder: str) -> str:
    timing = steering.timing
    return f"""\
global
    tune.bufsize 32768

defaults
    mode http
    option http-no-delay
    option redispatch 1
    retries 1
    retry-on {_RETRY_ON[steering.resend]}
    timeout connect {_ms(timing.connect)}
    timeout check {_ms(timing.check_timeout)}
    timeout client {_ms(timing.idle)}
    timeout server {_ms(timing.idle)}
    timeout http-request 10s
    timeout queue 1s
    errorfile 503 {folder}/{NOBODY_FILE}
"""


def _front(steering: Steering, folder: str) -> str:
    # A map's lines are split at blanks, so the blank after 'Bearer' is written as '_' on both sides.
    authorization = f"req.hdr(authorization),regsub(^Bearer\\ ,Bearer_),map_beg({folder}/{MAP})"
    last = route_name((steering.strangers,)) if steering.strangers else _REFUSED
    return f"""\
frontend in.callers
    bind {_at(steering.host, steering.port)}
    monitor-uri {HEALTH}
    http-request return status 400 content-type application/json string {_quoted(TWO_KEYS)} if {{ req.hdr_cnt(authorization) gt 1 }} or {{ req.hdr_cnt(x-api-key) gt 1 }}
    http-request set-var(txn.cells) {authorization}
    http-request set-var(txn.cells) req.hdr(x-api-key),map_beg({folder}/{MAP}) if !{{ var(txn.cells) -m found }}
    use_backend %[var(txn.cells)] if {{ var(txn.cells) -m found }}
    default_backend {last}

backend {_REFUSED}
    http-request return status 401 content-type application/json string {_quoted(REFUSAL)}
"""  # noqa: E501  (one line is one rule)


def _check(place: Place, steering: Steering) -> str:
    timing = steering.timing
    rhythm = f"inter {_ms(timing.check_every)} fall {timing.down_after} rise {timing.up_after}"
    return f"""\
backend {place.name}
    option httpchk GET {READY}
    http-check expect status 200
    server {place.name} {_at(place.host, place.port)} check {rhythm}
"""


def _list(route: tuple[str, ...], steering: Steering) -> str:
    places = {place.name: place for place in steering.places}
    servers = "".join(
        f"    server {name} {_at(places[name].host, places[name].port)} track {name}/{name}\n" for name in route
    )
    return f"backend {route_name(route)}\n    balance first\n{servers}"


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _error(error: dict[str, Any]) -> str:
    return json.dumps({"error": error}, ensure_ascii=False)


def _quoted(error: dict[str, Any]) -> str:
    r"""As one word of the configuration: in single quotes, which nothing but a single quote ends."""
    return "'" + _error(error).replace("'", r"'\''") + "'"
