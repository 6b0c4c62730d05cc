"""Anthropic's Messages as a surface; the translation itself lies in ``router.core.messages``."""

from __future__ import annotations

from collections.abc import Sequence

from router.core.messages.answer import message_of
from router.core.messages.events import EventWriter
from router.core.messages.plain import plain_chat
from router.core.messages.to_chat import Asked, read_messages
from router.core.surfaces.base import Carried, frame
from router.types import Deployment


class Extras(Carried):
    """What a Messages request carries that only a server of the same protocol understands.

    Attributes:
        lost: what the server that was asked last could not be told.
    """

    __slots__ = ("lost",)

    def __init__(self) -> None:
        super().__init__((), lambda body: body, speaks="anthropic")
        self.lost: tuple[str, ...] = ()

    def outgoing(self, body: bytes, speaks: str, deployment: Deployment) -> bytes:
        """The body for one upstream."""
        self.sent, self.lost = speaks == self.speaks, ()
        if not self.sent:
            body, self.lost = plain_chat(body, reasons=deployment.reasoning)
        return body


class MessagesSurface:
    """One Messages request; see ``Surface``."""

    __slots__ = ("_asked", "_extras", "_writer", "carried", "chat")

    def __init__(self, body: bytes, betas: Sequence[str] = (), *, counting: bool = False) -> None:
        self._asked: Asked = read_messages(body, betas, counting=counting)
        self._extras = Extras()
        self.chat = self._asked.chat
        self.carried: Carried | None = self._extras if self._asked.rich else None
        self._writer = EventWriter(thinks=self._asked.thinks, stops=self._asked.stops)

    @property
    def dropped(self) -> Sequence[str]:
        """What travelled nowhere, and what the server that answered could not be told."""
        return (*self._asked.dropped, *self._extras.lost)

    def answer(self, body: bytes) -> bytes:
        """A whole ``chat.completion`` as a message."""
        return message_of(body, thinks=self._asked.thinks, stops=self._asked.stops)

    def event(self, data: bytes) -> bytes:
        """One ``chat.completion.chunk`` as events."""
        return self._writer.feed(data)

    def end(self) -> bytes:
        """What closes the message."""
        return self._writer.end()

    def error_event(self, body: bytes) -> bytes:
        """An error in the middle of a stream."""
        return frame("error", body)
