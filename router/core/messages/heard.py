"""What a server that speaks Messages answered, as a chat completion: whole, and event by event.

Citations and the blocks of server tools are left out: chat has no place for them that guards read.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from router.core.messages.words import FINISH_OF_STOP, digest_of

Json = dict[str, Any]
_encode = msgspec.json.encode
_BLOCK_KINDS = frozenset({"text", "tool_use", "thinking", "redacted_thinking"})


def completion_of(body: bytes, created: int = 0) -> bytes:
    """A message as a ``chat.completion``.

    Raises:
        ValueError: it is no message.
    """
    message = _object(json.loads(body))
    if message.get("type") != "message" or not isinstance(message.get("content"), list):
        raise ValueError("not a message")
    said: Json = {"role": "assistant", "content": None}
    texts, calls, thoughts = _sorted(message["content"])
    if texts or not calls:
        said["content"] = "".join(texts)
    if thoughts:
        words = "".join(block.get("thinking", "") for block in thoughts)
        said |= {"reasoning_content": words} if words else {}
        said["thinking_blocks"] = thoughts
    if calls:
        said["tool_calls"] = calls
    choice = {"index": 0, "message": said, "logprobs": None, **ending_of(message)}
    return _encode(
        {
            "id": message.get("id") or "",
            "object": "chat.completion",
            "created": created,
            "model": message.get("model") or "",
            "choices": [choice],
            "usage": tokens_of(_object(message.get("usage") or {})),
        }
    )


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  (a wrong answer is no error of types)
    return value


def _sorted(blocks: list[Any]) -> tuple[list[str], list[Json], list[Json]]:
    texts: list[str] = []
    calls: list[Json] = []
    thoughts: list[Json] = []
    for block in map(_object, blocks):
        kind = block.get("type")
        if kind == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
        elif kind == "tool_use":
            function = {"name": block.get("name") or "", "arguments": _dump(block.get("input"))}
            calls.append({"id": block.get("id") or "", "type": "function", "function": function})
        elif kind == "thinking":
            words = str(block.get("thinking") or "")
            signed = {"signature": block.get("signature") or "", "digest": digest_of(words)}
            thoughts.append({"type": "thinking", "thinking": words, **signed})
        elif kind == "redacted_thinking":
            thoughts.append({"type": "redacted_thinking", "data": block.get("data")})
    return texts, calls, thoughts


def _dump(value: object) -> str:
    return json.dumps({} if value is None else value, ensure_ascii=False, separators=(",", ":"))


def ending_of(message: Json) -> Json:
    """Why it ended, in chat's word and in its own."""
    native = message.get("stop_reason")
    ending: Json = {"finish_reason": FINISH_OF_STOP.get(native or "", "stop")}
    if isinstance(native, str):
        ending["native_finish_reason"] = native
    if isinstance(message.get("stop_sequence"), str):
        ending["stop_reason"] = message["stop_sequence"]
    return ending


def tokens_of(usage: Json) -> Json:
    """Tokens in chat's way: its input counts what was read from the cache and written to it."""
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    prompt, completion = _count(usage, "input_tokens") + read + written, _count(usage, "output_tokens")
    details = {"cached_tokens": read, **({"cache_creation_tokens": written} if written else {})}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": details,
    }


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


class ChunkMaker:
    """Turns the events of one streamed message into ``chat.completion.chunk``s.

    Attributes:
        over: ``message_stop`` has come; an answer that ends before it was broken off.
    """

    def __init__(self, created: int = 0) -> None:
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created, "model": ""}
        self._usage: Json = {}
        self._kinds: dict[int, str] = {}
        self._calls: dict[int, int] = {}  # a block's index -> the call's
        self._given: set[int] = set()  # calls whose input stood in the block's beginning
        self._thought: dict[int, list[str]] = {}
        self.over = False

    def feed(self, data: bytes) -> list[bytes]:
        """The chunks that one event amounts to; none for pings and for what chat cannot carry.

        Raises:
            ValueError: it is no event of a message.
        """
        event = _object(json.loads(data))
        match event.get("type"):
            case "message_start":
                return self._start(_object(event.get("message")))
            case "content_block_start":
                return self._block(int(event["index"]), _object(event.get("content_block")))
            case "content_block_delta":
                return self._delta(int(event["index"]), _object(event.get("delta")))
            case "message_delta":
                self._usage |= {k: v for k, v in _object(event.get("usage") or {}).items() if v is not None}
                return [self._chunk({}, **ending_of(_object(event.get("delta"))))]
            case "message_stop":
                self.over = True
                return [_encode({**self._head, "choices": [], "usage": tokens_of(self._usage)})]
            case str():
                return []  # ping, content_block_stop, and what newer versions add
        raise ValueError("not an event of a message")

    def _start(self, message: Json) -> list[bytes]:
        self._head |= {"id": message.get("id") or "", "model": message.get("model") or ""}
        self._usage = dict(_object(message.get("usage") or {}))
        return [self._chunk({"role": "assistant", "content": ""})]

    def _chunk(self, delta: Json, **ending: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **ending}
        return _encode({**self._head, "choices": [choice]})

    def _block(self, index: int, block: Json) -> list[bytes]:
        kind = str(block.get("type"))
        self._kinds[index] = kind
        if kind == "tool_use":
            number = self._calls[index] = len(self._calls)
            given = block.get("input")
            function = {"name": block.get("name") or "", "arguments": _dump(given) if given else ""}
            call = {"index": number, "id": block.get("id") or "", "type": "function", "function": function}
            return [self._chunk({"tool_calls": [call]})]
        if kind == "redacted_thinking":
            return [self._chunk({"thinking_blocks": [{"type": kind, "data": block.get("data")}]})]
        if kind == "text" and block.get("text"):
            return [self._chunk({"content": block["text"]})]
        return []

    def _delta(self, index: int, delta: Json) -> list[bytes]:
        kind = delta.get("type")
        if self._kinds.get(index) not in _BLOCK_KINDS:
            return []
        if kind == "text_delta":
            return [self._chunk({"content": delta.get("text") or ""})]
        if kind == "thinking_delta":
            self._thought.setdefault(index, []).append(delta.get("thinking") or "")
            return [self._chunk({"reasoning_content": delta.get("thinking") or ""})]
        if kind == "signature_delta":
            digest = digest_of("".join(self._thought.get(index, ())))
            signed = {"type": "thinking", "signature": delta.get("signature") or "", "digest": digest}
            return [self._chunk({"thinking_blocks": [signed]})]
        if kind == "input_json_delta" and delta.get("partial_json"):
            call = {"index": self._calls[index], "function": {"arguments": delta["partial_json"]}}
            return [self._chunk({"tool_calls": [call]})]
        return []
