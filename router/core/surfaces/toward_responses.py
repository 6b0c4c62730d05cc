"""A chat completion request in the words of Responses, for a server whose models live behind that alone.

Every field that has no other name there travels under its own: the server judges it. Nothing is kept at the server.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from router.core.surfaces.carried import MARK, PARAMETERS, restored
from router.core.surfaces.said import SEALED
from router.core.wire import value_of

Json = dict[str, Any]
SEALED_WORD: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"
_TURNED: Final = frozenset(
    {
        "messages", "stream_options", "max_tokens", "max_completion_tokens", "response_format", "verbosity",
        "reasoning_effort", "tools", "tool_choice", "logprobs", "n", "store", MARK,
    }
)  # fmt: skip


def in_responses(body: bytes) -> bytes:
    """The request.

    Raises:
        ValueError: it asks for several choices, or a message has a shape that only its own server knows.
    """
    chat: Json = value_of(body)
    if chat.get("n") not in (None, 1):
        raise ValueError("n")
    told: Json = {name: value for name, value in chat.items() if name not in _TURNED}
    told |= {"input": _items(chat["messages"]), "store": False}
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens")
    if limit is not None:
        told["max_output_tokens"] = limit
    beside: Json = chat[MARK] if isinstance(chat.get(MARK), dict) else {}
    _add_form(chat, told)
    _add_thinking(chat, beside, told)
    for name in ("truncation", "max_tool_calls"):
        if name in beside and name in PARAMETERS:
            told[name] = beside[name]
    if isinstance(chat.get("tools"), list):
        tools = [_tool(tool) for tool in chat["tools"] if isinstance(tool, dict)]
        told["tools"] = [tool for tool in tools if tool is not None]
    if chat.get("tool_choice") is not None:
        told["tool_choice"] = _choice(chat["tool_choice"])
    return msgspec.json.encode(told)


def _add_form(chat: Json, told: Json) -> None:
    text: Json = {}
    form = chat.get("response_format")
    if isinstance(form, dict):
        schema = form.get("json_schema")
        text["format"] = {"type": form.get("type"), **(schema if isinstance(schema, dict) else {})}
    if chat.get("verbosity") is not None:
        text["verbosity"] = chat["verbosity"]
    if text:
        told["text"] = text


def _add_thinking(chat: Json, beside: Json, told: Json) -> None:
    """Effort and summary; thoughts are asked for in their sealed form, since the server keeps none."""
    reasoning: Json = {}
    if chat.get("reasoning_effort") is not None:
        reasoning["effort"] = chat["reasoning_effort"]
    if beside.get("reasoning_summary") is not None:
        reasoning["summary"] = beside["reasoning_summary"]
    wanted = beside.get("include")
    include = [word for word in wanted if isinstance(word, str)] if isinstance(wanted, list) else []
    if reasoning:
        told["reasoning"] = reasoning
        if SEALED_WORD not in include:
            include.append(SEALED_WORD)
    if chat.get("logprobs"):
        include.append(_LOGPROBS)
    if include:
        told["include"] = include


# --- messages


def _items(messages: list[Json]) -> list[Json]:
    items: list[Json] = []
    custom: set[str] = set()
    for message in messages:
        if message.get("type") == MARK:
            item = restored(message.get("content"))
            items += [item] if item is not None else []
        elif message.get("role") == "assistant":
            items += _assistant(message, custom)
        elif message.get("role") in {"tool", "function"}:
            call_id = message.get("tool_call_id") or message.get("name")
            kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
            items.append({"type": kind, "call_id": call_id, "output": _plain(message.get("content"))})
        else:
            content = _parts(message.get("content"), "input_text")
            items.append({"type": "message", "role": message.get("role"), "content": content})
    return items


def _assistant(message: Json, custom: set[str]) -> list[Json]:
    items = _thoughts(message)
    content = message.get("content")
    parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else _parts(content, "output_text")
    if isinstance(message.get("refusal"), str):
        parts = [*parts, {"type": "refusal", "refusal": message["refusal"]}]
    if parts and parts != [{"type": "output_text", "text": ""}]:
        items.append({"type": "message", "role": "assistant", "content": parts})
    for call in message.get("tool_calls") or ():
        if isinstance(call.get("custom"), dict):
            custom.add(call.get("id", ""))
            body = {"name": call["custom"].get("name"), "input": call["custom"].get("input")}
            items.append({"type": "custom_tool_call", "call_id": call.get("id"), **body})
        else:
            function = call.get("function") or {}
            body = {"name": function.get("name"), "arguments": function.get("arguments")}
            items.append({"type": "function_call", "call_id": call.get("id"), **body})
    return items


def _thoughts(message: Json) -> list[Json]:
    """Sealed thoughts go back to who sealed them. Open ones do not: the server takes none that it has not sealed."""
    details = message.get("reasoning_details")
    found: list[Json] = []
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, dict) and entry.get("type") == SEALED:
            named = {"id": entry["id"]} if isinstance(entry.get("id"), str) else {}
            found.append({"type": "reasoning", **named, "summary": [], "encrypted_content": entry.get("data")})
    return found


def _plain(content: Any) -> Any:
    if isinstance(content, list):
        return _parts(content, "input_text")
    return "" if content is None else content


def _parts(content: Any, word: str) -> Any:
    if not isinstance(content, list):
        return [] if content is None else content
    return [_part(part, word) if isinstance(part, dict) else part for part in content]


def _part(part: Json, word: str) -> Json:
    kind = part.get("type")
    if kind == "text":
        return {"type": word, "text": part.get("text")}
    if kind == "image_url" and isinstance(part.get("image_url"), dict):
        image = part["image_url"]
        return {"type": "input_image", "image_url": image.get("url"), "detail": image.get("detail", "auto")}
    if kind == "file" and isinstance(part.get("file"), dict):
        return {"type": "input_file", **part["file"]}
    return part


# --- tools


def _tool(tool: Json) -> Json | None:
    kind = tool.get("type")
    if kind == MARK:
        return restored((tool.get("function") or {}).get("description"))
    body = tool.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        return tool
    flat = {"type": kind, **body}
    if kind == "function":
        # Responses makes schemas strict where nothing is said, chat does not.
        return {"strict": False, "parameters": None, **flat}
    form = flat.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
        flat["format"] = {"type": "grammar", **form["grammar"]}
    return flat


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    body = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        return choice
    if kind == "allowed_tools":
        return {"type": kind, "mode": body.get("mode"), "tools": [_choice(tool) for tool in body.get("tools") or ()]}
    return {"type": kind, **body}
