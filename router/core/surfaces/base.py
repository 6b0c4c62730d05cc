"""What a protocol must be able to do. One object serves one request and keeps where its stream stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from router.types import Deployment

MOST_DROPPED = 512  # characters of the header that names what was dropped


class Carried:
    """What stands in a surface's ``chat`` although chat does not know it, for upstreams of the same protocol.

    It stands where guards read it, so it is guarded as the rest is. ``without`` takes it out for all other upstreams.

    Args:
        names: the fields, as the caller calls them.
        without: ``chat`` as it was forwarded -> the same for an upstream that does not know the protocol.
        speaks: the protocol of upstreams that do.

    Attributes:
        sent: whether the upstream that was asked last got it.
    """

    __slots__ = ("names", "sent", "speaks", "without")

    def __init__(self, names: Sequence[str], without: Callable[[bytes], bytes], *, speaks: str = "responses") -> None:
        self.names = names
        self.without = without
        self.speaks = speaks
        self.sent = False

    def outgoing(self, body: bytes, speaks: str, deployment: Deployment) -> bytes:  # noqa: ARG002
        """The body for one upstream.

        Args:
            body: ``chat`` as it is forwarded.
            speaks: the upstream's protocol.
            deployment: the one that is asked.
        """
        self.sent = speaks == self.speaks
        return body if self.sent else self.without(body)


class Surface(Protocol):
    """One request in another protocol.

    Attributes:
        chat: the same request as the JSON bytes of an OpenAI chat completion.
        carried: what of it only an upstream of the same protocol understands; None where there is nothing.
    """

    chat: bytes
    carried: Carried | None

    @property
    def dropped(self) -> Sequence[str]:
        """What the request carried that was left behind, by field name; told in ``x-stillhouse-dropped``."""
        ...

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


def dropped_words(dropped: Sequence[str]) -> str:
    """Field names for a header: each once, printable, as many as fit."""
    words = ""
    for name in dict.fromkeys(dropped):
        clean = "".join(c if c.isascii() and (c.isalnum() or c in "_-.[]:") else "_" for c in name[:64])
        longer = f"{words}, {clean}" if words else clean
        if len(longer) > MOST_DROPPED:
            return words
        words = longer
    return words


def frame(name: str, data: bytes) -> bytes:
    """A server-sent event with a name."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


Read = Callable[[bytes, str], Surface]  # body, tenant -> the request
