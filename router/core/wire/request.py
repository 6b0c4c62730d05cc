"""A chat completion request: the little of it that we act on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw

from router.core.wire.edits import Edit, span, splice
from router.core.wire.explain import explain
from router.core.wire.strict import check_json
from router.core.wire.texts import (
    NULL,
    CallOnWire,
    FunctionOnWire,
    TextSite,
    add_text,
    given,
    is_list,
    is_null,
    is_string,
    object_decoder,
    str_decoder,
    texts_in,
    word_of,
)
from router.errors import BadJSON, BadRequest

_encode = msgspec.json.encode


MOST_TEXTS = 20_000  # of a request: no conversation has so many, and each costs a look


class _Part(msgspec.Struct):
    type: str = ""
    text: Raw = NULL
    refusal: Raw = NULL
    thinking: Raw = NULL
    content: Raw = NULL


class _Message(msgspec.Struct):
    role: str
    name: Raw = NULL
    content: Raw = NULL
    refusal: Raw = NULL
    reasoning_content: Raw = NULL
    reasoning: Raw = NULL
    thinking_blocks: Raw = NULL
    reasoning_details: Raw = NULL
    tool_calls: Raw = NULL
    function_call: Raw = NULL


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ChatBody(msgspec.Struct):
    model: Raw
    messages: list[_Message]
    stream: bool | None = None
    stream_options: Raw = NULL
    tools: Raw = NULL
    functions: Raw = NULL
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    prompt_cache_key: Raw = NULL
    prediction: Raw = NULL


_chat_decoder = msgspec.json.Decoder(_ChatBody)
_parts_decoder = msgspec.json.Decoder(list[_Part])
_calls_decoder = msgspec.json.Decoder(list[CallOnWire])
_function_decoder = msgspec.json.Decoder(FunctionOnWire)
_options_decoder = msgspec.json.Decoder(_StreamOptions)


class ToolCall(NamedTuple):
    """One call of a tool in an assistant's message, without its id: equal calls are equal."""

    name: str
    arguments: bytes


#: Read by ``texts``, or words of a closed set.
_READ_ELSEWHERE = frozenset(
    {"model", "messages", "stream_options", "prediction", "prompt_cache_key", "safety_identifier", "service_tier"}
)
_DEVELOPERS = frozenset({"tools", "functions", "tool_choice", "function_call", "response_format"})
_MEMBER = re.compile(r"[a-z_]{1,40}")


class ChatRequest:
    """A chat-completion body: the bytes, and the little of it that we act on.

    Attributes:
        body: the caller's bytes, never changed.
        model: what the caller asked for.
        stream: whether the answer is to come in events.
        include_usage: whether the caller wants the usage event.
        sites: every text in the messages, in order.
        others: texts that the model reads beside them: what tools are for, and a predicted output.
        tools, images: whether tools are offered, whether a message holds an image.
        tools_bytes: size of the offered tools' JSON, which the model reads as input.
        turns: number of messages.
        roles: the role of each.
        max_output: the caller's limit on output tokens, if any.
    """

    __slots__ = (
        "_head",
        "_starts",
        "body",
        "images",
        "include_usage",
        "max_output",
        "model",
        "n",
        "others",
        "roles",
        "sites",
        "stream",
        "tools",
        "tools_bytes",
        "turns",
    )

    def __init__(self, body: bytes, head: _ChatBody, sites: list[TextSite], starts: list[int], images: bool) -> None:
        self.body = body
        self._head = head
        self._starts = starts
        self.model: str = str_decoder.decode(head.model)
        self.stream = bool(head.stream)
        self.include_usage = False
        if not is_null(head.stream_options):
            self.include_usage = bool(_options_decoder.decode(head.stream_options).include_usage)
        self.sites = sites
        self.others = _other_sites(head)
        self.tools = is_list(head.tools) or is_list(head.functions)
        self.tools_bytes = sum(memoryview(raw).nbytes for raw in (head.tools, head.functions) if is_list(raw))
        self.images = images
        self.roles = [message.role for message in head.messages]
        self.turns = len(self.roles)
        self.max_output = head.max_completion_tokens or head.max_tokens
        self.n = max(1, head.n or 1)  # what is no number of choices is the upstream's to refuse

    @property
    def texts(self) -> list[TextSite]:
        """Everything that guards read."""
        return [*self.sites, *self.others] if self.others else self.sites

    def beside(self) -> list[tuple[str, str, Raw]]:
        """Members of the body that hold texts and that ``texts`` does not read: path, role, value.

        What a server makes of them is its own business (schemas and names of tools, documents, metadata, a template
        of the chat): they are read as what they may become.
        """
        found: list[tuple[str, str, Raw]] = []
        for name, raw in object_decoder.decode(self.body).items():
            if name not in _READ_ELSEWHERE and bytes(memoryview(raw)[:1]) in {b'"', b"[", b"{"}:
                path = name if _MEMBER.fullmatch(name) else "body"  # paths go on record
                found.append((path, "developer" if name in _DEVELOPERS else "user", raw))
        return found

    def ask(self) -> str:
        """The last thing the user said: what the scorer reads. Empty where no user spoke."""
        parts: list[str] = []
        where = ""
        for site in reversed(self.sites):
            if site.role != "user":
                if parts:
                    break
                continue
            message = site.path.split("]", 1)[0]
            if parts and message != where:
                break
            where = message
            parts.append(site.text)
        return "\n".join(reversed(parts))

    def text(self, index: int) -> str:
        """What a message says: its texts without the arguments of its tool calls."""
        end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self.sites)
        sites = self.sites[self._starts[index] : end]
        if len(sites) == 1 and sites[0].path.endswith((".content", ".text")):
            return sites[0].text
        return "\n".join(site.text for site in sites if ".content" in site.path)

    def calls(self, index: int) -> list[ToolCall]:
        """The tool calls of a message; empty where it makes none."""
        raw = self._head.messages[index].tool_calls
        if not is_list(raw):
            return []
        found: list[ToolCall] = []
        for call in _calls_decoder.decode(raw):
            if call.function is not None:
                found.append(ToolCall(word_of(call.function.name), bytes(memoryview(call.function.arguments))))
            if call.custom is not None:
                found.append(ToolCall(word_of(call.custom.name), bytes(memoryview(call.custom.input))))
        return found

    @property
    def cache_key(self) -> str | None:
        """The caller's ``prompt_cache_key``, where it is text."""
        raw = self._head.prompt_cache_key
        return str_decoder.decode(raw) if is_string(raw) else None

    def forward(self, model: str, masks: Sequence[tuple[TextSite, str]] = ()) -> bytes:
        """The body for an upstream: ``model`` renamed, masked texts replaced, usage asked for.

        Usage is always asked of a streaming upstream; whether the caller sees it is another matter.
        """
        edits = [Edit(*span(self.body, self._head.model), _encode(model))]
        edits += [Edit(*span(self.body, site.raw), _encode(text)) for site, text in masks]
        if self.stream and not self.include_usage:
            edits.append(self._ask_for_usage())
        return splice(self.body, edits)

    def _ask_for_usage(self) -> Edit:
        options = self._head.stream_options
        if options is not NULL:
            old = {} if is_null(options) else msgspec.json.decode(options, type=dict[str, Raw])
            old["include_usage"] = Raw(b"true")
            return Edit(*span(self.body, options), _encode(old))
        brace = self.body.index(b"{") + 1
        return Edit(brace, brace, b'"stream_options":{"include_usage":true},')


def read_chat(body: bytes) -> ChatRequest:
    """Read a chat-completion request.

    Raises:
        BadJSON: see ``check_json``.
        BadRequest: a field that we act on is missing or of the wrong kind; ``param`` names it.
    """
    check_json(body)
    try:
        head = _chat_decoder.decode(body)
        if not is_string(head.model):
            raise BadRequest("'model' must be a string.", param="model")
        if not head.messages:
            raise BadRequest("'messages' must hold at least one message.", param="messages")
        images = False
        sites: list[TextSite] = []
        starts: list[int] = []
        for i, message in enumerate(head.messages):
            starts.append(len(sites))
            images |= _message_sites(f"messages[{i}]", message, sites)
            if len(sites) > MOST_TEXTS:
                raise BadRequest(f"'messages' holds more than {MOST_TEXTS} texts.", param="messages")
        return ChatRequest(body, head, sites, starts, images)
    except msgspec.ValidationError:
        raise explain(body) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None


class _ToolFunction(msgspec.Struct):
    description: Raw = NULL


class _Tool(msgspec.Struct):
    function: _ToolFunction | None = None
    custom: _ToolFunction | None = None


class _Prediction(msgspec.Struct):
    content: Raw = NULL


_tools_decoder = msgspec.json.Decoder(list[_Tool])
_functions_decoder = msgspec.json.Decoder(list[_ToolFunction])
_prediction_decoder = msgspec.json.Decoder(_Prediction)


def _other_sites(head: _ChatBody) -> list[TextSite]:
    """Who speaks, what tools are for (it may come from a server that nobody here wrote), and a predicted output."""
    sites: list[TextSite] = []
    for i, message in enumerate(head.messages):
        if message.name is not NULL:
            add_text(f"messages[{i}].name", message.role, message.name, sites)
    if is_list(head.tools):
        for k, tool in enumerate(_tools_decoder.decode(head.tools)):
            for kind, part in (("function", tool.function), ("custom", tool.custom)):
                if part is not None and is_string(part.description):
                    add_text(f"tools[{k}].{kind}.description", "developer", part.description, sites)
    if is_list(head.functions):
        for k, function in enumerate(_functions_decoder.decode(head.functions)):
            if is_string(function.description):
                add_text(f"functions[{k}].description", "developer", function.description, sites)
    if given(head.prediction):
        texts_in("prediction.content", "user", _prediction_decoder.decode(head.prediction).content, sites)
    return sites


def _message_sites(path: str, message: _Message, sites: list[TextSite]) -> bool:
    """Collect the texts of one message; say whether it holds an image."""
    role = message.role
    images = False
    content = message.content
    if content is not NULL:
        if is_string(content):
            sites.append(TextSite(f"{path}.content", role, str_decoder.decode(content), content))
        elif is_list(content):
            for k, part in enumerate(_parts_decoder.decode(content)):
                images |= part.type in {"image_url", "input_image", "image"}
                add_text(f"{path}.content[{k}].text", role, part.text, sites)
                add_text(f"{path}.content[{k}].refusal", role, part.refusal, sites)
                texts_in(f"{path}.content[{k}].thinking", role, part.thinking, sites)
                texts_in(f"{path}.content[{k}].content", role, part.content, sites)
        elif not is_null(content):
            raise BadRequest(f"'{path}.content' must be a string, a list of parts or null.", param=f"{path}.content")
    # Asked here and not there: nearly no message has any, and each would cost a call and a path that nobody reads.
    if message.refusal is not NULL:
        add_text(f"{path}.refusal", role, message.refusal, sites)
    if message.reasoning_content is not NULL:
        add_text(f"{path}.reasoning_content", role, message.reasoning_content, sites)
    if message.reasoning is not NULL:
        texts_in(f"{path}.reasoning", role, message.reasoning, sites)
    if message.thinking_blocks is not NULL:
        texts_in(f"{path}.thinking_blocks", role, message.thinking_blocks, sites)
    if message.reasoning_details is not NULL:
        texts_in(f"{path}.reasoning_details", role, message.reasoning_details, sites)
    if message.tool_calls is not NULL or message.function_call is not NULL:
        _call_sites(path, role, message, sites)
    return images


def _call_sites(path: str, role: str, message: _Message, sites: list[TextSite]) -> None:
    if is_list(message.tool_calls):
        for k, call in enumerate(_calls_decoder.decode(message.tool_calls)):
            if call.function is not None:
                add_text(f"{path}.tool_calls[{k}].function.arguments", role, call.function.arguments, sites)
            if call.custom is not None:
                add_text(f"{path}.tool_calls[{k}].custom.input", role, call.custom.input, sites)
    elif given(message.tool_calls):
        raise BadRequest(f"'{path}.tool_calls' must be a list or null.", param=f"{path}.tool_calls")
    if message.function_call is not NULL and not is_null(message.function_call):
        arguments = _function_decoder.decode(message.function_call).arguments
        add_text(f"{path}.function_call.arguments", role, arguments, sites)
