"""What chat does not know of a Responses request, put where guards read it, and taken out again.

An upstream that speaks Responses is sent it as it was; every other upstream never sees it. It stands in the chat
request as text (the JSON of an unknown item is the content of a message, that of an unknown tool is a description), so
guards read it and their masks land in it, and a caller who writes such a message into a chat request of his own gains
nothing: it is guarded there, too.

Parameters hold no text. They stand in one member of the body, and only those of a closed list are read from it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from router.core.surfaces.said import SEALED
from router.core.wire import value_of
from router.errors import BadRequest

Json = dict[str, Any]
MARK: Final = "responses"  # type of such a message and such a tool; name of the member
_SEAL: Final = "stillhouse:"
#: Parameters of Responses that chat has no word for. They are words and numbers of a closed set, no free text.
PARAMETERS: Final = ("include", "max_tool_calls", "truncation", "reasoning_summary")


def carried_message(item: Json, *, result: bool = False) -> Json:
    """An item that chat does not know, as a message that only this module reads back."""
    return {"role": "tool" if result else "assistant", "type": MARK, "content": _dumped(item)}


def carried_tool(tool: Json) -> Json:
    """A tool that chat does not know."""
    return {"type": MARK, "function": {"description": _dumped(tool)}}


def wrapped(entry: Json) -> str:
    """Sealed thoughts with the id under which their server knows them: it takes them back under no other."""
    return f"{_SEAL}{entry['id']}:{entry['data']}" if isinstance(entry.get("id"), str) else str(entry["data"])


def unwrapped(data: str, item_id: Any) -> Json:
    """The way back; ``item_id`` counts for thoughts that were sealed elsewhere."""
    if data.startswith(_SEAL):
        item_id, _, data = data.removeprefix(_SEAL).partition(":")
    named = {"id": item_id} if isinstance(item_id, str) else {}
    return {"type": SEALED, "data": data, **named}


def restored(text: Any) -> Json | None:
    """The item or tool again; None where a guard's mask has left no JSON."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def without(body: bytes) -> bytes:
    """A chat request without what only Responses knows."""
    value: Json = value_of(body)
    value.pop(MARK, None)
    tools = [tool for tool in value.get("tools", ()) if tool.get("type") != MARK]
    if tools:
        value["tools"] = tools
    else:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            value.pop(name, None)
    value["messages"] = [_plain(message) for message in value["messages"] if message.get("type") != MARK]
    if not value["messages"]:
        words = "'input' holds nothing that the server of this model understands: send a message."
        raise BadRequest(words, param="input")
    return msgspec.json.encode(value)


def _plain(message: Json) -> Json:
    details = message.get("reasoning_details")
    if not details:
        return message
    kept = [entry for entry in details if entry.get("type") != SEALED]
    rest = {name: value for name, value in message.items() if name != "reasoning_details"}
    return {**rest, "reasoning_details": kept} if kept else rest


def _dumped(value: Json) -> str:
    return msgspec.json.encode(value).decode()
