"""The output of a Responses answer, put together from what a chat answer says, whole or part by part.

Every item stays open until the answer ends: a guard may hold back the last characters of any of them, and gives them
back when the choice ends, after others have begun. What belongs together is never torn into two items.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Protocol

from router.core.surfaces.carried import wrapped
from router.core.surfaces.said import CallPart, Json, Said

Events = Iterator[Json]


class _Item(Protocol):
    id: str
    at: int

    def shown(self, status: str) -> Json: ...

    def closed(self) -> Events: ...


class _Thoughts:
    """A reasoning item. Thoughts are told as a summary, which is where clients look for them."""

    def __init__(self, item_id: str, at: int) -> None:
        self.id, self.at = item_id, at
        self.text = ""
        self.sealed: str | None = None

    def shown(self, status: str) -> Json:  # noqa: ARG002  (a reasoning item is never half an item)
        summary = [{"type": "summary_text", "text": self.text}] if self.text else []
        return {"id": self.id, "type": "reasoning", "summary": summary, "encrypted_content": self.sealed}

    def _event(self, kind: str, **more: object) -> Json:
        return {"type": kind, "item_id": self.id, "output_index": self.at, "summary_index": 0, **more}

    def add(self, text: str) -> Events:
        if not self.text:
            part = {"type": "summary_text", "text": ""}
            yield self._event("response.reasoning_summary_part.added", part=part)
        self.text += text
        yield self._event("response.reasoning_summary_text.delta", delta=text)

    def closed(self) -> Events:
        if self.text:
            yield self._event("response.reasoning_summary_text.done", text=self.text)
            part = {"type": "summary_text", "text": self.text}
            yield self._event("response.reasoning_summary_part.done", part=part)


class _Message:
    """What is said: a text, a refusal, or one after the other."""

    def __init__(self, item_id: str, at: int) -> None:
        self.id, self.at = item_id, at
        self.parts: list[Json] = []

    def shown(self, status: str) -> Json:
        return {"id": self.id, "type": "message", "role": "assistant", "status": status, "content": self.parts}

    def _event(self, kind: str, index: int, **more: object) -> Json:
        return {"type": kind, "item_id": self.id, "output_index": self.at, "content_index": index, **more}

    def _index(self, kind: str) -> int:
        return next((k for k, part in enumerate(self.parts) if part["type"] == kind), -1)

    def text(self, text: str, logprobs: list[Json]) -> Events:
        index = self._index("output_text")
        if index < 0:
            index = len(self.parts)
            self.parts.append({"type": "output_text", "text": "", "annotations": [], "logprobs": []})
            yield self._event("response.content_part.added", index, part=_copy(self.parts[index]))
        part = self.parts[index]
        part["text"] += text
        part["logprobs"] += logprobs
        if text:
            yield self._event("response.output_text.delta", index, delta=text, logprobs=logprobs)

    def refusal(self, text: str) -> Events:
        index = self._index("refusal")
        if index < 0:
            index = len(self.parts)
            self.parts.append({"type": "refusal", "refusal": ""})
            yield self._event("response.content_part.added", index, part=_copy(self.parts[index]))
        self.parts[index]["refusal"] += text
        yield self._event("response.refusal.delta", index, delta=text)

    def closed(self) -> Events:
        for index, part in enumerate(self.parts):
            if part["type"] == "output_text":
                said = {"text": part["text"], "logprobs": part["logprobs"]}
                yield self._event("response.output_text.done", index, **said)
            else:
                yield self._event("response.refusal.done", index, refusal=part["refusal"])
            yield self._event("response.content_part.done", index, part=part)


class _Call:
    """A call of a function, or of a custom tool."""

    def __init__(self, item_id: str, at: int, part: CallPart, call_id: str, space: tuple[str, str] | None) -> None:
        self.id, self.at = item_id, at
        self.custom = part.custom
        self.wire_id = part.id
        self._field = "input" if part.custom else "arguments"
        self._name = space[1] if space else part.name
        self._space = {"namespace": space[0]} if space else {}
        self._call_id = call_id
        self.text = ""

    def shown(self, status: str) -> Json:
        kind = "custom_tool_call" if self.custom else "function_call"
        named = {"call_id": self._call_id, "name": self._name, **self._space, self._field: self.text}
        return {"id": self.id, "type": kind, "status": status, **named}

    def _event(self, word: str, **more: object) -> Json:
        kind = "custom_tool_call_input" if self.custom else "function_call_arguments"
        return {"type": f"response.{kind}.{word}", "item_id": self.id, "output_index": self.at, **more}

    def add(self, text: str) -> Events:
        if text:
            self.text += text
            yield self._event("delta", delta=text)

    def closed(self) -> Events:
        if self.custom:
            yield self._event("done", input=self.text)
        else:
            yield self._event("done", name=self._name, arguments=self.text)


class Output:
    """The items in the order in which they began.

    Args:
        mark: unguessable, the same for all ids of one answer.
        names: a tool's flat name -> its namespace and its name there.
    """

    def __init__(self, mark: str, names: Mapping[str, tuple[str, str]]) -> None:
        self._mark = mark
        self._names = names
        self._items: list[_Item] = []
        self._thoughts: _Thoughts | None = None
        self._message: _Message | None = None
        self._calls: dict[int, _Call] = {}

    def add(self, said: Said) -> Events:
        """What is new, as events."""
        if said.thought or said.sealed:
            yield from self._think(said)
        if said.text or said.logprobs:
            message = yield from self._opened_message()
            yield from message.text(said.text, [_logprob(one) for one in said.logprobs])
        if said.refusal:
            message = yield from self._opened_message()
            yield from message.refusal(said.refusal)
        for part in said.calls:
            yield from self._call(part)

    def close(self, *, cut: bool) -> Events:
        """The end of every item; ``cut``: the last of them is not whole. An answer without any gets an empty text."""
        if self._message is None and not self._calls:
            message = yield from self._opened_message()
            yield from message.text("", [])
        for item, shown in zip(self._items, self.shown(cut=cut), strict=True):
            yield from item.closed()
            yield {"type": "response.output_item.done", "output_index": item.at, "item": shown}

    def shown(self, *, cut: bool) -> list[Json]:
        """The items as they now stand."""
        last = len(self._items) - 1
        return [item.shown("incomplete" if cut and item.at == last else "completed") for item in self._items]

    # --- items

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._mark}{len(self._items):04x}"

    def _begun(self, item: _Item) -> Json:
        self._items.append(item)
        shown = item.shown("in_progress")
        if "content" in shown:
            shown["content"] = []
        return {"type": "response.output_item.added", "output_index": item.at, "item": shown}

    def _think(self, said: Said) -> Events:
        if self._thoughts is None:
            self._thoughts = _Thoughts(self._id("rs"), len(self._items))
            yield self._begun(self._thoughts)
        if said.thought:
            yield from self._thoughts.add(said.thought)
        for entry in said.sealed:
            self._thoughts.sealed = wrapped(entry)

    def _opened_message(self) -> Generator[Json, None, _Message]:
        if self._message is None:
            self._message = _Message(self._id("msg"), len(self._items))
            yield self._begun(self._message)
        return self._message

    def _call(self, part: CallPart) -> Events:
        call = self._calls.get(part.at)
        if call is None or (part.id and part.name and call.wire_id and part.id != call.wire_id):
            item_id = self._id("ctc" if part.custom else "fc")
            call_id = part.id or f"call_{self._mark}{len(self._items):04x}"
            call = _Call(item_id, len(self._items), part, call_id, self._names.get(part.name))
            self._calls[part.at] = call
            yield self._begun(call)
        yield from call.add(part.text)


def _copy(part: Json) -> Json:
    """A part as it is now: what is told must not change with what is added later."""
    return {name: list(value) if isinstance(value, list) else value for name, value in part.items()}


def _logprob(one: Json) -> Json:
    return {
        "token": one.get("token", ""),
        "logprob": one.get("logprob", 0.0),
        "bytes": one.get("bytes") or [],
        "top_logprobs": one.get("top_logprobs") or [],
    }
