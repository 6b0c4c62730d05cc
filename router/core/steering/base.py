"""What a proxy has to know to steer tenants to their cells. Nothing secret: of a key its public id, never more.

A token is ``sk-stillhouse-<id>-<secret>``, so how it begins says whose it is, and a proxy that compares the beginning
needs no secret and asks nobody. Whether the token is real is the cell's to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from router.core.cells import Cells
from router.types import Frozen

Resend = Literal["unsent", "unanswered"]

TOKEN = "sk-stillhouse-"  # noqa: S105  (how every token begins)
HEALTH = "/healthz"  # answered by the proxy itself
READY = "/readyz"  # asked of each cell


class Place(Frozen, frozen=True, kw_only=True):
    """Where a cell listens."""

    name: str
    host: str
    port: int


class Timing(Frozen, frozen=True, kw_only=True):
    """Seconds, and counts of checks in a row.

    Attributes:
        connect: until a cell has taken a connection.
        idle: without a byte in either direction, before the request is given up.
        check_every: between two health checks of a cell. check_timeout: for one.
        down_after: failed checks before a cell gets no more requests. up_after: good ones before it does again.
    """

    connect: float = 1.0
    idle: float = 600.0
    check_every: float = 0.5
    check_timeout: float = 1.0
    down_after: int = 2
    up_after: int = 2


class Steering(Frozen, frozen=True, kw_only=True):
    """Everything that a proxy's configuration is made of.

    Attributes:
        host, port: where the proxy listens.
        places: the cells.
        keys: id of a key -> the cells of its tenant, home first.
        strangers: the cell that answers whoever brings no known key; None lets the proxy refuse them itself.
        resend: what may be sent to the next cell, once, when a cell does not answer: only what it has certainly not
            begun to read (``unsent``), or also what it has not answered yet (``unanswered``; it may then be done,
            and paid, twice).
        timing: how long things may take.
    """

    host: str
    port: int
    places: tuple[Place, ...]
    keys: Mapping[str, tuple[str, ...]]
    strangers: str | None = None
    resend: Resend = "unsent"
    timing: Timing = Timing()

    def routes(self) -> list[tuple[str, ...]]:
        """Every list of cells that somebody is steered to, each once, sorted."""
        wanted = set(self.keys.values())
        return sorted(wanted | {(self.strangers,)} if self.strangers else wanted)


def keys_to_cells(cells: Cells, keys: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Key id -> cells, from pairs of key id and tenant; sorted, so that equal keys give equal bytes."""
    return {key: cells.of(tenant) for key, tenant in sorted(keys)}


def prefixes(key: str) -> tuple[str, str]:
    """How the two headers begin that may carry a key: ``authorization`` and ``x-api-key``."""
    return f"Bearer {TOKEN}{key}-", f"{TOKEN}{key}-"


def route_name(route: tuple[str, ...]) -> str:
    """A route's name inside a proxy."""
    return ".".join(("to", *route))  # no cell has a dot in its name


REFUSAL = {
    "message": "The API key is not known here. Send 'Authorization: Bearer sk-stillhouse-…'.",
    "type": "authentication_error", "param": None, "code": "invalid_api_key",
}  # fmt: skip
TWO_KEYS = {
    "message": "The request carries two API keys; send one.",
    "type": "invalid_request_error", "param": None, "code": "invalid_request_error",
}  # fmt: skip
NOBODY = {
    "message": "No cell of this tenant can take the request now; try again.",
    "type": "server_error", "param": None, "code": "overloaded",
}  # fmt: skip
