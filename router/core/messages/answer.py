"""A chat completion as an answer in Anthropic's Messages: whole, and its usage."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import msgspec

from router.core.messages.words import FINISH_OF_STOP, STOP_OF_FINISH, digest_of, read_input

Json = dict[str, Any]
_encode = msgspec.json.encode


def message_of(body: bytes, *, thinks: bool, stops: Collection[str] = ()) -> bytes:
    """A whole ``chat.completion`` as a message.

    Args:
        body: the answer, guarded.
        thinks: whether the caller asked to see the model think.
        stops: the caller's stop sequences.

    Only the first choice is told: Messages has no other.
    """
    answer: Json = json.loads(body)
    choice: Json = next(iter(answer.get("choices") or ()), {}) or {}
    reason, sequence = stop_of(choice, stops)
    return _encode(
        {
            **head_of(answer),
            "content": _blocks(choice.get("message") or {}, thinks=thinks),
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": usage_of(answer.get("usage")),
        }
    )


def head_of(answer: Json) -> Json:
    """What every message begins with."""
    name = answer.get("id")
    name = name.removeprefix("chatcmpl-") if isinstance(name, str) else ""
    return {
        "id": name if name.startswith("msg_") else f"msg_{name.removeprefix('req_')}",
        "type": "message",
        "role": "assistant",
        "model": answer.get("model") or "",
    }


def stop_of(choice: Json, stops: Collection[str]) -> tuple[str, str | None]:
    """Why a choice ended, and the stop sequence that ended it where the server tells."""
    finish = choice.get("finish_reason")
    if finish == "content_filter" or _text(choice.get("message"), "refusal"):
        return "refusal", None
    native, matched = choice.get("native_finish_reason"), choice.get("stop_reason")
    if isinstance(matched, str) and matched in stops:  # some servers name the sequence
        return "stop_sequence", matched
    if isinstance(native, str) and FINISH_OF_STOP.get(native) == finish:
        return native, None
    return STOP_OF_FINISH.get(finish or "", "end_turn"), None


def usage_of(usage: object) -> Json:
    """Tokens in Messages' way: its input leaves out what was read from, or written to, the cache."""
    given = usage if isinstance(usage, dict) else {}
    details = given.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    read, written = _count(details.get("cached_tokens")), _count(details.get("cache_creation_tokens"))
    return {
        "input_tokens": max(0, _count(given.get("prompt_tokens")) - read - written),
        "output_tokens": _count(given.get("completion_tokens")),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _text(message: object, name: str) -> str:
    value = message.get(name) if isinstance(message, dict) else None
    return value if isinstance(value, str) else ""


def said_in(value: object) -> str:
    """A text that some servers give as a string and some in parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(part, "text") for part in value)
    return ""


def _blocks(message: Json, *, thinks: bool) -> list[Json]:
    blocks = _thoughts(message) if thinks else []
    if text := said_in(message.get("content")) + _text(message, "refusal"):
        blocks.append({"type": "text", "text": text})
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            blocks.append(tool_use(call.get("id"), function.get("name"), read_input(function.get("arguments"))))
    return blocks


def _thoughts(message: Json) -> list[Json]:
    """The model's thinking, signed where its server signs and nothing has changed it since."""
    found: list[Json] = []
    for block in message.get("thinking_blocks") or ():
        if not isinstance(block, dict):
            continue
        if block.get("type") == "redacted_thinking":
            found.append({"type": "redacted_thinking", "data": _text(block, "data")})
        elif block.get("type") == "thinking":
            words = _text(block, "thinking")
            found.append({"type": "thinking", "thinking": words, "signature": signature_of(block, words)})
    words = said_in(message.get("reasoning_content")) or said_in(message.get("reasoning"))
    if not found and words:
        found.append({"type": "thinking", "thinking": words, "signature": ""})
    return found


def signature_of(block: Json, words: str) -> str:
    """A block's signature; empty where a guard has changed what was signed."""
    whole = block.get("digest") in (None, digest_of(words))
    return _text(block, "signature") if whole else ""


def tool_use(name: object, tool: object, given: object) -> Json:
    """A call of a tool."""
    return {"type": "tool_use", "id": name or "", "name": tool or "", "input": given}
