"""Changing a few values of a body while every other byte stays as it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec import Raw


class Edit(NamedTuple):
    """Replace ``body[start:end]`` with ``new``."""

    start: int
    end: int
    new: bytes


def splice(body: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits that do not overlap; every other byte stays.

    Raises:
        ValueError: two edits overlap or lie outside the body.
    """
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits) if len(edits) > 1 else edits:
        if not at <= start <= end <= len(body):
            raise ValueError("edits overlap or lie outside the body")
        parts += (body[at:start], new)
        at = end
    parts.append(body[at:])
    return b"".join(parts)


def _address(buffer: Any) -> int:
    interface = np.frombuffer(buffer, np.uint8).__array_interface__
    return int(interface["data"][0])


_SHORT = 4096  # bytes; in so few a value is looked for faster than its address is asked for


def span(body: bytes, raw: Raw) -> tuple[int, int]:
    """Where ``raw`` lies in the ``body`` it was decoded from.

    Raises:
        ValueError: it was not decoded from this very buffer.
    """
    view = memoryview(raw)
    if len(body) <= _SHORT:
        start = body.find(view)
        if start >= 0 and body.find(view, start + 1) < 0:  # what is written once only lies there
            return start, start + view.nbytes
    start = _address(view) - _address(body)
    if not 0 <= start <= len(body) - view.nbytes:
        raise ValueError("the value does not lie in this buffer")
    return start, start + view.nbytes
