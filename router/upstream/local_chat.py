"""An OpenAI chat completion to the local engine's words and back. Pure: no engine, no I/O.

The engine knows many parameters of its own (files, adapters, slots); only those of the OpenAI
interface that it can honour are passed on, everything else a caller sends is left behind.
"""

from __future__ import annotations

import json
import re
from typing import Any

# What the engine honours of the OpenAI interface, and three sampling words that many clients use.
PASSED_ON = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "min_p",
        "presence_penalty",
        "repeat_penalty",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_logprobs",
        "top_p",
    }
)
_TOOL_FIELDS = ("tools", "tool_choice", "parallel_tool_calls")
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_MESSAGE_FIELDS = ("name", "tool_calls", "tool_call_id", "reasoning_content")
_SEED_BITS = 32
# A small model that loses its way goes on until its context is full, which takes minutes on a processor.
DEFAULT_MAX_TOKENS = 512

# The engine reads a template's control words wherever they stand, so a caller's text could close its
# own turn and open a system turn. A zero-width space keeps such a word readable and makes it text.
_CONTROL_WORD = re.compile(r"<(?=\|\w+\|>|\uff5c[^\uff5c<>]{1,40}\uff5c>|(?:start|end)_of_turn>)|\[(?=/?INST\])")

_OWN_FAULT = re.compile(r"^Field '(?P<field>\w+)'")
_OVERFLOW = "exceed_context_size_error"


class Refused(Exception):
    """The request cannot be answered by this model: an HTTP status, a code, words and the field at fault."""

    def __init__(
        self, message: str, *, param: str | None, code: str = "invalid_request_error", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status

    def payload(self) -> bytes:
        """The JSON object that goes to the gateway."""
        words = {"status": self.status, "code": self.code, "message": self.message, "param": self.param}
        return json.dumps(words).encode()


def engine_request(body: bytes, *, tools: bool, prompt_cache: bool) -> dict[str, Any]:
    """What the engine is asked, always as a stream, so that every answer can be stopped.

    Args:
        body: JSON of an OpenAI chat completion request.
        tools: whether the model's template knows tools.
        prompt_cache: whether the engine may reuse the tokens of the request before.

    Raises:
        Refused: the body is not such a request or asks for what the model cannot do.
    """
    try:
        request = json.loads(body)
    except ValueError:
        raise Refused("The body is not JSON.", param=None, code="invalid_json") from None
    if not isinstance(request, dict):
        raise Refused("The body must be a JSON object.", param=None, code="invalid_json")
    asked = {field: request[field] for field in PASSED_ON if request.get(field) is not None}
    asked["messages"] = _messages(request.get("messages"))
    limit = request.get("max_completion_tokens")
    if limit is not None:
        asked["max_tokens"] = limit
    asked.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    if isinstance(asked.get("seed"), int):
        asked["seed"] = asked["seed"] % (1 << _SEED_BITS)
    if request.get("n") not in {None, 1}:
        raise Refused(
            "A local model gives one choice a request; leave 'n' out or send 1.",
            param="n",
            code="unsupported_parameter",
        )
    if asked.get("top_logprobs") and not asked.get("logprobs"):
        raise Refused("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    if asked.get("logprobs"):
        asked["top_logprobs"] = asked.get("top_logprobs") or 1  # the engine's own default is 20
    asked |= _tools(request, tools)
    return asked | {
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # an event for each batch of the prompt: a chance to stop
        "cache_prompt": prompt_cache,
    }


def _tools(request: dict[str, Any], able: bool) -> dict[str, Any]:
    if not request.get("tools"):
        return {}
    if able:
        return {field: request[field] for field in _TOOL_FIELDS if request.get(field) is not None}
    if request.get("tool_choice") == "none":
        return {}
    raise Refused(
        "This local model cannot call tools; send the request to a tier that can, or leave 'tools' out.",
        param="tools",
        code="unsupported_parameter",
    )


def _messages(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise Refused("'messages' must be a list with at least one message.", param="messages")
    return [_message(message, f"messages.{i}") for i, message in enumerate(value)]


def _message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise Refused("A message must be an object with 'role' and 'content'.", param=where)
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise Refused(f"'role' must be one of {', '.join(_ROLES)}.", param=f"{where}.role")
    plain: dict[str, Any] = {
        "role": _ROLES[role],
        "content": _text(message.get("content"), f"{where}.content", role),
    }
    return plain | {field: message[field] for field in _MESSAGE_FIELDS if message.get(field) is not None}


def _text(content: object, where: str, role: str) -> str:
    """A message's text in one piece: some templates know no parts."""
    if content is None and role == "assistant":
        return ""
    if isinstance(content, str):
        parts = [content]
    elif isinstance(content, list):
        parts = [_part(part, f"{where}.{i}") for i, part in enumerate(content)]
    else:
        raise Refused("'content' must be a string or a list of parts.", param=where)
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("The text is not valid Unicode: half of a surrogate pair stands alone.", param=where) from None
    return _CONTROL_WORD.sub(lambda found: found.group() + "\u200b", text)


def _part(part: object, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, dict) and kind in {"text", "refusal"} and isinstance(part.get(kind), str):
        return str(part[kind])
    if kind in {"image_url", "input_audio", "file"}:
        raise Refused(
            "This local model reads text only; send images, audio and files to a tier that takes them.",
            param=where,
            code="unsupported_parameter",
        )
    raise Refused('A part of \'content\' must be {"type": "text", "text": "…"}.', param=where)


def refusal_of(event: dict[str, Any]) -> Refused:
    """The engine's own error object in the words of the OpenAI interface."""
    error = event["error"]
    if error.get("type") == _OVERFLOW:
        return Refused(
            f"This model's maximum context length is {error.get('n_ctx')} tokens, "
            f"but the messages take {error.get('n_prompt_tokens')}. "
            "Shorten them or use a tier with a longer context.",
            param="messages",
            code="context_length_exceeded",
        )
    return refusal_of_words(str(error.get("message", "")), int(error.get("code", 500)))


def refusal_of_words(words: str, status: int = 400) -> Refused:
    """The same for a message. The engine may quote the prompt in it, so its words are never passed on."""
    if status >= 500:
        return Refused("The local model failed.", param=None, code="upstream_unavailable", status=502)
    found = _OWN_FAULT.match(words)
    if found:
        return Refused(f"The local model does not accept this value of '{found['field']}'.", param=found["field"])
    if "schema" in words or "response_format" in words or "grammar" in words:
        return Refused("The local model cannot follow this 'response_format'.", param="response_format")
    return Refused(
        "The local model's engine does not accept this request; check the types of its parameters.",
        param=None,
    )


class Answer:
    """The engine's events, made OpenAI's: as chunks, or put together as one completion.

    Args:
        model: echoed in the answer.
        fingerprint: ``system_fingerprint``; it names the weights.
        top_logprobs: alternatives a token that the caller asked for.
    """

    def __init__(self, model: str, fingerprint: str, top_logprobs: int = 0) -> None:
        self._shared: dict[str, Any] = {"model": model, "system_fingerprint": fingerprint}
        self._top_logprobs = top_logprobs
        self._begun = False
        self._text: dict[str, list[str]] = {}
        self._logprobs: list[Any] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None

    def chunks(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """The OpenAI chunks of one event of the engine: none while it reads the prompt, else one or two."""
        if event.get("prompt_progress") is not None:
            return []
        head = {
            "id": event["id"],
            "object": "chat.completion.chunk",
            "created": event["created"],
            **self._shared,
        }
        if not event["choices"]:
            usage = event.get("usage")
            return [] if usage is None else [{**head, "choices": [], "usage": usage}]
        choice = event["choices"][0]
        delta = {key: value for key, value in choice["delta"].items() if value is not None and key != "role"}
        made = [] if self._begun else [{"role": "assistant", "content": ""}]
        self._begun = True
        if delta or choice["finish_reason"]:
            made.append(delta)
        last = len(made) - 1
        return [
            {
                **head,
                "choices": [
                    {
                        "index": 0,
                        "delta": delta,
                        "logprobs": self._logprobs_of(choice) if i == last else None,
                        "finish_reason": choice["finish_reason"] if i == last else None,
                    }
                ],
            }
            for i, delta in enumerate(made)
        ]

    def _logprobs_of(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """OpenAI's fields only, and no more alternatives than were asked for."""
        tokens = (choice.get("logprobs") or {}).get("content")
        if not tokens:
            return None
        return {
            "content": [
                _bare(token) | {"top_logprobs": [_bare(other) for other in token["top_logprobs"][: self._top_logprobs]]}
                for token in tokens
            ],
            "refusal": None,
        }

    def add(self, chunk: dict[str, Any]) -> None:
        """Remember a chunk for ``whole``."""
        self._shared |= {"id": chunk["id"], "created": chunk["created"]}
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk["choices"]:
            self._finish = choice["finish_reason"] or self._finish
            if choice["logprobs"]:
                self._logprobs += choice["logprobs"]["content"]
            for key, value in choice["delta"].items():
                if isinstance(value, str):
                    self._text.setdefault(key, []).append(value)
            for call in choice["delta"].get("tool_calls") or ():
                self._add_call(call)

    def _add_call(self, delta: dict[str, Any]) -> None:
        call = self._calls.setdefault(
            delta["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = delta.get("id") or call["id"]
        for key in ("name", "arguments"):
            call["function"][key] += (delta.get("function") or {}).get(key) or ""

    def whole(self) -> dict[str, Any]:
        """The ``chat.completion`` of all chunks that were added."""
        text = {key: "".join(parts) for key, parts in self._text.items() if key != "role"}
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text.pop("content", ""),
            "refusal": None,
            **text,
        }
        if self._calls:
            message["tool_calls"] = [self._calls[i] for i in sorted(self._calls)]
            message["content"] = message["content"] or None
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": self._finish}
        return {"object": "chat.completion", **self._shared, "choices": [choice], "usage": self._usage}


def _bare(token: dict[str, Any]) -> dict[str, Any]:
    return {field: token[field] for field in ("token", "bytes", "logprob")}
