"""An answer in the words of Responses, whole or event by event, as a chat completion."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from router.core.surfaces.said import SEALED, counted

Json = dict[str, Any]
_encode = msgspec.json.encode
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_CALLS: Final = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_TEXTS: Final = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning_content",
    "response.reasoning_text.delta": "reasoning_content",
}
_INPUTS: Final = {
    "response.function_call_arguments.delta": "function_call",
    "response.custom_tool_call_input.delta": "custom_tool_call",
}


def chat_of(body: bytes) -> bytes:
    """A whole answer as a ``chat.completion``; one that failed as an error object.

    Raises:
        ValueError: it is not an answer of Responses.
    """
    response = _object(body)
    if not isinstance(response.get("output"), list):
        raise ValueError("not a response")  # noqa: TRY004  (it is the server's value, not an argument's type)
    if response.get("status") == "failed":
        return _encode({"error": _part_of(response, "error") or {"message": "The answer failed."}})
    message = _message([item for item in response["output"] if isinstance(item, dict)])
    logprobs = message.pop("logprobs", None)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": logprobs} if logprobs else None,
        "finish_reason": _finish(response, bool(message.get("tool_calls"))),
    }
    answer = {"id": response.get("id"), "object": "chat.completion", "created": _created(response)}
    answer |= {"model": response.get("model"), "choices": [choice]}
    if isinstance(response.get("usage"), dict):
        answer["usage"] = _usage(response["usage"])
    return _encode(answer)


def _message(items: list[Json]) -> Json:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    calls: list[Json] = []
    logprobs: list[Json] = []
    details: list[Json] = []
    for item in items:
        kind = _kind(item)
        if kind == "message":
            for part in _objects(item.get("content")):
                texts += [part["text"]] if isinstance(part.get("text"), str) else []
                refusals += [part["refusal"]] if isinstance(part.get("refusal"), str) else []
                logprobs += _objects(part.get("logprobs"))
        elif kind == "reasoning":
            parts = _objects(item.get("summary")) or _objects(item.get("content"))
            thoughts += [part["text"] for part in parts if isinstance(part.get("text"), str)]
            details += _sealed(item)
        elif kind in _CALLS:
            calls.append(_call(item, str(item.get(_CALLS[kind][1]) or "")))
    message: Json = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
    if refusals:
        message["refusal"] = "".join(refusals)
    optional = {"reasoning_content": "\n\n".join(thoughts), "reasoning_details": details, "tool_calls": calls}
    return message | {name: value for name, value in {**optional, "logprobs": logprobs}.items() if value}


def _call(item: Json, text: str) -> Json:
    kind, field = _CALLS[item["type"]]
    return {"id": item.get("call_id"), "type": kind, kind: {"name": item.get("name"), field: text}}


def _sealed(item: Json) -> list[Json]:
    data = item.get("encrypted_content")
    if not isinstance(data, str):
        return []
    return [{"type": SEALED, "data": data, "id": item.get("id")}]


def _finish(response: Json, calls: bool) -> str:
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason is not None or response.get("status") == "incomplete":
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def _usage(usage: Json) -> Json:
    said, written = counted(usage, "input_tokens"), counted(usage, "output_tokens")
    return {
        "prompt_tokens": said,
        "completion_tokens": written,
        "total_tokens": said + written,
        "prompt_tokens_details": {"cached_tokens": counted(usage, "input_tokens_details", "cached_tokens")},
        "completion_tokens_details": {"reasoning_tokens": counted(usage, "output_tokens_details", "reasoning_tokens")},
    }


def _created(response: Json) -> int:
    created = response.get("created_at")
    return int(created) if isinstance(created, int | float) else 0


class Chunks:
    """The events of one streamed answer as chat events. ``done`` once its last one has been read."""

    def __init__(self) -> None:
        self._head: Json = {"id": None, "object": "chat.completion.chunk", "created": 0, "model": None}
        self._begun = False
        self._calls: dict[int, int] = {}  # output_index -> place among the tool calls
        self._spoken: set[int] = set()  # tool calls of which arguments have come
        self._kinds: dict[int, str] = {}
        self.done = False

    def feed(self, data: bytes) -> list[bytes]:
        """The chat events of one event; none where it says nothing that chat knows.

        Raises:
            ValueError: it is not an event of Responses.
        """
        event = _object(data)
        kind = event.get("type")
        if not isinstance(kind, str):
            if isinstance(event.get("error"), dict):
                return self._failed(event["error"])
            raise ValueError("not an event of a response")
        response = _part_of(event, "response")
        if response:
            self._head |= {"id": response.get("id"), "created": _created(response), "model": response.get("model")}
        if kind in _TEXTS:
            return self._text(event, _TEXTS[kind])
        if kind == "response.reasoning_summary_part.added" and event.get("summary_index"):
            return [self._chunk({"reasoning_content": "\n\n"})]
        if kind in _INPUTS:
            return self._input(event, str(event.get("delta") or ""))
        if kind in {"response.output_item.added", "response.output_item.done"}:
            return self._item(event, ended=kind.endswith("done"))
        if kind in _ENDS:
            return self._ended(response)
        if kind == "response.failed":
            return self._failed(_part_of(response, "error"))
        return self._failed(event) if kind == "error" else []

    def _chunk(self, delta: Json, finish: str | None = None, logprobs: list[Json] | None = None) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        choice: Json = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs:
            choice["logprobs"] = {"content": logprobs}
        return _encode({**self._head, "choices": [choice]})

    def _text(self, event: Json, name: str) -> list[bytes]:
        delta = event.get("delta")
        if not isinstance(delta, str):
            raise ValueError("a delta that is no text")  # noqa: TRY004
        return [self._chunk({name: delta}, logprobs=_objects(event.get("logprobs")))]

    def _input(self, event: Json, text: str) -> list[bytes]:
        place = self._calls.get(_place(event))
        if place is None:
            raise ValueError("arguments of a call that has not begun")
        self._spoken.add(place)
        kind, field = _CALLS[self._kinds[place]]
        return [self._chunk({"tool_calls": [{"index": place, kind: {field: text}}]})]

    def _item(self, event: Json, *, ended: bool) -> list[bytes]:
        item = _part_of(event, "item")
        kind, at = _kind(item), _place(event)
        if kind == "reasoning" and ended:
            details = _sealed(item)
            return [self._chunk({"reasoning_details": details})] if details else []
        if kind not in _CALLS:
            return []
        found: list[bytes] = []
        if at not in self._calls:
            place = self._calls[at] = len(self._calls)
            self._kinds[place] = kind
            found.append(self._chunk({"tool_calls": [{"index": place, **_call(item, "")}]}))
        text = item.get(_CALLS[kind][1])
        if ended and text and self._calls[at] not in self._spoken:  # a server that tells arguments only at their end
            found += self._input(event, str(text))
        return found

    def _ended(self, response: Json) -> list[bytes]:
        self.done = True
        found = [self._chunk({}, _finish(response, bool(self._calls)))]
        if isinstance(response.get("usage"), dict):
            found.append(_encode({**self._head, "choices": [], "usage": _usage(response["usage"])}))
        return found

    def _failed(self, error: Json) -> list[bytes]:
        self.done = True
        return [_encode({"error": {name: error.get(name) for name in ("message", "code", "param", "type")}})]


def _object(data: bytes) -> Json:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return value


def _kind(item: Json) -> str:
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def _place(event: Json) -> int:
    at = event.get("output_index")
    return at if isinstance(at, int) else -1


def _part_of(event: Json, name: str) -> Json:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
