"""What one choice of a chat answer says, whole or in one event, whatever server wrote it.

Servers differ in where they put thoughts (``reasoning_content``, ``reasoning``, ``thinking_blocks``,
``reasoning_details``, parts of ``content``). A surface reads one shape.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Json = dict[str, Any]


class CallPart(NamedTuple):
    """A tool call, whole or the next part of one. ``id`` and ``name`` are empty where this part does not say them."""

    at: int
    id: str
    name: str
    text: str
    custom: bool = False


class Said(NamedTuple):
    """Empty texts where it says nothing of a kind. ``sealed``: encrypted thoughts, as their server wrote them."""

    text: str = ""
    refusal: str = ""
    thought: str = ""
    calls: tuple[CallPart, ...] = ()
    sealed: tuple[Json, ...] = ()
    logprobs: tuple[Json, ...] = ()
    finish: str | None = None


class Turn(NamedTuple):
    """A chat answer, or one event of it: its first choice and what is told of it."""

    said: Said
    usage: Json | None = None
    model: str | None = None
    created: int | None = None


SEALED = "reasoning.encrypted"  # the type of a ``reasoning_details`` entry that only its server can read


def read_turn(data: bytes) -> Turn:
    """Read a ``chat.completion`` or a ``chat.completion.chunk``. A guard has already read it, so it is one."""
    value: Json = msgspec.json.decode(data)
    usage, model, created = value.get("usage"), value.get("model"), value.get("created")
    return Turn(
        _first(value.get("choices")),
        usage if isinstance(usage, dict) else None,
        model if isinstance(model, str) else None,
        created if isinstance(created, int) else None,
    )


def _first(choices: Any) -> Said:
    return said_in(choices[0]) if isinstance(choices, list) and choices and isinstance(choices[0], dict) else Said()


def said_in(choice: Json) -> Said:
    """What a choice says, and how it ends."""
    finish, logprobs = choice.get("finish_reason"), choice.get("logprobs")
    message = choice.get("message") or choice.get("delta")
    said = said_of(message) if isinstance(message, dict) else Said()
    return said._replace(
        finish=finish if isinstance(finish, str) else None,
        logprobs=_objects(logprobs.get("content")) if isinstance(logprobs, dict) else (),
    )


def said_of(message: Json) -> Said:
    """What a message or a delta says."""
    text, thought = _content(message.get("content"))
    details = _objects(message.get("reasoning_details"))
    return Said(
        text=text,
        refusal=_text(message.get("refusal")),
        thought=thought or _thought(message, details),
        calls=_calls(message),
        sealed=tuple(d for d in details if d.get("type") == SEALED and isinstance(d.get("data"), str)),
    )


def _content(content: Any) -> tuple[str, str]:
    """What is said and what is thought; some servers put both into parts of the content."""
    if not isinstance(content, list):
        return _text(content), ""
    parts = _objects(content)
    said = "".join(_text(part.get("text")) for part in parts if part.get("type") != "thinking")
    return said, "".join(_texts(part.get("thinking")) for part in parts)


def _thought(message: Json, details: tuple[Json, ...]) -> str:
    """The first place where there are thoughts: servers that fill two of them repeat themselves."""
    for name in ("reasoning_content", "reasoning"):
        if text := _texts(message.get(name)):
            return text
    if text := "".join(_text(block.get("thinking")) for block in _objects(message.get("thinking_blocks"))):
        return text
    return "".join(_text(d.get("summary")) or _text(d.get("text")) for d in details)


def _calls(message: Json) -> tuple[CallPart, ...]:
    found: list[CallPart] = []
    for place, call in enumerate(_objects(message.get("tool_calls"))):
        index = call.get("index")
        at = index if isinstance(index, int) else place
        custom = isinstance(call.get("custom"), dict)
        body = call["custom"] if custom else call.get("function")
        if isinstance(body, dict):
            text = _text(body.get("input" if custom else "arguments"))
            found.append(CallPart(at, _text(call.get("id")), _text(body.get("name")), text, custom))
    old = message.get("function_call")
    if isinstance(old, dict):
        found.append(CallPart(len(found), "", _text(old.get("name")), _text(old.get("arguments"))))
    return tuple(found)


def _objects(value: Any) -> tuple[Json, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_text(item.get("text")) if isinstance(item, dict) else _text(item) for item in value)
    return _text(value)


def counted(usage: Json, name: str, detail: str = "") -> int:
    """A count of a usage object, or of its details; 0 where there is none."""
    value = usage.get(name)
    if detail:
        value = value.get(detail) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
