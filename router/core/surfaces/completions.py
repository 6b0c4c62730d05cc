"""``POST /v1/completions``: the protocol before chat. A prompt is one message of the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from router.core.surfaces.base import Carried
from router.core.surfaces.fields import Json, body_of, encoded, model_of, object_at, refuse_chats, text_at
from router.core.surfaces.said import said_in
from router.errors import BadRequest, UnsupportedParameter

PATH: Final = "/v1/completions"
DEFAULT_MAX_TOKENS: Final = 16  # the protocol's own, where a request names none
_CHATS: Final = {"messages": "prompt", "max_completion_tokens": "max_tokens", "functions": "", "tools": ""}
_REFUSED: Final = {
    "suffix": "no model here fills in between two texts",
    "echo": "the prompt is not repeated in the answer",
    "logprobs": "log-probabilities are told at /v1/chat/completions only",
}
_READ: Final = frozenset({"prompt", "max_tokens", "best_of", "stream_options", *_REFUSED})


class Completions:
    """One request.

    Raises:
        BadRequest: a field has the wrong shape.
        UnsupportedParameter: something that chat cannot do.
    """

    def __init__(self, body: bytes) -> None:
        asked = body_of(body)
        model_of(asked)
        refuse_chats(asked, _CHATS, PATH)
        for name, why in _REFUSED.items():
            if asked.get(name) is not None and asked[name] is not False and asked[name] != "":
                raise UnsupportedParameter(f"'{name}' is not supported at {PATH}: {why}.", param=name)
        _one_best(asked)
        chat = {name: value for name, value in asked.items() if name not in _READ}
        chat["messages"] = [{"role": "user", "content": _prompt(asked.get("prompt"))}]
        limit = asked.get("max_tokens")
        chat["max_completion_tokens"] = DEFAULT_MAX_TOKENS if limit is None else limit
        if asked.get("stream") is True:
            options = asked.get("stream_options")
            chat["stream_options"] = {} if options is None else object_at(options, "stream_options")
        self.chat = encoded(chat)
        self.carried: Carried | None = None
        self._dropped: list[str] = []

    @property
    def dropped(self) -> Sequence[str]:
        """Thoughts of the answer: this protocol has no place for them."""
        return self._dropped

    def answer(self, body: bytes) -> bytes:
        """A whole answer."""
        return msgspec.json.encode(self._told(msgspec.json.decode(body)))

    def event(self, data: bytes) -> bytes:
        """One event; empty for one that says nothing here."""
        chunk: Json = msgspec.json.decode(data)
        told = self._told(chunk)
        if not told["choices"] and told.get("usage") is None:
            return b""
        return b"data: " + msgspec.json.encode(told) + b"\n\n"

    def end(self) -> bytes:
        """What closes the stream."""
        return b"data: [DONE]\n\n"

    def error_event(self, body: bytes) -> bytes:
        """An error inside the stream."""
        return b"data: " + body + b"\n\n"

    def _told(self, chat: Json) -> Json:
        choices = [self._choice(choice) for choice in chat.get("choices") or () if isinstance(choice, dict)]
        told = {
            "id": f"cmpl-{str(chat.get('id') or '').removeprefix('chatcmpl-')}",
            "object": "text_completion",
            "created": chat.get("created"),
            "model": chat.get("model"),
            "choices": choices,
        }
        return told | ({"usage": chat["usage"]} if chat.get("usage") is not None else {})

    def _choice(self, choice: Json) -> Json:
        said = said_in(choice)
        if said.thought and "choices[].reasoning" not in self._dropped:
            self._dropped.append("choices[].reasoning")
        text, finish = said.text + said.refusal, said.finish
        return {"text": text, "index": choice.get("index", 0), "logprobs": None, "finish_reason": finish}


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, list) and all(isinstance(one, str) for one in prompt):
        if len(prompt) != 1:
            words = "One prompt a request: send them one by one, or in parallel."
            raise UnsupportedParameter(words, param="prompt")
        return text_at(prompt[0], "prompt[0]")
    if isinstance(prompt, list):
        raise UnsupportedParameter("'prompt' must be text: guards read no tokens.", param="prompt")
    if prompt is None:
        raise BadRequest("You must provide a 'prompt'.", param="prompt")
    return text_at(prompt, "prompt")


def _one_best(asked: Json) -> None:
    best, count = asked.get("best_of"), asked.get("n")
    if best is not None and best not in (1, count):
        words = "'best_of' is not supported: ask for 'n' answers and choose among them."
        raise UnsupportedParameter(words, param="best_of")
