"""The one Protocol that every upstream keeps, and the deadline that travels with a call.

An upstream takes the body of an OpenAI chat completion and gives back OpenAI bytes. It raises only
``router.errors.UpstreamError``; which class is decided in ``router.upstream.errormap``, once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

import msgspec


class Deadline(msgspec.Struct, frozen=True):
    """Time limits of one call in seconds. ``gap`` is the longest silence inside a stream."""

    connect: float = 5.0
    first_byte: float = 120.0
    gap: float = 60.0
    total: float = 600.0


class Reply(msgspec.Struct, frozen=True):
    """A whole answer: the JSON bytes of a ``chat.completion`` (or another endpoint's object)."""

    body: bytes
    request_id: str | None = None


@runtime_checkable
class StreamReply(Protocol):
    """An answer in events. Opening it has already read and checked the first one.

    ``waiting`` is true while ``events`` yields one whose successor is here already; false where that is not known.
    """

    request_id: str | None
    waiting: bool

    def events(self) -> AsyncIterator[bytes]:
        """Yield the JSON bytes of each ``chat.completion.chunk``, the first one included.

        Ends when the upstream said ``[DONE]``; raises an ``UpstreamError`` when it fell silent,
        broke off or sent something else.
        """
        ...

    async def close(self) -> None:
        """Stop the upstream's work. Safe to call twice, and after the end."""
        ...


class Upstream(Protocol):
    """One place where models answer."""

    name: str

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        """Ask for a whole answer. Cancelling the task stops the upstream."""
        ...

    async def chat_stream(self, body: bytes, deadline: Deadline) -> StreamReply:
        """Ask for a stream; returns once the first event has been read and found good."""
        ...

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:
        """Ask for embeddings; ``UpstreamRejected`` with ``unsupported_parameter`` where there are none."""
        ...

    async def models(self, deadline: Deadline) -> list[str]:
        """Names of the models it lists; empty where it has no listing."""
        ...

    async def close(self) -> None:
        """Release connections and processes."""
        ...
