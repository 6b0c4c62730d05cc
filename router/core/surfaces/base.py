"""What a protocol must be able to do. One object serves one request and keeps where its stream stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Surface(Protocol):
    """One request in another protocol.

    Attributes:
        chat: the same request as the JSON bytes of an OpenAI chat completion.
        dropped: what it carried that chat cannot, by field name; told in the header ``x-stillhouse-dropped``.
    """

    chat: bytes
    dropped: Sequence[str]

    def answer(self, body: bytes) -> bytes:
        """A whole ``chat.completion`` as this protocol's answer."""
        ...

    def event(self, data: bytes) -> bytes:
        """One ``chat.completion.chunk`` as this protocol's events, framed for the wire; empty where it says nothing."""
        ...

    def end(self) -> bytes:
        """What closes a stream, framed for the wire."""
        ...

    def error_event(self, body: bytes) -> bytes:
        """The protocol's own error object as the last event of a stream, framed for the wire."""
        ...
