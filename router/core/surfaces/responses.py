"""``POST /v1/responses``: one request of OpenAI's Responses API as a surface over chat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from router.core.surfaces.base import Carried, frame
from router.core.surfaces.carried import without
from router.core.surfaces.fields import Json
from router.core.surfaces.responses_output import Output
from router.core.surfaces.responses_request import read_responses
from router.core.surfaces.said import Turn, counted, read_turn

_CUT: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
FILTERED: Final = "content_filter"


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept.

    Attributes:
        id: its ``resp_…``.
        body: the whole response object.
        items: JSON of the list of items that were new in its request.
        before: the id of the answer that its conversation continues; empty where it begins one.
    """

    id: str
    body: bytes
    items: bytes
    before: str = ""


class Shelf(Protocol):
    """The answers that are kept for one tenant."""

    def before(self, response_id: str) -> list[Json]:
        """Every item of a conversation up to this answer's own output.

        Raises:
            NotFound: it, or an answer before it, is not kept.
        """
        ...

    def item(self, item_id: str) -> Json:
        """One item of a kept answer's output.

        Raises:
            NotFound: it is not kept.
        """
        ...

    def keep(self, kept: Kept) -> None:
        """Keep an answer; it may be too large, and then it is not kept."""
        ...


class Responses:
    """One request.

    Args:
        body: the caller's.
        mark: unguessable hex digits, the same for all ids of this answer.
        now: seconds since 1970.
        shelf: of the caller's tenant.

    Raises:
        BadRequest, UnsupportedParameter, NotFound: see ``read_responses``.
    """

    def __init__(self, body: bytes, mark: str, now: int, shelf: Shelf) -> None:
        self._asked = read_responses(body, shelf.before, shelf.item)
        self._shelf = shelf
        self._id = f"resp_{mark}"
        self._now = now
        self._output = Output(mark, self._asked.names)
        self._model: str = ""
        self._usage: Json | None = None
        self._finish: str | None = None
        self._number = 0
        self._begun = False
        self.chat = self._asked.chat
        self.carried = Carried(self._asked.carried, without) if self._asked.carried else None

    @property
    def dropped(self) -> Sequence[str]:
        """What was left behind; what only an upstream of this protocol reads is not, where one was asked."""
        if self.carried is None or self.carried.sent:
            return self._asked.dropped
        return [*self._asked.dropped, *self.carried.names]

    def answer(self, body: bytes) -> bytes:
        """A whole answer."""
        turn = read_turn(body)
        said = turn.said
        if self._asked.structured and said.finish == FILTERED:  # words instead of the JSON that a client would parse
            turn = turn._replace(said=said._replace(text="", refusal=said.refusal or said.text))
        self._note(turn)
        for _ in self._output.add(turn.said):
            pass
        for _ in self._output.close(cut=self._cut is not None):
            pass
        return self._ended()

    def event(self, data: bytes) -> bytes:
        """The events of one chat event."""
        turn = read_turn(data)
        self._note(turn)
        return self._opening() + self._framed(self._output.add(turn.said))

    def end(self) -> bytes:
        """What closes the stream: the ends of all items, then the whole answer."""
        closing = self._opening() + self._framed(self._output.close(cut=self._cut is not None))
        kind = "response.incomplete" if self._cut else "response.completed"
        return closing + self._tell(kind, response=msgspec.Raw(self._ended()))

    def error_event(self, body: bytes) -> bytes:
        """An answer that failed: the error, then the answer as far as it came."""
        error: Json = msgspec.json.decode(body)["error"]
        told = {name: error.get(name) for name in ("code", "message", "param")}
        failed = self._response("failed", self._output.shown(cut=True))
        failed["error"] = {"code": error.get("code") or "server_error", "message": error.get("message")}
        return self._opening() + self._tell("error", **told) + self._tell("response.failed", response=failed)

    # --- the answer

    @property
    def _cut(self) -> str | None:
        """Why the answer is not whole, if it is not."""
        return _CUT.get(self._finish or "")

    def _note(self, turn: Turn) -> None:
        self._model = self._model or turn.model or ""
        self._usage = turn.usage or self._usage
        self._finish = turn.said.finish or self._finish

    def _ended(self) -> bytes:
        response = self._response("incomplete" if self._cut else "completed", self._output.shown(cut=bool(self._cut)))
        if self._usage is not None:
            response["usage"] = usage_of(self._usage)
        body = msgspec.json.encode(response)
        # What a guard has stopped is not kept: a conversation that continued it would be stopped again.
        if self._asked.store and self._finish != FILTERED:
            before = self._asked.echo["previous_response_id"] or ""
            self._shelf.keep(Kept(self._id, body, msgspec.json.encode(self._asked.items), before))
        return body

    def _response(self, status: str, output: list[Json]) -> Json:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._now,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": self._cut} if self._cut and status == "incomplete" else None,
            "model": self._model or self._asked.model,
            "output": output,
            **self._asked.echo,
        }

    # --- events

    def _opening(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = self._response("in_progress", [])
        return self._tell("response.created", response=response) + self._tell("response.in_progress", response=response)

    def _framed(self, events: Iterable[Json]) -> bytes:
        return b"".join([self._tell(event.pop("type"), **event) for event in events])

    def _tell(self, kind: str, **more: object) -> bytes:
        data = msgspec.json.encode({"type": kind, "sequence_number": self._number, **more})
        self._number += 1
        return frame(kind, data)


def usage_of(usage: Json) -> Json:
    """Chat's usage in Responses' words."""
    said, written = counted(usage, "prompt_tokens"), counted(usage, "completion_tokens")
    return {
        "input_tokens": said,
        "input_tokens_details": {"cached_tokens": counted(usage, "prompt_tokens_details", "cached_tokens")},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": counted(usage, "completion_tokens_details", "reasoning_tokens")},
        "total_tokens": said + written,
    }
