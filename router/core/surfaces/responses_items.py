"""Items of a Responses request as chat messages, in the order that chat demands.

An assistant's thoughts, words and calls are one message in chat and several items here, and the results of its calls
must follow it at once: whatever stands between is moved behind them. Pictures in a result become a message of the
user behind the results, because a chat tool's message holds text only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from router.core.surfaces.carried import carried_message, unwrapped
from router.core.surfaces.fields import Json, list_at, object_at, text_at
from router.errors import BadRequest, UnsupportedParameter

_SYSTEM = frozenset({"system", "developer"})
_CALLS = {"function_call": "function", "custom_tool_call": "custom"}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_TEXTS = frozenset({"input_text", "output_text", "text"})
_BETWEEN = "\n\n"


class _Turn:
    """One message, the results of its calls, and the pictures in them."""

    __slots__ = ("message", "pictures", "results", "said", "thought", "thoughts")

    def __init__(self, message: Json) -> None:
        self.message = message
        self.results: list[Json] = []
        self.pictures: list[Json] = []
        self.thoughts: list[Json] = []
        self.said: list[Any] = []  # contents that are one in chat, and what was thought; joined once, at the end
        self.thought: list[str] = []

    def whole(self) -> Json:
        """The message with everything that was said and thought in it."""
        if self.said:
            self.message["content"] = _joined(self.said)
        if self.thought:
            self.message["reasoning_content"] = _BETWEEN.join(self.thought)
        return self.message

    @property
    def open(self) -> bool:
        """An assistant's message that further items may still belong to."""
        return self.message["role"] == "assistant" and not self.results and "type" not in self.message

    @property
    def bare(self) -> bool:
        """Nothing but thoughts so far."""
        return self.message["content"] is None and not self.said and "tool_calls" not in self.message


class Talk:
    """Messages in the making. ``add`` items in order, then ask for ``messages``.

    Attributes:
        carried: types of items that only an upstream of the same protocol understands.
    """

    def __init__(self, flat: dict[tuple[str, str], str]) -> None:
        self._turns: list[_Turn] = []
        self._by_call: dict[str, _Turn] = {}
        self._flat = flat
        self.carried: list[str] = []

    def add(self, item: Json, path: str) -> None:
        """One item.

        Raises:
            BadRequest: it has the wrong shape.
            UnsupportedParameter: a kind of content that chat has no word for.
        """
        kind = item.get("type") or "message"
        text_at(kind, f"{path}.type")
        if kind == "message":
            self._say(item, path)
        elif kind in _CALLS:
            self._call(item, kind, path)
        elif kind in _RESULTS:
            self._result(item, path)
        elif kind == "reasoning":
            self._think(item, path)
        else:
            self.carried.append(f"input[].{kind}")
            self._turns.append(_Turn(carried_message(item, result=kind.endswith("_output"))))

    def messages(self, instructions: str | None) -> list[Json]:
        """The chat's messages. What is said before the first other message is one system message."""
        said = [instructions] if instructions else []
        first = 0
        for turn in self._turns:
            if turn.message["role"] != "system" or not isinstance(turn.message["content"], str):
                break
            said.append(turn.message["content"])
            first += 1
        found: list[Json] = [{"role": "system", "content": _BETWEEN.join(said)}] if said else []
        for turn in self._turns[first:]:
            if turn.thoughts and turn.bare:  # thoughts before an item that chat does not know
                self.carried.append("input[].reasoning")
                found += [carried_message(_unsealed(item)) for item in turn.thoughts]
                continue
            found += [turn.whole(), *turn.results]
            if turn.pictures:
                found.append({"role": "user", "content": turn.pictures})
        return found

    # --- one item each

    def _say(self, item: Json, path: str) -> None:
        role = text_at(item.get("role"), f"{path}.role")
        if role in _SYSTEM:
            role = "system"
        elif role not in {"user", "assistant"}:
            raise BadRequest(f"'{path}.role' must be user, assistant, system or developer.", param=f"{path}.role")
        content = _content(item.get("content"), f"{path}.content")
        if role == "system" and isinstance(content, list) and all(part["type"] == "text" for part in content):
            content = _BETWEEN.join(part["text"] for part in content)
        last = self._turns[-1] if self._turns else None
        if role == "assistant" and last is not None and last.open and (last.bare or "tool_calls" in last.message):
            if not last.said and last.message["content"] is not None:
                last.said.append(last.message["content"])
            last.said.append(content)
            return
        self._turns.append(_Turn({"role": role, "content": content}))

    def _assistant(self) -> _Turn:
        if not self._turns or not self._turns[-1].open:
            self._turns.append(_Turn({"role": "assistant", "content": None}))
        return self._turns[-1]

    def _call(self, item: Json, kind: str, path: str) -> None:
        turn = self._assistant()
        call_id = text_at(item.get("call_id"), f"{path}.call_id")
        name = text_at(item.get("name"), f"{path}.name")
        space = item.get("namespace")
        if space is not None:
            name = self._flat.get((text_at(space, f"{path}.namespace"), name), flat_name(space, name))
        body: Json = {"name": name}
        field = "input" if kind == "custom_tool_call" else "arguments"
        body[field] = text_at(item.get(field), f"{path}.{field}")
        calls: list[Json] = turn.message.setdefault("tool_calls", [])
        calls.append({"id": call_id, "type": _CALLS[kind], _CALLS[kind]: body})
        self._by_call[call_id] = turn

    def _result(self, item: Json, path: str) -> None:
        call_id = text_at(item.get("call_id"), f"{path}.call_id")
        turn = self._by_call.get(call_id)
        if turn is None:
            words = f"'{path}' is the result of a call that stands nowhere before it: send its call, too"
            raise BadRequest(f"{words}, or 'previous_response_id'.", param=f"{path}.call_id")
        output = item.get("output")
        content = _content(output, f"{path}.output")
        if isinstance(content, list):
            turn.pictures += [part for part in content if part["type"] != "text"]
            content = "\n".join(part["text"] for part in content if part["type"] == "text")
        turn.results.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def _think(self, item: Json, path: str) -> None:
        said: list[str] = []
        for name in ("summary", "content"):
            for k, part in enumerate(list_at(item.get(name) or [], f"{path}.{name}")):
                where = f"{path}.{name}[{k}]"
                said.append(text_at(object_at(part, where).get("text"), f"{where}.text"))
        sealed = item.get("encrypted_content")
        turn = self._assistant()
        if not turn.bare:
            turn = _Turn({"role": "assistant", "content": None})
            self._turns.append(turn)
        turn.thoughts.append(item)
        turn.thought += filter(None, said)
        if sealed is not None:
            entry = unwrapped(text_at(sealed, f"{path}.encrypted_content"), item.get("id"))
            turn.message.setdefault("reasoning_details", []).append(entry)
            self.carried.append("input[].encrypted_content")


def _unsealed(item: Json) -> Json:
    """A reasoning item under the id that its own server gave it."""
    data = item.get("encrypted_content")
    if not isinstance(data, str):
        return item
    entry = unwrapped(data, item.get("id"))
    named = {"id": entry["id"]} if "id" in entry else {}
    return {**item, **named, "encrypted_content": entry["data"]}


def flat_name(space: Any, name: str) -> str:
    """A tool of a namespace under the one name that chat has room for."""
    return f"{space}__{name}"


def _joined(said: list[Any]) -> Any:
    if len(said) == 1:
        return said[0]
    if all(isinstance(each, str) for each in said):
        return _BETWEEN.join(said)
    return [part for each in said for part in _parts(each)]


def _parts(content: Any) -> Sequence[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _content(content: Any, path: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequest(f"'{path}' must be a string or a list of parts.", param=path)
    parts = [_part(object_at(part, f"{path}[{k}]"), f"{path}[{k}]") for k, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts):
        return parts[0]["text"] if len(parts) == 1 else parts or ""
    return parts


def _part(part: Json, path: str) -> Json:
    kind = text_at(part.get("type"), f"{path}.type")
    if kind in _TEXTS:
        return {"type": "text", "text": text_at(part.get("text"), f"{path}.text")}
    if kind == "refusal":
        return {"type": "refusal", "refusal": text_at(part.get("refusal"), f"{path}.refusal")}
    if kind == "input_image":
        return _image(part, path)
    if kind == "input_file":
        return _file(part, path)
    if kind == "input_audio":
        return {"type": kind, kind: object_at(part.get(kind), f"{path}.{kind}")}
    words = f"'{path}.type' is {kind[:64]!r}, a kind of content that no model here can be sent."
    raise UnsupportedParameter(words, param=f"{path}.type")


def _image(part: Json, path: str) -> Json:
    if part.get("image_url") is None and part.get("file_id") is not None:
        raise _no_files(f"{path}.file_id", "the image in 'image_url', as a data URL or an address")
    image: Json = {"url": text_at(part.get("image_url"), f"{path}.image_url")}
    if part.get("detail") is not None:
        image["detail"] = text_at(part["detail"], f"{path}.detail")
    return {"type": "image_url", "image_url": image}


def _file(part: Json, path: str) -> Json:
    for name in ("file_id", "file_url"):
        if part.get(name) is not None:
            raise _no_files(f"{path}.{name}", "the file in 'file_data', as a data URL")
    file: Json = {"file_data": text_at(part.get("file_data"), f"{path}.file_data")}
    if part.get("filename") is not None:
        file["filename"] = text_at(part["filename"], f"{path}.filename")
    return {"type": "file", "file": file}


def _no_files(path: str, instead: str) -> UnsupportedParameter:
    return UnsupportedParameter(f"This gateway keeps and fetches no files; send {instead}.", param=path)
