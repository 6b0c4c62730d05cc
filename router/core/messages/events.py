"""A streamed chat completion as the events of Anthropic's Messages.

    message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop

One block at a time, in the order in which they began. Chat may send pieces of two tool calls in turns, or the rest of
one after the next has begun; what belongs to a later block waits until the present one is complete. A call is complete
when its arguments are a JSON value, a text when something else begins.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection
from typing import Any

import msgspec

from router.core.messages.answer import head_of, said_in, stop_of, usage_of
from router.core.messages.words import digest_of
from router.core.surfaces.base import frame

Json = dict[str, Any]
_encode = msgspec.json.encode
_EMPTY = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


class _Block:
    """One block of the answer: its kind and key, and what of it waits for its turn."""

    __slots__ = ("checked", "key", "said", "start", "waiting")

    def __init__(self, key: str, start: Json) -> None:
        self.key = key
        self.start = start
        self.waiting: deque[Json] = deque()  # deltas not yet sent
        self.said: list[str] = []  # the text of those sent and waiting
        self.checked = -1  # how many of them there were when it was last seen incomplete

    def complete(self) -> bool:
        """Whether nothing can belong to it any more, once something else has begun."""
        if not self.key.startswith("tool"):
            return True
        if self.checked == len(self.said):
            return False
        self.checked = len(self.said)
        try:
            return isinstance(json.loads("".join(self.said)), dict)
        except (ValueError, RecursionError):
            return False


class EventWriter:
    """One a streamed answer. ``feed`` each event of chat, then ``end``; send what they give back."""

    def __init__(self, *, thinks: bool, stops: Collection[str] = ()) -> None:
        self._thinks = thinks
        self._stops = stops
        self._blocks: deque[_Block] = deque()  # the first is the one that is being sent
        self._over: set[str] = set()  # calls that are complete and sent
        self._index = -1
        self._opened = False  # the first block's start has been sent
        self._begun = False
        self._stop: tuple[str, str | None] = ("end_turn", None)
        self._usage: Json = dict(_EMPTY)

    def feed(self, data: bytes) -> bytes:
        """One ``chat.completion.chunk``, framed for the wire."""
        chunk: Json = json.loads(data)
        out: list[bytes] = []
        if not self._begun:
            out.append(self._start(chunk))
        if isinstance(chunk.get("usage"), dict):
            self._usage = usage_of(chunk["usage"])
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._take(choice.get("delta") or {})
                if choice.get("finish_reason"):
                    self._stop = stop_of({**choice, "message": choice.get("delta")}, self._stops)
        out += self._send(last=False)
        return b"".join(out)

    def end(self) -> bytes:
        """What closes the message."""
        out = [] if self._begun else [self._start({})]
        out += self._send(last=True)
        reason, sequence = self._stop
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        out.append(_event("message_delta", delta=delta, usage=self._usage))
        out.append(_event("message_stop"))
        return b"".join(out)

    def _start(self, chunk: Json) -> bytes:
        self._begun = True
        message = {**head_of(chunk), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _EMPTY}
        return _event("message_start", message=message)

    # --- taking

    def _take(self, delta: Json) -> None:
        """Sort one event's pieces into blocks."""
        if self._thinks:
            self._think(delta)
        for name in ("content", "refusal"):
            if text := said_in(delta.get(name)):
                self._add("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": text}, text)
        for call in delta.get("tool_calls") or ():
            if isinstance(call, dict):
                self._call(call)

    def _think(self, delta: Json) -> None:
        start: Json = {"type": "thinking", "thinking": "", "signature": ""}
        for name in ("reasoning_content", "reasoning"):
            if text := said_in(delta.get(name)):
                self._add("thinking", start, {"type": "thinking_delta", "thinking": text}, text)
                break
        for block in delta.get("thinking_blocks") or ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "redacted_thinking":
                self._blocks.append(_Block("redacted", {"type": "redacted_thinking", "data": block.get("data", "")}))
            elif block.get("signature"):
                self._sign(start, block)

    def _sign(self, start: Json, block: Json) -> None:
        """A signature ends its block. Over words that a guard has changed since it would be refused: left out."""
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.key != "thinking":
            last = _Block("thinking", start)
            self._blocks.append(last)
        if block.get("digest") in (None, digest_of("".join(last.said))):
            last.waiting.append({"type": "signature_delta", "signature": block["signature"]})
        last.key = "thinking, signed"

    def _call(self, call: Json) -> None:
        key = f"tool {call.get('index', 0)}"
        if key in self._over:
            return  # white space after the arguments
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        start: Json = {"type": "tool_use", "id": call.get("id") or "", "name": function.get("name") or "", "input": {}}
        text = function.get("arguments")
        text = text if isinstance(text, str) else ""
        delta = {"type": "input_json_delta", "partial_json": text}
        known = next((block for block in self._blocks if block.key == key), None)
        if known is None:
            known = _Block(key, start)
            self._blocks.append(known)
        if text:
            known.waiting.append(delta)
            known.said.append(text)

    def _add(self, key: str, start: Json, delta: Json, text: str) -> None:
        """A piece of running text: it continues the last block where that is of its kind, else it begins one."""
        if not self._blocks or self._blocks[-1].key != key:
            self._blocks.append(_Block(key, start))
        self._blocks[-1].waiting.append(delta)
        self._blocks[-1].said.append(text)

    # --- sending

    def _send(self, *, last: bool) -> list[bytes]:
        """Send the present block's pieces, and go on to the next one where it is complete."""
        out: list[bytes] = []
        while self._blocks:
            block = self._blocks[0]
            if not self._opened:
                self._opened = True
                self._index += 1
                out.append(_event("content_block_start", index=self._index, content_block=block.start))
            while block.waiting:
                out.append(_event("content_block_delta", index=self._index, delta=block.waiting.popleft()))
            over = len(self._blocks) > 1 and block.complete()
            if not over and not last:
                break
            out.append(_event("content_block_stop", index=self._index))
            self._blocks.popleft()
            if block.key.startswith("tool"):
                self._over.add(block.key)
            self._opened = False
        return out


def _event(name: str, **fields: object) -> bytes:
    return frame(name, _encode({"type": name, **fields}))
