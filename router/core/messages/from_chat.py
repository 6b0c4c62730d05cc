"""A chat completion request, extras included, as a request in Anthropic's Messages."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

from router.core.messages.words import (
    BUDGETS,
    CLIENT_TOOLS,
    LEAST_BUDGET,
    TOOL_PROSE,
    TOOL_WHOLE,
    WHOLE,
    digest_of,
    read_input,
)
from router.errors import UpstreamRejected

Json = dict[str, Any]

DEFAULT_MAX_TOKENS = 8_192  # Messages must be told a limit; callers of chat need not name one
ROOM = 1_024  # tokens of the answer that a thinking budget leaves at least

_ABOVE = ("system", "developer")
_BETA = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ForMessages(NamedTuple):
    """A request for ``/v1/messages``.

    Attributes:
        body: JSON.
        betas: what the header ``anthropic-beta`` must ask for.
    """

    body: bytes
    betas: tuple[str, ...]


def messages_request(body: bytes) -> ForMessages:
    """A chat completion request as one for Messages.

    Raises:
        UpstreamRejected: it asks for what Messages has not (several answers at once, sound), or has a wrong shape.
    """
    try:
        return _request(json.loads(body))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise _refused("The request holds a part that cannot be said in this model's protocol.", "messages") from None


def _request(chat: Json) -> ForMessages:
    if (chat.get("n") or 1) != 1:
        raise _refused("This model gives one answer at a time; leave out 'n'.", "n")
    extras: Json = dict(chat.get("anthropic") or {})
    betas = tuple(name for name in extras.get("betas", ()) if isinstance(name, str) and _BETA.fullmatch(name))
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens") or DEFAULT_MAX_TOKENS
    out: Json = {"model": chat["model"], "max_tokens": limit}
    system, messages = _messages(chat["messages"])
    out |= {"system": system} if system else {}
    out["messages"] = messages
    if chat.get("stream"):
        out["stream"] = True
    out |= _sampling(chat)
    out |= _tools(chat)
    out |= _format(chat, extras)
    out |= {name: extras[name] for name in WHOLE if name in extras and name not in out}
    _think(chat, out)
    return ForMessages(msgspec.json.encode(out), betas)


def _refused(words: str, param: str) -> UpstreamRejected:
    return UpstreamRejected(words, status=400, code="unsupported_parameter", param=param)


# --- settings


def _sampling(chat: Json) -> Json:
    out: Json = {}
    if (heat := chat.get("temperature")) is not None:
        out["temperature"] = min(heat, 1) if isinstance(heat, int | float) else heat  # chat's scale ends at 2
    if chat.get("top_p") is not None:
        out["top_p"] = chat["top_p"]
    if (stop := chat.get("stop")) is not None:
        stops = [stop] if isinstance(stop, str) else stop
        # white space alone is refused there, and never ends an answer by itself
        if stops := [each for each in stops if not isinstance(each, str) or each.strip()]:
            out["stop_sequences"] = stops
    user = chat.get("safety_identifier") or chat.get("user")
    if isinstance(user, str):
        out["metadata"] = {"user_id": user}
    return out


def _tools(chat: Json) -> Json:
    older = [{"type": "function", "function": function} for function in chat.get("functions") or ()]
    tools = [_tool(tool) for tool in [*(chat.get("tools") or ()), *older]]
    out: Json = {"tools": tools} if tools else {}
    wanted = chat.get("tool_choice")
    choice: Json | None = None
    if isinstance(wanted, str):
        choice = {"type": {"required": "any"}.get(wanted, wanted)}
    elif isinstance(wanted, dict) and isinstance(wanted.get("function"), dict):
        choice = {"type": "tool", "name": wanted["function"].get("name")}
    if chat.get("parallel_tool_calls") is False and tools:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    if choice is not None and tools:
        out["tool_choice"] = choice
    return out


def _tool(tool: Json) -> Json:
    kind = tool.get("type")
    if kind == "anthropic" and str(tool["anthropic"].get("type")).startswith(CLIENT_TOOLS):
        return {name: value for name, value in tool["anthropic"].items() if name not in TOOL_PROSE}
    function = tool.get("function")
    if kind != "function" or not isinstance(function, dict):
        raise _refused(f"This model knows no tools of the type {kind!r}.", "tools")
    made: Json = {"name": function.get("name")}
    if function.get("description") is not None:
        made["description"] = function["description"]
    made["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    if function.get("strict"):
        made["strict"] = True
    more = tool.get("anthropic") or {}
    made |= {name: more[name] for name in TOOL_WHOLE if name in more}
    return _cached(made, tool)


def _format(chat: Json, extras: Json) -> Json:
    wanted = chat.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return {}
    schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
    config = {**(extras.get("output_config") or {}), "format": {"type": "json_schema", "schema": schema}}
    return {"output_config": config}


def _think(chat: Json, out: Json) -> None:
    """A reasoning effort as a thinking budget; no thinking where the conversation cannot go on with it.

    Inside a loop of tools the last turn must begin with the thinking that called for them. Where that was lost (another
    server's, or changed by a guard since it was signed) the server would refuse the whole request.
    """
    effort = chat.get("reasoning_effort")
    if "thinking" not in out and effort in BUDGETS:
        budget = min(BUDGETS[effort], out["max_tokens"] - ROOM)
        if budget >= LEAST_BUDGET:
            out["thinking"] = {"type": "enabled", "budget_tokens": budget}
    thinking = out.get("thinking") or {}
    if thinking.get("type") not in {"enabled", "adaptive"}:
        return
    if thinking["type"] == "enabled" and _lacks_thinking(out["messages"]):
        del out["thinking"]
    elif "reasoning_effort" in chat or thinking["type"] == "enabled":
        for name in ("temperature", "top_p"):  # a thinking model takes neither
            if name == "temperature" or out.get(name, 1) < 0.95:
                out.pop(name, None)


def _lacks_thinking(messages: list[Json]) -> bool:
    last = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    content = last["content"] if last else ""
    if not isinstance(content, list) or not any(block["type"] == "tool_use" for block in content):
        return False
    return content[0]["type"] not in {"thinking", "redacted_thinking"}


# --- messages


def _messages(chat: list[Json]) -> tuple[object, list[Json]]:
    """The system's words, and the turns: neighbours of one role are one turn."""
    system: list[Json] = []
    turns: list[Json] = []
    for i, message in enumerate(chat):
        role = message.get("role")
        if role in _ABOVE:
            system += _parts(message.get("content"), f"messages[{i}]")
        elif role == "assistant":
            _add(turns, "assistant", _assistant(message, i))
        elif role in {"tool", "function"}:
            _add(turns, "user", [_result(message, i)])
        else:
            _add(turns, "user", _parts(message.get("content"), f"messages[{i}]"))
    if not turns:
        _add(turns, "user", [{"type": "text", "text": "."}])  # Messages wants a turn beside the system's words
    for turn in turns:
        turn["content"] = _smallest(turn["content"])
    return _smallest(system), turns


def _add(turns: list[Json], role: str, blocks: list[Json]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _smallest(blocks: list[Json]) -> object:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks


def _cached(made: Json, source: Json) -> Json:
    if source.get("cache_control") is not None:
        made["cache_control"] = source["cache_control"]
    return made


def _assistant(message: Json, place: int) -> list[Json]:
    blocks: list[Json] = []
    for block in message.get("thinking_blocks") or ():
        if block.get("type") == "redacted_thinking":
            blocks.append({"type": "redacted_thinking", "data": block.get("data")})
        elif block.get("signature") and _unchanged(block):
            signed = {name: block[name] for name in ("type", "thinking", "signature") if name in block}
            blocks.append({"thinking": "", **signed})
    blocks += _parts(message.get("content"), f"messages[{place}]")
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        blocks.append({"type": "text", "text": message["refusal"]})
    for k, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function")
        if not isinstance(function, dict):
            raise _refused("This model knows calls of functions only.", f"messages[{place}].tool_calls[{k}]")
        made = {"type": "tool_use", "id": call.get("id"), "name": function.get("name"),
                "input": read_input(function.get("arguments"))}  # fmt: skip
        blocks.append(_cached(made, call))
    return blocks


def _unchanged(block: Json) -> bool:
    """Whether nobody has changed the thinking since it was signed, as far as can be known."""
    return block.get("digest") in (None, digest_of(block.get("thinking") or ""))


def _result(message: Json, place: int) -> Json:
    made: Json = {"type": "tool_result", "tool_use_id": message.get("tool_call_id") or message.get("name")}
    if parts := _parts(message.get("content"), f"messages[{place}]"):
        made["content"] = _smallest(parts)
    if message.get("is_error"):
        made["is_error"] = True
    return _cached(made, message)


def _parts(content: object, path: str) -> list[Json]:
    """The blocks of a message. Messages refuses texts that are empty: they say nothing."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    found: list[Json] = []
    for k, part in enumerate(content if isinstance(content, list) else ()):
        made = _part(part, f"{path}.content[{k}]")
        if made is not None:
            found.append(_cached(made, part))
    return found


def _part(part: Json, path: str) -> Json | None:
    kind = part.get("type")
    if kind in {"text", "input_text", "output_text", "refusal"}:
        text = part.get("refusal") if kind == "refusal" else part.get("text")
        return {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None
    if kind == "image_url":
        given = part.get("image_url")
        url = given.get("url") if isinstance(given, dict) else given
        return {"type": "image", "source": _source(url)}
    if kind == "file":
        return _file(part, path)
    if kind == "document":
        return _document(part)
    if kind == "search_result":
        return _search_result(part)
    raise _refused(f"This model reads no parts of the type {kind!r}.", path)


def _source(url: object) -> Json:
    text = url if isinstance(url, str) else ""
    if text.startswith("data:"):
        media, _, data = text.removeprefix("data:").partition(";base64,")
        return {"type": "base64", "media_type": media, "data": data}
    return {"type": "url", "url": text}


def _file(part: Json, path: str) -> Json:
    file = part.get("file") or {}
    data = file.get("file_data")
    if not isinstance(data, str):
        raise _refused("This model reads files only where they are sent along.", path)
    if not data.startswith("data:"):
        data = f"data:application/pdf;base64,{data}"
    made: Json = {"type": "document", "source": _source(data)}
    labels = _labels(part)
    if "title" not in labels and "anthropic" not in part and file.get("filename") not in (None, "document.pdf"):
        labels["title"] = file["filename"]
    return {**made, **labels}


def _labels(part: Json) -> Json:
    """Title, context and whether to cite: what a document has beside its text."""
    named = {each["type"]: each["text"] for each in part.get("content") or () if each["type"] in {"title", "context"}}
    if part.get("citations") is not None:
        named["citations"] = part["citations"]
    return named


def _document(part: Json) -> Json:
    texts = [each for each in part.get("content") or () if each["type"] == "text"]
    if "url" in part:
        source: Json = {"type": "url", "url": part["url"]}
    elif "text" in part:
        source = {"type": "text", "media_type": "text/plain", "data": part["text"]}
    else:
        source = {"type": "content", "content": texts}
    return {"type": "document", "source": source, **_labels(part)}


def _search_result(part: Json) -> Json:
    inside = part.get("content") or []
    words = {each["type"]: each["text"] for each in inside if each["type"] in {"source", "title"}}
    made: Json = {"type": "search_result", "source": words.get("source", ""), "title": words.get("title", "")}
    made["content"] = [each for each in inside if each["type"] == "text"]
    if part.get("citations") is not None:
        made["citations"] = part["citations"]
    return made
