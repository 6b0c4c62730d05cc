"""A server whose models live behind ``/responses`` only: asked in its own protocol, heard as chat."""

from __future__ import annotations

from router.core.surfaces.from_responses import Chunks, chat_of
from router.core.surfaces.toward_responses import in_responses
from router.errors import UpstreamInvalid, UpstreamRejected
from router.upstream.base import Deadline, Reply
from router.upstream.errormap import error_of_event
from router.upstream.openai import OpenAIStream, OpenAIUpstream
from router.upstream.sse import EventDecoder

_PATH = "/responses"


class ResponsesUpstream(OpenAIUpstream):
    """One base URL with one key; ``straight``, ``embeddings`` and ``models`` are those of any OpenAI server."""

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        reply = await self._whole("POST", _PATH, _asked(body), deadline)
        try:
            chat = chat_of(reply.body)
        except ValueError:
            raise UpstreamInvalid("The model's server sent something that is not a response.") from None
        if chat.startswith(b'{"error"'):
            raise error_of_event(chat)
        return Reply(chat, reply.request_id)

    async def chat_stream(self, body: bytes, deadline: Deadline) -> OpenAIStream:
        return await self._stream(_PATH, _asked(body), deadline, ResponsesDecoder())


def _asked(body: bytes) -> bytes:
    try:
        return in_responses(body)
    except ValueError:
        words = "This model's server gives one choice a request; leave 'n' out or send 1."
        raise UpstreamRejected(words, status=400, code="unsupported_parameter", param="n") from None
    except (TypeError, AttributeError):
        words = "A message or a tool has a shape that this model's server has no word for."
        raise UpstreamRejected(words, status=400, code="invalid_request_error", param="messages") from None


class ResponsesDecoder(EventDecoder):
    """Feed it bytes of a stream of Responses, it gives chat events. ``done`` once the answer has ended or failed."""

    __slots__ = ("_chunks_of",)

    def __init__(self) -> None:
        super().__init__()
        self._chunks_of = Chunks()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The chat events that this chunk completes.

        Raises:
            UpstreamInvalid: an event is too large, or is none of Responses.
        """
        found: list[bytes] = []
        for data in super().feed(chunk):
            try:
                found += self._chunks_of.feed(data)
            except ValueError:
                raise UpstreamInvalid("The model's server sent an event that is not one of a response.") from None
            if self._chunks_of.done:
                self.done = True
                break
        return found
