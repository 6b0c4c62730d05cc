"""Who reads an answer while it passes and cannot disturb it: what it cannot read, it says nothing of."""

from __future__ import annotations

from typing import Final

from guardrails.views import ToolCall
from router.core.surfaces.from_responses import chat_of
from router.core.tokens import estimate_tokens
from router.core.wire import (
    AnswerChoice,
    ChunkChoice,
    WireUsage,
    choice_calls,
    choice_sites,
    delta_names,
    delta_sites,
    finish_word,
    given,
    read_answer,
    read_choice,
    read_chunk,
    read_usage,
)
from router.serve.guards.onlooker import Said, is_call
from router.types import Usage
from router.upstream.responses import ResponsesDecoder
from router.upstream.sse import EventDecoder

#: Code points of an answer that are kept for the guards; a longer one is counted, and not judged.
MOST_TEXT: Final = 2_000_000


class Witness:
    """One an answer.

    Attributes:
        usage: the upstream's own count; None where it gave none.
        finish_reason: the upstream's last word.
        tokens: an estimate of the answer's tokens.
        deaf: something could not be read, or was too long to be kept; ``texts`` is not the whole answer.
    """

    def __init__(self, decoder: EventDecoder | None = None) -> None:
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.tokens = 0
        self.deaf = False
        self._decoder = decoder or EventDecoder()
        self._lost = False  # where in the stream we are
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._kept = 0

    @property
    def heard(self) -> bool:
        """Whether there was an answer at all."""
        return bool(self._texts) or self.usage is not None

    def texts(self) -> list[tuple[int, str, str]]:
        """Choice, path and text of everything that was said, in the order in which it began."""
        return [(index, path, "".join(parts)) for (index, path), parts in self._texts.items()]

    def said(self) -> list[Said]:
        """Each choice as the guards of tool calls see it."""
        texts = self.texts()
        return [
            Said(
                choice,
                "".join(text for index, path, text in texts if index == choice and path == "content"),
                tuple(
                    ToolCall(self._names.get((index, path), ""), text, path)
                    for index, path, text in texts
                    if index == choice and is_call(path)
                ),
            )
            for choice in dict.fromkeys(index for index, _, _ in texts)
        ]

    def whole(self, body: bytes) -> None:
        """Read a whole answer."""
        try:
            answer = read_answer(body)
            self._count(read_usage(answer.usage))
            for raw in answer.choices:
                choice = read_choice(raw)
                self._ended(choice)
                for name, _, path in choice_calls(choice):
                    self._names[choice.index, path] = name
                for site in choice_sites(choice):
                    self._hear(choice.index, site.path, site.text)
        except Exception:  # noqa: BLE001  (the answer is on its way; nothing here may stop it)
            self.deaf = True

    def bytes_of_events(self, data: bytes) -> None:
        """Read some bytes of a stream, cut anywhere."""
        if self._lost:
            return
        try:
            events = self._decoder.feed(data)
        except Exception:  # noqa: BLE001  (as above)
            self.deaf = self._lost = True
            return
        for event in events:
            self.event(event)

    def event(self, data: bytes) -> None:
        """Read one event of a stream."""
        try:
            chunk = read_chunk(data)
            self._count(read_usage(chunk.usage))
            for choice in chunk.choices or ():
                self._ended(choice)
                for path, name in delta_names(choice):
                    self._names[choice.index, path] = self._names.get((choice.index, path), "") + name
                for site in delta_sites(choice):
                    self._hear(choice.index, site.path, site.text)
        except Exception:  # noqa: BLE001  (as above)
            self.deaf = True

    def _count(self, usage: WireUsage | None) -> None:
        if usage is not None:
            self.usage = Usage(
                input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, cached_tokens=usage.cached
            )

    def _ended(self, choice: AnswerChoice | ChunkChoice) -> None:
        if given(choice.finish_reason):
            self.finish_reason = finish_word(choice)

    def _hear(self, index: int, path: str, text: str) -> None:
        self.tokens += estimate_tokens(text)
        self._kept += len(text)
        if self._kept > MOST_TEXT:
            self.deaf = True
        else:
            self._texts.setdefault((index, path), []).append(text)


class ResponsesWitness(Witness):
    """Reads answers of Responses."""

    def __init__(self) -> None:
        super().__init__(ResponsesDecoder())

    def whole(self, body: bytes) -> None:
        """Read a whole answer."""
        try:
            chat = chat_of(body)
        except ValueError:
            self.deaf = True
            return
        super().whole(chat)


class CompletionsWitness(Witness):
    """Reads what an answer of before chat used. Its text is left unread, and the record says so."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf = True
