"""A request of ``POST /v1/responses`` as a chat completion request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from router.core.surfaces.carried import MARK, carried_tool
from router.core.surfaces.fields import (
    Json,
    body_of,
    count_at,
    encoded,
    flag_at,
    list_at,
    model_of,
    object_at,
    refuse_chats,
    text_at,
)
from router.core.surfaces.responses_items import Talk, flat_name
from router.errors import BadRequest, UnsupportedParameter

PATH: Final = "/v1/responses"
_CHATS: Final = {
    "messages": "input", "n": "", "functions": "tools", "function_call": "tool_choice",
    "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens", "response_format": "text.format",
    "prediction": "", "audio": "", "modalities": "", "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity", "logprobs": "include", "web_search_options": "", MARK: "",
}  # fmt: skip
#: What is acted on here. Whatever else a body holds travels on under its own name, as in chat.
_READ: Final = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens", "include",
        "previous_response_id", "store", "stream", "stream_options", "background", "conversation", "prompt", "metadata",
        "truncation", "max_tool_calls", "parallel_tool_calls", "top_logprobs",
    }
)  # fmt: skip
#: Of Responses alone, no use to any model behind this gateway, and refused by strict servers.
_LEFT: Final = frozenset({"client_metadata", "context_management"})
_LOGPROBS: Final = "message.output_text.logprobs"
_NAME = 64  # characters of a tool's name that chat allows


class Asked(msgspec.Struct, kw_only=True):
    """A request, read.

    Attributes:
        chat: the chat completion request.
        echo: the fields that the answer repeats.
        items: what is new in the conversation, with references resolved.
        store: whether the answer is to be kept.
        names: a tool's flat name -> its namespace and its name there.
        dropped: fields that are left behind whoever answers.
        carried: fields that are left behind by an upstream that does not speak Responses.
        structured: whether the answer's text is to be JSON.
        model: what the caller asked for.
    """

    chat: bytes
    stream: bool
    echo: Json
    items: list[Json]
    store: bool
    names: dict[str, tuple[str, str]]
    dropped: list[str]
    carried: list[str]
    structured: bool
    model: str


def read_responses(raw: bytes, before: Callable[[str], list[Json]], item_of: Callable[[str], Json]) -> Asked:
    """Read a request.

    Args:
        raw: the body.
        before: the id of an answer -> every item of its conversation, its own output included.
        item_of: the id of an item of an earlier answer -> that item.

    Raises:
        BadRequest: a field has the wrong shape.
        UnsupportedParameter: something that this gateway does not do, or only chat has.
        NotFound: an earlier answer or item is not kept.
    """
    body = body_of(raw)
    model = model_of(body)
    _refuse(body)
    dropped = sorted(_LEFT & body.keys())
    carried: list[str] = []
    chat: Json = {"model": model, "messages": []}
    tools = _Tools(body, carried)
    items = _items(body, item_of)
    previous = _optional(body, "previous_response_id", text_at)
    chat["messages"] = _messages(body, items, before(previous) if previous else [], tools, carried)
    tools.write(chat, _optional(body, "tool_choice", _choice_at))
    stream = bool(_optional(body, "stream", flag_at))
    if stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    structured = _write_settings(body, chat, carried)
    _write_carried(body, chat, carried, dropped)
    chat |= {
        name: value for name, value in body.items() if name not in _READ and name not in _LEFT and value is not None
    }
    store = _optional(body, "store", flag_at)
    return Asked(
        chat=encoded(chat), stream=stream, echo=_echo(body, store is not False), items=items, store=store is not False,
        names=tools.names, dropped=dropped, carried=carried, structured=structured, model=model,
    )  # fmt: skip


def _refuse(body: Json) -> None:
    refuse_chats(body, _CHATS, PATH)
    if _optional(body, "background", flag_at):
        words = "This gateway answers while the caller waits; leave 'background' out, or send false."
        raise UnsupportedParameter(words, param="background")
    for name, instead in (("conversation", "'previous_response_id' or all of 'input'"), ("prompt", "'instructions'")):
        if body.get(name) is not None:
            raise UnsupportedParameter(f"This gateway keeps no {name} objects; send {instead}.", param=name)


def _optional(body: Json, name: str, read: Callable[[Any, str], Any]) -> Any:
    value = body.get(name)
    return None if value is None else read(value, name)


def _items(body: Json, item_of: Callable[[str], Json]) -> list[Json]:
    """The new items; a bare string is one message of the user."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    if given is None:
        if body.get("previous_response_id") is None:
            raise BadRequest("You must provide an 'input'.", param="input")
        return []
    if not isinstance(given, list):
        raise BadRequest("'input' must be a string or a list of items.", param="input")
    found: list[Json] = []
    for i, value in enumerate(given):
        item = object_at(value, f"input[{i}]")
        kind = item.get("type")
        bare = "role" not in item and "content" not in item and "id" in item
        if kind == "item_reference" or (kind is None and bare):
            item = item_of(text_at(item.get("id"), f"input[{i}].id"))
        found.append(item)
    return found


def _messages(body: Json, items: list[Json], before: list[Json], tools: _Tools, carried: list[str]) -> list[Json]:
    talk = Talk(tools.flat)
    for item in before:
        talk.add(item, "previous_response_id")
    for i, item in enumerate(items):
        talk.add(item, f"input[{i}]")
    messages = talk.messages(_optional(body, "instructions", text_at))
    carried += talk.carried
    if not messages:
        raise BadRequest("'input' must hold at least one item.", param="input")
    return messages


def _write_settings(body: Json, chat: Json, carried: list[str]) -> bool:
    """What chat knows under another name. Says whether the answer is to be JSON."""
    if (limit := _optional(body, "max_output_tokens", count_at)) is not None:
        chat["max_completion_tokens"] = limit
    text = _optional(body, "text", object_at) or {}
    form: Json = {"type": "text"} if text.get("format") is None else object_at(text["format"], "text.format")
    kind = text_at(form.get("type"), "text.format.type")
    if kind == "json_schema":
        named = ("name", "description", "schema", "strict")
        schema = {name: form[name] for name in named if form.get(name) is not None}
        chat["response_format"] = {"type": kind, kind: schema}
    elif kind == "json_object":
        chat["response_format"] = {"type": kind}
    elif kind != "text":
        raise BadRequest("'text.format.type' must be text, json_object or json_schema.", param="text.format.type")
    if text.get("verbosity") is not None:
        chat["verbosity"] = text_at(text["verbosity"], "text.verbosity")
    reasoning = _optional(body, "reasoning", object_at) or {}
    if reasoning.get("effort") is not None:
        chat["reasoning_effort"] = text_at(reasoning["effort"], "reasoning.effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    if summary is not None:
        chat.setdefault(MARK, {})["reasoning_summary"] = text_at(summary, "reasoning.summary")
        carried.append("reasoning.summary")
    return kind in {"json_schema", "json_object"}


def _write_carried(body: Json, chat: Json, carried: list[str], dropped: list[str]) -> None:
    """What only Responses knows."""
    include = [text_at(word, f"include[{k}]") for k, word in enumerate(_optional(body, "include", list_at) or ())]
    if _LOGPROBS in include:
        chat["logprobs"] = True
        if (top := _optional(body, "top_logprobs", count_at)) is not None:
            chat["top_logprobs"] = top
    elif body.get("top_logprobs"):
        dropped.append("top_logprobs")
    if others := [word for word in include if word != _LOGPROBS]:
        chat.setdefault(MARK, {})["include"] = others
        carried += [f"include[{word}]" for word in others]
    truncation = _optional(body, "truncation", text_at)
    if truncation not in {None, "disabled"}:
        chat.setdefault(MARK, {})["truncation"] = truncation
        carried.append("truncation")
    if (most := _optional(body, "max_tool_calls", count_at)) is not None:
        chat.setdefault(MARK, {})["max_tool_calls"] = most
        carried.append("max_tool_calls")


def _choice_at(value: Any, path: str) -> str | Json:
    if isinstance(value, str):
        return value
    return object_at(value, path)


class _Tools:
    """The offered tools as chat knows them.

    Attributes:
        flat: (namespace, name) -> the one name that chat has room for.
        names: the way back.
    """

    def __init__(self, body: Json, carried: list[str]) -> None:
        self.flat: dict[tuple[str, str], str] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self._tools: list[Json] = []
        self._known = 0
        self._carried = carried
        self._parallel = _optional(body, "parallel_tool_calls", flag_at)
        for k, value in enumerate(_optional(body, "tools", list_at) or ()):
            self._add(object_at(value, f"tools[{k}]"), f"tools[{k}]")

    def _add(self, tool: Json, path: str) -> None:
        kind = text_at(tool.get("type"), f"{path}.type")
        if kind == "function":
            self._put(_function(tool, text_at(tool.get("name"), f"{path}.name")))
        elif kind == "custom":
            self._put(_custom(tool, path))
        elif kind == "namespace":
            space = text_at(tool.get("name"), f"{path}.name")
            for k, inner in enumerate(list_at(tool.get("tools"), f"{path}.tools")):
                self._add_inner(object_at(inner, f"{path}.tools[{k}]"), space, f"{path}.tools[{k}]")
        else:
            self._carried.append(f"tools[].{kind}")
            self._tools.append(carried_tool(tool))

    def _add_inner(self, tool: Json, space: str, path: str) -> None:
        if tool.get("type") != "function":
            self._carried.append("tools[].namespace.tools[]")
            return
        name = text_at(tool.get("name"), f"{path}.name")
        flat = flat_name(space, name)
        if len(flat) > _NAME or flat in self.names:
            flat = f"{flat[: _NAME - 6]}_{len(self.names)}"
        self.flat[space, name], self.names[flat] = flat, (space, name)
        self._put(_function(tool, flat))

    def _put(self, tool: Json) -> None:
        self._known += 1
        self._tools.append(tool)

    def write(self, chat: Json, choice: str | Json | None) -> None:
        """Put them, and what is to be done with them, into a chat request."""
        if self._tools:
            chat["tools"] = self._tools
            if self._parallel is not None:
                chat["parallel_tool_calls"] = self._parallel
        if choice is not None and (self._tools or choice != "auto"):
            chat["tool_choice"] = self._choice(choice)

    def _choice(self, choice: str | Json) -> str | Json:
        if isinstance(choice, str):
            return choice
        kind = text_at(choice.get("type"), "tool_choice.type")
        if kind in {"function", "custom"}:
            return {"type": kind, kind: {"name": self._named(choice, "tool_choice")}}
        if kind == "allowed_tools":
            allowed = []
            for k, value in enumerate(list_at(choice.get("tools"), "tool_choice.tools")):
                where = f"tool_choice.tools[{k}]"
                one = text_at(object_at(value, where).get("type"), f"{where}.type")
                if one in {"function", "custom"}:
                    allowed.append({"type": one, one: {"name": self._named(value, where)}})
                else:
                    self._carried.append(f"tool_choice.tools[].{one}")
            return {"type": kind, kind: {"mode": choice.get("mode", "auto"), "tools": allowed}}
        words = f"'tool_choice' forces the tool {kind[:64]!r}, which runs nowhere behind this gateway."
        raise UnsupportedParameter(words, param="tool_choice")

    def _named(self, choice: Json, path: str) -> str:
        name = text_at(choice.get("name"), f"{path}.name")
        if choice.get("namespace") is None:
            return name
        space = text_at(choice["namespace"], f"{path}.namespace")
        return self.flat.get((space, name), flat_name(space, name))


def _function(tool: Json, name: str) -> Json:
    body = {key: tool[key] for key in ("description", "parameters", "strict") if tool.get(key) is not None}
    return {"type": "function", "function": {"name": name, **body}}


def _custom(tool: Json, path: str) -> Json:
    body: Json = {"name": text_at(tool.get("name"), f"{path}.name")}
    if tool.get("description") is not None:
        body["description"] = text_at(tool["description"], f"{path}.description")
    if tool.get("format") is not None:
        form = object_at(tool["format"], f"{path}.format")
        if form.get("type") == "grammar":
            grammar = {key: form[key] for key in ("syntax", "definition") if key in form}
            form = {"type": "grammar", "grammar": grammar}
        body["format"] = form
    return {"type": "custom", "custom": body}


def _echo(body: Json, store: bool) -> Json:
    """The fields of a request that its answer repeats, with Responses' own defaults."""
    text = body.get("text") or {}
    reasoning = body.get("reasoning") or {}
    return {
        "background": False,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "store": store,
        "temperature": body.get("temperature"),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity")},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p"),
        "truncation": body.get("truncation") or "disabled",
        "user": body.get("user"),
    }
