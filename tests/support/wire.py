"""The OpenAI wire as plain values: bodies and stream events for scripted answers.

Every builder returns the JSON object a real upstream would send, with fixed ids and times, so that two runs
of a test see the same bytes. `sse` turns an object into the bytes of one server-sent event.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = [
    "Json",
    "chunk",
    "comment",
    "completion",
    "dump",
    "embeddings",
    "error",
    "finish",
    "logprobs",
    "models",
    "sse",
    "tokens",
    "tool",
    "usage",
]

Json = dict[str, Any]

_CREATED = 1_790_000_000
_ID = "chatcmpl-scripted"
_MODEL = "scripted-1"


def dump(value: Any) -> bytes:
    """JSON as upstreams write it: compact, and real characters rather than escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def tokens(prompt: int = 7, completion: int = 4, *, cached: int = 0, reasoning: int = 0) -> Json:
    """A usage object, in tokens."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def tool(arguments: str = "", *, name: str | None = None, id: str | None = None, index: int = 0) -> Json:  # noqa: A002 - the wire's word
    """One tool call, whole or as a delta; `name` and `id` come with the first delta only."""
    function: Json = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    call: Json = {"index": index, "function": function}
    return call if id is None else {**call, "id": id, "type": "function"}


def logprobs(*words: str) -> Json:
    """A logprobs object naming each word in the clear, as upstreams do."""
    return {
        "content": [{"token": w, "logprob": -0.25, "bytes": list(w.encode()), "top_logprobs": []} for w in words],
        "refusal": None,
    }


def _delta(delta: Json, index: int, reason: str | None, model: str, logs: Json | None = None) -> Json:
    choice: Json = {"index": index, "delta": delta, "finish_reason": reason}
    if logs is not None:
        choice["logprobs"] = logs
    return {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
        "choices": [choice],
    }


def _fields(text: str | None, refusal: str | None, reasoning: str | None, tools: tuple[Json, ...]) -> Json:
    fields: Json = {"content": text, "refusal": refusal, "reasoning_content": reasoning}
    fields = {name: value for name, value in fields.items() if value is not None}
    return {**fields, "tool_calls": list(tools)} if tools else fields


def chunk(
    text: str | None = None,
    *,
    index: int = 0,
    role: str | None = None,
    refusal: str | None = None,
    reasoning: str | None = None,
    tools: tuple[Json, ...] = (),
    logs: Json | None = None,
    model: str = _MODEL,
) -> Json:
    """One event of a stream; only the fields given are present."""
    delta = _fields(text, refusal, reasoning, tools)
    return _delta({"role": role, **delta} if role else delta, index, None, model, logs)


def finish(reason: str = "stop", *, index: int = 0, model: str = _MODEL) -> Json:
    """The event that ends one choice."""
    return _delta({}, index, reason, model)


def usage(prompt: int = 7, completion: int = 4, *, model: str = _MODEL, **details: int) -> Json:
    """The last event of a stream that was asked for usage: no choices, and the tokens."""
    return {**_delta({}, 0, None, model), "choices": [], "usage": tokens(prompt, completion, **details)}


def completion(
    text: str | None = "Hello from upstream.",
    *,
    choices: int = 1,
    reason: str = "stop",
    refusal: str | None = None,
    reasoning: str | None = None,
    tools: tuple[Json, ...] = (),
    logs: Json | None = None,
    used: Json | None = None,
    model: str = _MODEL,
) -> Json:
    """A whole chat completion; `used={}` leaves usage out."""
    message = {"role": "assistant", "content": text, **_fields(None, refusal, reasoning, tools)}
    answer: Json = {
        "id": _ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [
            {"index": i, "message": message, "logprobs": logs, "finish_reason": reason} for i in range(choices)
        ],
    }
    used = tokens() if used is None else used
    return {**answer, "usage": used} if used else answer


def embeddings(inputs: int, *, dimensions: int = 4, model: str = _MODEL) -> Json:
    """One vector of floats an input; vector i is all i + 1/2, exact in every float width."""
    data = [{"object": "embedding", "index": i, "embedding": [i + 0.5] * dimensions} for i in range(inputs)]
    used = {"prompt_tokens": 3 * inputs, "total_tokens": 3 * inputs}
    return {"object": "list", "model": model, "data": data, "usage": used}


def models(*names: str) -> Json:
    """A model listing."""
    data = [{"id": n, "object": "model", "created": _CREATED, "owned_by": "scripted"} for n in names]
    return {"object": "list", "data": data}


def error(
    message: str = "The scripted upstream failed.",
    *,
    type: str = "server_error",  # noqa: A002 - the wire's word
    code: str | None = None,
    param: str | None = None,
) -> Json:
    """An error body; the same object is the event of an error inside a stream."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def sse(
    data: Json | str | bytes,
    *,
    name: str | None = None,
    space: bool = True,
    newline: str = "\n",
    multiline: bool = False,
) -> bytes:
    """One server-sent event.

    `space=False` writes `data:{…}`; `newline` may be CRLF or CR; `multiline` breaks the JSON over several
    `data` lines, which a reader must join again with a line feed.
    """
    if isinstance(data, dict):
        text = json.dumps(data, ensure_ascii=False, indent=1) if multiline else dump(data).decode()
    else:
        text = data if isinstance(data, str) else data.decode()
    field = "data: " if space else "data:"
    lines = [field + line for line in text.split("\n")]
    if name is not None:
        lines.insert(0, f"event: {name}")
    return (newline.join(lines) + newline * 2).encode()


def comment(text: str = "keep-alive", *, newline: str = "\n") -> bytes:
    """A comment, which readers must skip."""
    return f": {text}{newline * 2}".encode()
