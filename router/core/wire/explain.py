"""Which field of a request is at fault. Only runs when decoding has failed, so it may be slow and plain."""

from __future__ import annotations

import json
from typing import Any

from router.errors import BadRequest

_WANTED: dict[str, tuple[type | tuple[type, ...], str]] = {
    "stream": ((bool, type(None)), "true, false or null"),
    "stream_options": ((dict, type(None)), "an object or null"),
    "max_tokens": ((int, type(None)), "an integer or null"),
    "max_completion_tokens": ((int, type(None)), "an integer or null"),
    "n": ((int, type(None)), "an integer or null"),
}


def explain(body: bytes) -> BadRequest:
    """Name the field at fault. Only runs when decoding has failed, so it may be slow and plain."""
    value: dict[str, Any] = json.loads(body)
    if "model" not in value:
        return BadRequest("You must provide a 'model'.", param="model")
    messages = value.get("messages")
    if not isinstance(messages, list):
        return BadRequest("'messages' must be a list of messages.", param="messages")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            return BadRequest(f"'messages[{i}]' must be an object.", param=f"messages[{i}]")
        if not isinstance(message.get("role"), str):
            return BadRequest(f"'messages[{i}].role' must be a string.", param=f"messages[{i}].role")
        content = message.get("content")
        if isinstance(content, list):
            for k, part in enumerate(content):
                if not isinstance(part, dict) or not isinstance(part.get("type", ""), str):
                    path = f"messages[{i}].content[{k}]"
                    return BadRequest(f"'{path}' must be an object with a 'type'.", param=path)
    for name, (kinds, words) in _WANTED.items():
        got = value.get(name)
        if not isinstance(got, kinds) or (isinstance(got, bool) and name != "stream"):
            return BadRequest(f"'{name}' must be {words}.", param=name)
    return _explain_inside(value, messages)


def _explain_inside(value: dict[str, Any], messages: list[dict[str, Any]]) -> BadRequest:
    """The same for what lies deeper."""
    options = value.get("stream_options") or {}
    if not isinstance(options.get("include_usage"), bool | None):
        path = "stream_options.include_usage"
        return BadRequest(f"'{path}' must be true, false or null.", param=path)
    lists = {f"messages[{i}].tool_calls": message.get("tool_calls") for i, message in enumerate(messages)}
    for path, items in {**lists, "tools": value.get("tools"), "functions": value.get("functions")}.items():
        if isinstance(items, list) and not all(isinstance(item, dict) for item in items):
            return BadRequest(f"'{path}' must be a list of objects.", param=path)
    return BadRequest("A tool or a tool call in the body has the wrong shape.", param="tools")
