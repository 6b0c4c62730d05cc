"""Anthropic's Messages as plain values: answers and events that a server of that protocol would send."""

from __future__ import annotations

import json
from typing import Any

from tests.support.answer import Answer, Event
from tests.support.wire import Json, sse

USED = {"input_tokens": 7, "output_tokens": 4, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def message(*blocks: Json, stop: str = "end_turn", used: Json | None = None, **more: Any) -> Json:
    """A whole message."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x"}
    usage = USED if used is None else used
    return {**head, "content": list(blocks), "stop_reason": stop, "stop_sequence": None, "usage": usage, **more}


def text(words: str) -> Json:
    """A block of text."""
    return {"type": "text", "text": words}


def thinking(words: str, signature: str = "sig-1") -> Json:
    """A block of thinking."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def tool_use(name: str = "weather", given: Json | None = None, id: str = "toolu_1") -> Json:  # noqa: A002
    """A call."""
    return {"type": "tool_use", "id": id, "name": name, "input": given or {}}


def event(name: str, **fields: Any) -> bytes:
    """One event, framed."""
    return sse(json.dumps({"type": name, **fields}, ensure_ascii=False), name=name)


def start(used: Json | None = None) -> bytes:
    """The event that begins a message."""
    body = message(used={**USED, "output_tokens": 1} if used is None else used)
    return event("message_start", message={**body, "stop_reason": None})


def stop(reason: str = "end_turn", **used: int) -> list[Event]:
    """The events that end one."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [event("message_delta", delta=delta, usage={"output_tokens": 4, **used}), event("message_stop")]


def block(index: int, begun: Json, *deltas: Json) -> list[Event]:
    """One block of a stream."""
    inside = [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    begin = event("content_block_start", index=index, content_block=begun)
    return [begin, *inside, event("content_block_stop", index=index)]


def text_block(index: int, *words: str) -> list[Event]:
    """A block of text, in pieces."""
    return block(index, text(""), *({"type": "text_delta", "text": each} for each in words))


def thinking_block(index: int, *words: str, signature: str = "sig-1") -> list[Event]:
    """A block of thinking, in pieces, and its signature."""
    said = [{"type": "thinking_delta", "thinking": each} for each in words]
    return block(index, thinking("", ""), *said, {"type": "signature_delta", "signature": signature})


def tool_block(index: int, name: str, *pieces: str, id: str = "toolu_1") -> list[Event]:  # noqa: A002
    """A call, its input in pieces."""
    return block(index, tool_use(name, id=id), *({"type": "input_json_delta", "partial_json": p} for p in pieces))


def error(kind: str, words: str) -> Json:
    """An error object."""
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_upstream"}


def stream(*events: Event, **options: Any) -> Answer:
    """A streamed answer; it has no ``[DONE]``."""
    return Answer.stream(*events, **{"done": False, **options})


def events_of(body: str) -> list[Json]:
    """The events of a stream; the name on the wire is the type inside."""
    found: list[Json] = []
    for part in body.split("\n\n"):
        if part.strip():
            name, data = part.split("\n", 1)
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


def put_together(events: list[Json]) -> Json:
    """The message that a stream amounts to; asserts the grammar of its events."""
    assert events[0]["type"] == "message_start"
    assert [e["type"] for e in events[-2:]] == ["message_delta", "message_stop"]
    whole: Json = {**events[0]["message"], "content": []}
    open_at: int | None = None
    for each in events[1:-2]:
        if each["type"] == "ping":
            continue
        if each["type"] == "content_block_start":
            assert open_at is None, "one block at a time"
            assert each["index"] == len(whole["content"])
            open_at = each["index"]
            whole["content"].append({**each["content_block"], "pieces": []})
        elif each["type"] == "content_block_delta":
            assert each["index"] == open_at
            whole["content"][-1]["pieces"].append(each["delta"])
        else:
            assert each["type"] == "content_block_stop"
            assert each["index"] == open_at
            open_at = None
    assert open_at is None, "every block ends"
    whole["content"] = [_closed(each) for each in whole["content"]]
    last = events[-2]
    return {**whole, **last["delta"], "usage": {**whole["usage"], **last["usage"]}}


def _closed(begun: Json) -> Json:
    pieces = begun.pop("pieces")
    names = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    if begun["type"] == "tool_use":
        written = "".join(piece["partial_json"] for piece in pieces)
        return {**begun, "input": json.loads(written) if written else begun["input"]}
    for piece in pieces:
        begun[names[piece["type"]]] += piece[names[piece["type"]]]
    return begun
