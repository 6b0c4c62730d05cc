"""Taking the extras of a chat request out again, for a server that speaks chat and nothing else.

What chat can say in another way is said so (a document becomes text, a picture in a tool's result moves into a message
of the user's); the rest is dropped, and named.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from router.core.messages.words import effort_of
from router.errors import UnsupportedParameter

Json = dict[str, Any]


def plain_chat(body: bytes, *, reasons: bool) -> tuple[bytes, tuple[str, ...]]:
    """The same request in plain chat, and the names of what was dropped.

    Args:
        body: a chat completion request with extras.
        reasons: the model takes ``reasoning_effort``.

    Raises:
        UnsupportedParameter: there is a document that only its address is known of.
    """
    chat: Json = json.loads(body)
    return _Plain().of(chat, reasons=reasons)


class _Plain:
    """One request being made plain."""

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}

    def of(self, chat: Json, *, reasons: bool) -> tuple[bytes, tuple[str, ...]]:
        extras: Json = chat.pop("anthropic", {})
        extras.pop("betas", None)
        self._think(chat, extras, reasons=reasons)
        config = extras.pop("output_config", None) or {}
        if "effort" in config and "reasoning_effort" not in chat:
            self._dropped["output_config.effort"] = None
        self._dropped |= dict.fromkeys(extras)
        self._tools(chat)
        messages: list[Json] = []
        pictures: list[Json] = []
        for message in chat["messages"]:
            if message["role"] != "tool" and pictures:
                messages.append({"role": "user", "content": pictures})
                pictures = []
            pictures += self._message(message)
            messages.append(message)
        if pictures:
            messages.append({"role": "user", "content": pictures})
        chat["messages"] = messages
        return msgspec.json.encode(chat), tuple(self._dropped)

    def _think(self, chat: Json, extras: Json, *, reasons: bool) -> None:
        """A budget, or an effort, as chat's reasoning effort where the model knows it."""
        thinking = extras.pop("thinking", None) or {}
        effort = (extras.get("output_config") or {}).get("effort")
        if thinking.get("type") == "disabled":
            return
        if effort is None and thinking.get("type") == "enabled":
            effort = effort_of(thinking.get("budget_tokens", 0))
        if reasons and effort is not None:
            chat["reasoning_effort"] = "high" if effort == "max" else effort
        elif thinking:
            self._dropped["thinking"] = None

    def _tools(self, chat: Json) -> None:
        kept: list[Json] = []
        for tool in chat.get("tools") or ():
            if tool["type"] == "anthropic":
                self._dropped[f"tools.{tool['anthropic']['type']}"] = None
                continue
            for name in tool.pop("anthropic", ()):
                self._dropped[f"tools.{name}"] = None
            self._without_cache(tool)
            kept.append(tool)
        if kept:
            chat["tools"] = kept
        elif "tools" in chat:
            for name in ("tools", "tool_choice", "parallel_tool_calls"):
                chat.pop(name, None)

    def _without_cache(self, value: Json) -> None:
        if value.pop("cache_control", None) is not None:
            self._dropped["cache_control"] = None

    def _message(self, message: Json) -> list[Json]:
        """Make one message plain; give back pictures that may not stay in it."""
        self._without_cache(message)
        for name, told in (("thinking_blocks", "thinking"), ("is_error", "tool_result.is_error")):
            if message.pop(name, None) is not None:
                self._dropped[told] = None
        for call in message.get("tool_calls") or ():
            self._without_cache(call)
        content = message.get("content")
        if not isinstance(content, list):
            return []
        parts = [self._part(part) for part in content]
        moved: list[Json] = []
        if message["role"] != "user":
            moved = [part for part in parts if part["type"] != "text"]
            parts = [part for part in parts if part["type"] == "text"]
        if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
            message["content"] = parts[0]["text"]
        else:
            message["content"] = parts or ("See the next message." if moved else "")
        return moved

    def _part(self, part: Json) -> Json:
        self._without_cache(part)
        if part.pop("citations", None) is not None:
            self._dropped["citations"] = None
        if part["type"] not in {"document", "search_result", "file"}:
            return part
        labels = [each["text"] for each in part.pop("content", ())]
        if part["type"] == "file":
            if labels:
                part["file"]["filename"] = labels[0]
            return part
        if "url" in part:
            words = "The model that serves this request reads no documents by their address: send the document itself."
            raise UnsupportedParameter(words, param="messages")
        return {"type": "text", "text": "\n\n".join([*labels, *([part["text"]] if "text" in part else [])])}
