"""A request in Anthropic's Messages, as a chat completion request with extras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from router.core.messages.fields import Fields, decoded, items_of, kind_of
from router.core.messages.words import CLIENT_TOOLS, TOOL_WHOLE, WHOLE, digest_of
from router.core.wire import check_json
from router.errors import BadJSON, BadRequest, UnsupportedParameter

Json = dict[str, Any]
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.encode

_KNOWN = frozenset(
    {
        *WHOLE, "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stop_sequences", "stream",
        "temperature", "top_p", "metadata", "output_format",
    }
)  # fmt: skip
#: Blocks of server tools: their texts lie where no guard reads, so they do not travel.
SERVER_BLOCKS = frozenset({"server_tool_use", "container_upload", "tool_reference", "browser_state"})
#: Documents in documents: each level reads all of its inside again.
MOST_NESTED = 4
_TOOL_KNOWN = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


class Asked(NamedTuple):
    """A request as chat.

    Attributes:
        chat: the body of a chat completion, extras included.
        dropped: what does not travel to any server, by name.
        rich: whether there are extras, which ``plain`` must take out for servers that speak chat alone.
        thinks: whether the caller asked to see the model think.
        stops: the caller's stop sequences.
    """

    chat: bytes
    dropped: tuple[str, ...]
    rich: bool
    thinks: bool
    stops: tuple[str, ...]


def read_messages(body: bytes, betas: Sequence[str] = (), *, counting: bool = False) -> Asked:
    """Read a Messages request.

    Args:
        body: JSON.
        betas: of the header ``anthropic-beta``; they travel to a server that speaks Messages.
        counting: it is a request for a count of tokens, which has no ``max_tokens``.

    Raises:
        BadJSON: see ``router.core.wire.check_json``.
        BadRequest: a member is missing or of the wrong kind; ``param`` names it.
    """
    check_json(body)
    return _Reader(Fields(body.lstrip(b" \t\r\n"), "")).read(betas, counting=counting)


class _Reader:
    """One request being read."""

    def __init__(self, body: Fields) -> None:
        self._body = body
        self._dropped: dict[str, None] = {}
        self._rich = False

    def read(self, betas: Sequence[str], *, counting: bool) -> Asked:
        body = self._body
        chat: Json = {"model": body.must("model", "text", "a string")}
        messages = self._system(body)
        if not (items := body.items("messages")):
            body.must("messages", "list", "a list of messages")
            raise BadRequest("'messages' must hold at least one message.", param="messages")
        for raw, path in items:
            messages += self._message(Fields(raw, path))
        chat["messages"] = messages
        limit = body.count("max_tokens", 1)
        if limit is not None:
            chat["max_completion_tokens"] = limit
        elif not counting:
            body.must("max_tokens", "number", "an integer of at least 1")
        stops = tuple(self._stop(raw, path) for raw, path in body.items("stop_sequences"))
        if stops:
            chat["stop"] = list(stops)
        if body.flag("stream"):
            chat |= {"stream": True, "stream_options": {"include_usage": True}}
        chat |= {name: given for name in ("temperature", "top_p") if (given := body.number(name)) is not None}
        chat |= self._tools()
        chat |= self._user()
        chat |= self._format()
        thinks = self._whole(chat, betas)
        for name in body.raw:
            if name not in _KNOWN:
                self._drop(name)
        return Asked(_encode(chat), tuple(self._dropped), self._rich, thinks, stops)

    def _drop(self, name: str) -> None:
        self._dropped[name] = None

    def _extra(self, target: Json, source: Fields, name: str = "cache_control") -> Json:
        """Let an extra travel beside what chat knows."""
        if (raw := source.of(name, "object", "an object")) is not None:
            target[name] = raw
            self._rich = True
        return target

    # --- settings

    @staticmethod
    def _stop(raw: Raw, path: str) -> str:
        if kind_of(raw) != "text":
            raise BadRequest(f"'{path}' must be a string.", param=path)
        return str(decoded(_text, raw))

    def _user(self) -> Json:
        metadata = self._body.object("metadata")
        user = metadata.text("user_id") if metadata else None
        return {} if user is None else {"user": user}

    def _format(self) -> Json:
        """Structured outputs, under the newer name or the older one."""
        config = self._body.object("output_config")
        wanted = (config.object("format") if config else None) or self._body.object("output_format")
        if wanted is None:
            return {}
        if wanted.word("type") != "json_schema":
            raise BadRequest(f"'{wanted.at('type')}' must be json_schema.", param=wanted.at("type"))
        schema = wanted.must("schema", "object", "a JSON schema")
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            }
        }

    def _whole(self, chat: Json, betas: Sequence[str]) -> bool:
        """What travels as it is to a server that speaks Messages; says whether the caller wants to see thinking."""
        body = self._body
        body.count("top_k")
        thinking = body.object("thinking")
        thinks = thinking is not None and thinking.word("type") != "disabled"
        if thinking is not None and thinking.word("type") == "enabled":
            thinking.must("budget_tokens", "number", "an integer")
            thinking.count("budget_tokens")
        extras: Json = {name: raw for name in WHOLE if (raw := body.get(name)) is not None}
        if betas:
            extras["betas"] = list(betas)
        if extras:
            chat["anthropic"] = extras
            self._rich = True
        return thinks

    def _tools(self) -> Json:
        found: list[object] = []
        for raw, path in self._body.items("tools"):
            tool = Fields(raw, path)
            kind = tool.word("type") if tool.get("type") is not None else "custom"
            if kind == "custom":
                found.append(self._tool(tool))
            else:
                if tool.get("name") is not None:
                    tool.word("name")
                if kind.startswith(CLIENT_TOOLS):
                    self._rich = True
                    found.append({"type": "anthropic", "anthropic": raw})
                else:
                    self._drop(f"tools.{kind}")
        chat: Json = {"tools": found} if found else {}
        choice = self._body.object("tool_choice")
        if choice is None:
            return chat
        word = choice.word("type")
        if word == "tool":
            chat["tool_choice"] = {"type": "function", "function": {"name": choice.word("name")}}
        elif word in {"auto", "any", "none"}:
            chat["tool_choice"] = "required" if word == "any" else word
        else:
            words = f"'{choice.at('type')}' must be auto, any, tool or none."
            raise BadRequest(words, param=choice.at("type"))
        if choice.flag("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
        return chat

    def _tool(self, tool: Fields) -> Json:
        function: Json = {"name": tool.word("name")}
        if (words := tool.text("description")) is not None:
            function["description"] = words
        function["parameters"] = tool.must("input_schema", "object", "a JSON schema")
        if tool.flag("strict"):
            function["strict"] = True
        made = self._extra({"type": "function", "function": function}, tool)
        more = {name: raw for name in TOOL_WHOLE if (raw := tool.get(name)) is not None}
        if more:
            made["anthropic"] = more
            self._rich = True
        for name in tool.raw:
            if name not in _TOOL_KNOWN and name not in TOOL_WHOLE:
                self._drop(f"tools.{name}")
        return made

    # --- messages

    def _system(self, body: Fields) -> list[Json]:
        raw = body.get("system")
        if raw is None:
            return []
        content = self._texts(raw, body.at("system"))
        return [{"role": "system", "content": content}] if content else []

    def _texts(self, raw: Raw, path: str) -> object:
        """A text, or blocks that are texts alone."""
        if kind_of(raw) == "text":
            return raw
        if kind_of(raw) != "list":
            raise BadRequest(f"'{path}' must be a string or a list of text blocks.", param=path)
        parts = [self._text_part(Fields(item, where)) for item, where in items_of(raw, path)]
        return _smallest([part for part in parts if part is not None])

    def _text_part(self, block: Fields) -> Json | None:
        if block.word("type") != "text":
            raise BadRequest(f"'{block.at('type')}' must be text here.", param=block.at("type"))
        return self._extra({"type": "text", "text": block.must("text", "text", "a string")}, block)

    def _message(self, message: Fields) -> list[Json]:
        role = message.word("role")
        content = message.get("content")
        if role not in {"user", "assistant", "system"}:
            words = f"'{message.at('role')}' must be user or assistant."
            raise BadRequest(words, param=message.at("role"))
        if content is None:
            message.must("content", "text", "a string or a list of blocks")
        assert content is not None
        if role == "system":
            return [{"role": "system", "content": self._texts(content, message.at("content"))}]
        if kind_of(content) == "text":
            return [{"role": role, "content": content}]
        if kind_of(content) != "list":
            words = f"'{message.at('content')}' must be a string or a list of blocks."
            raise BadRequest(words, param=message.at("content"))
        blocks = [Fields(raw, path) for raw, path in items_of(content, message.at("content"))]
        return self._assistant(blocks) if role == "assistant" else self._user_turn(blocks)

    def _user_turn(self, blocks: list[Fields]) -> list[Json]:
        """Results of tools come first, each a message of its own; the rest is what the user says."""
        results: list[Json] = []
        parts: list[Json] = []
        for block in blocks:
            if block.word("type") == "tool_result":
                results.append(self._result(block))
            else:
                parts += self._part(block)
        if parts or not results:
            results.append({"role": "user", "content": _smallest(parts)})
        return results

    def _result(self, block: Fields) -> Json:
        made: Json = {"role": "tool", "tool_call_id": block.word("tool_use_id")}
        content = block.get("content")
        if content is None:
            made["content"] = ""
        elif kind_of(content) == "text":
            made["content"] = content
        elif kind_of(content) == "list":
            inside = [Fields(raw, path) for raw, path in items_of(content, block.at("content"))]
            made["content"] = _smallest([part for each in inside for part in self._part(each)])
        else:
            words = f"'{block.at('content')}' must be a string or a list of blocks."
            raise BadRequest(words, param=block.at("content"))
        if block.flag("is_error"):
            made["is_error"] = True
            self._rich = True
        return self._extra(made, block)

    def _assistant(self, blocks: list[Fields]) -> list[Json]:
        parts: list[Json] = []
        thinking: list[Json] = []
        calls: list[Json] = []
        for block in blocks:
            kind = block.word("type")
            if kind == "thinking":
                thinking.append(self._thinking(block))
            elif kind == "redacted_thinking":
                thinking.append({"type": kind, "data": block.must("data", "text", "a string")})
            elif kind == "tool_use":
                calls.append(self._call(block))
            else:
                parts += self._part(block)
        made: Json = {"role": "assistant", "content": _smallest(parts) if parts or not calls else None}
        if thinking:
            made["thinking_blocks"] = thinking
            self._rich = True
        if calls:
            made["tool_calls"] = calls
        return [made]

    @staticmethod
    def _thinking(block: Fields) -> Json:
        words = block.word("thinking")
        made: Json = {"type": "thinking", "thinking": words}
        if signature := block.text("signature"):
            made |= {"signature": signature, "digest": digest_of(words)}
        return made

    def _call(self, block: Fields) -> Json:
        arguments = block.must("input", "object", "an object")
        function = {"name": block.word("name"), "arguments": bytes(arguments).decode()}
        return self._extra({"id": block.word("id"), "type": "function", "function": function}, block)

    # --- blocks

    def _part(self, block: Fields) -> list[Json]:
        """A block as parts of a chat message; none for one that does not travel."""
        kind = block.word("type")
        if kind == "text":
            return [self._extra({"type": "text", "text": block.must("text", "text", "a string")}, block)]
        if kind == "image":
            return [self._extra(_image(block), block)]
        if kind == "document":
            return self._document(block)
        if kind == "search_result":
            return [self._search_result(block)]
        if kind in SERVER_BLOCKS or kind.endswith("_tool_result"):
            self._drop(f"content.{kind}")
            return []
        raise BadRequest(f"'{block.at('type')}' is {kind!r}, which is no kind of block here.", param=block.at("type"))

    def _document(self, block: Fields) -> list[Json]:
        """A text document as a part of its own, a PDF as chat's file part. Their title and context are texts, too."""
        self._rich = True
        source = block.object("source")
        if source is None:
            block.must("source", "object", "an object")
        assert source is not None
        made: Json = {"type": "document"}
        labels = [{"type": name, "text": raw} for name in ("title", "context") if (raw := block.text(name)) is not None]
        beside: list[Json] = []
        kind = source.word("type")
        if kind == "text":
            made["text"] = source.must("data", "text", "a string")
        elif kind == "base64":
            media, data = source.word("media_type"), source.word("data")
            made = {"type": "file", "file": {"filename": "document.pdf", "file_data": f"data:{media};base64,{data}"}}
        elif kind == "url":
            made["url"] = _web(source)
        elif kind == "content":
            inside = source.get("content")
            texts = [] if inside is None else self._inside(inside, source.at("content"))
            labels += [part for part in texts if part["type"] == "text"]
            beside = [part for part in texts if part["type"] != "text"]
        else:
            raise _no_source(source, kind)
        if labels:
            made["content"] = labels
        self._extra(made, block, "citations")
        return [self._extra(made, block), *beside]

    def _inside(self, raw: Raw, path: str) -> list[Json]:
        if path.count(".source.") > MOST_NESTED:
            raise BadJSON("The body is nested too deeply.")
        if kind_of(raw) == "text":
            return [{"type": "text", "text": raw}]
        if kind_of(raw) != "list":
            raise BadRequest(f"'{path}' must be a string or a list of blocks.", param=path)
        return [part for item, where in items_of(raw, path) for part in self._part(Fields(item, where))]

    def _search_result(self, block: Fields) -> Json:
        self._rich = True
        texts: list[Json] = [
            {"type": "source", "text": block.must("source", "text", "a string")},
            {"type": "title", "text": block.must("title", "text", "a string")},
        ]
        texts += [part for raw, path in block.items("content") if (part := self._text_part(Fields(raw, path)))]
        made = self._extra({"type": "search_result", "content": texts}, block, "citations")
        return self._extra(made, block)


def _image(block: Fields) -> Json:
    source = block.object("source")
    if source is None:
        block.must("source", "object", "an object")
    assert source is not None
    kind = source.word("type")
    if kind == "base64":
        url = f"data:{source.word('media_type')};base64,{source.word('data')}"
    elif kind == "url":
        url = _web(source)
    else:
        raise _no_source(source, kind)
    return {"type": "image_url", "image_url": {"url": url}}


def _web(source: Fields) -> str:
    """An address that the model's server will read. We never do."""
    url = source.word("url")
    if not url.startswith(("https://", "http://")):
        raise BadRequest(f"'{source.at('url')}' must begin with https://.", param=source.at("url"))
    return url


def _no_source(source: Fields, kind: str) -> BadRequest:
    if kind == "file":
        words = "names a file of the operator's account, which callers share: send the file itself"
        return UnsupportedParameter(f"'{source.path}' {words}.", param=source.path)
    return BadRequest(f"'{source.at('type')}' is {kind!r}, which is no source here.", param=source.at("type"))


def _smallest(parts: list[Json]) -> object:
    """One plain text as a string, which every server takes; else the parts."""
    if len(parts) == 1 and parts[0]["type"] == "text" and len(parts[0]) == 2:
        return parts[0]["text"]
    return parts or ""


__all__ = ["Asked", "BadJSON", "read_messages"]
