"""The OpenAI wire, read partly and never re-typed.

We decode only what routing, guarding and accounting need; all other bytes of a body travel as they
came. What must change (a model's name, a masked text) is *spliced*: the decoder tells us where each
value lies in the caller's buffer (``msgspec.Raw`` is a view into it), and only those spans are replaced.
So big integers, ``1.0``, key order, white space and unknown fields survive by construction.

Knows nothing of HTTP, upstreams, policies or guards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from router.errors import BadJSON, BadRequest

_NULL = Raw(b"null")
_encode = msgspec.json.encode
_str_decoder = msgspec.json.Decoder(str)


class Edit(NamedTuple):
    """Replace ``body[start:end]`` with ``new``."""

    start: int
    end: int
    new: bytes


def splice(body: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits that do not overlap; every other byte stays.

    Raises:
        ValueError: two edits overlap or lie outside the body.
    """
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits) if len(edits) > 1 else edits:
        if not at <= start <= end <= len(body):
            raise ValueError("edits overlap or lie outside the body")
        parts += (body[at:start], new)
        at = end
    parts.append(body[at:])
    return b"".join(parts)


def _address(buffer: Any) -> int:
    interface = np.frombuffer(buffer, np.uint8).__array_interface__
    return int(interface["data"][0])


MOST_TEXTS = 20_000  # of a request: no conversation has so many, and each costs a look
_SHORT = 4096  # bytes; in so few a value is looked for faster than its address is asked for


def span(body: bytes, raw: Raw) -> tuple[int, int]:
    """Where ``raw`` lies in the ``body`` it was decoded from.

    Raises:
        ValueError: it was not decoded from this very buffer.
    """
    view = memoryview(raw)
    if len(body) <= _SHORT:
        start = body.find(view)
        if start >= 0 and body.find(view, start + 1) < 0:  # what is written once only lies there
            return start, start + view.nbytes
    start = _address(view) - _address(body)
    if not 0 <= start <= len(body) - view.nbytes:
        raise ValueError("the value does not lie in this buffer")
    return start, start + view.nbytes


class TextSite(NamedTuple):
    """One text-bearing value of a body: where it came from, what it says, its JSON string."""

    path: str
    role: str
    text: str
    raw: Raw


class _Function(msgspec.Struct):
    name: Raw = _NULL
    arguments: Raw = _NULL


class _Custom(msgspec.Struct):
    name: Raw = _NULL
    input: Raw = _NULL


class _ToolCall(msgspec.Struct):
    index: int | None = None
    function: _Function | None = None
    custom: _Custom | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: Raw = _NULL
    refusal: Raw = _NULL
    thinking: Raw = _NULL
    content: Raw = _NULL


class _Message(msgspec.Struct):
    role: str
    name: Raw = _NULL
    content: Raw = _NULL
    refusal: Raw = _NULL
    reasoning_content: Raw = _NULL
    reasoning: Raw = _NULL
    thinking_blocks: Raw = _NULL
    reasoning_details: Raw = _NULL
    tool_calls: Raw = _NULL
    function_call: Raw = _NULL


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ChatBody(msgspec.Struct):
    model: Raw
    messages: list[_Message]
    stream: bool | None = None
    stream_options: Raw = _NULL
    tools: Raw = _NULL
    functions: Raw = _NULL
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    prompt_cache_key: Raw = _NULL
    prediction: Raw = _NULL


_chat_decoder = msgspec.json.Decoder(_ChatBody)
_parts_decoder = msgspec.json.Decoder(list[_Part])
_calls_decoder = msgspec.json.Decoder(list[_ToolCall])
_function_decoder = msgspec.json.Decoder(_Function)
_items_decoder = msgspec.json.Decoder(list[Raw])
_object_decoder = msgspec.json.Decoder(dict[str, Raw])
_options_decoder = msgspec.json.Decoder(_StreamOptions)


def _is_string(raw: Raw) -> bool:
    view = memoryview(raw)
    return view.nbytes > 0 and view[0] == 0x22


def _is_list(raw: Raw) -> bool:
    view = memoryview(raw)
    return view.nbytes > 0 and view[0] == 0x5B


def _is_null(raw: Raw) -> bool:
    return raw == _NULL


def _word(raw: Raw) -> str:
    """A text; empty where it is something else."""
    return _str_decoder.decode(raw) if _is_string(raw) else ""


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
_DEEPEST = 40  # levels of a schema; each reads all of its inside again


def strings_in(path: str, role: str, raw: Raw, depth: int = 0) -> list[TextSite]:
    """Every string of a value, however deep. Paths go on record, so no member's name, the caller's word, is in them.

    Raises:
        BadJSON: nested too deeply to be read.
    """
    first = bytes(memoryview(raw)[:1])
    if first == b'"':
        return [TextSite(path, role, _str_decoder.decode(raw), raw)]
    if first not in {b"[", b"{"}:
        return []
    if depth > _DEEPEST:
        raise BadJSON(f"'{path.partition('.')[0]}' is nested too deeply.")
    if first == b"[":
        return [site for each in _items_decoder.decode(raw) for site in strings_in(f"{path}[]", role, each, depth + 1)]
    members = _object_decoder.decode(raw).values()
    return [site for each in members for site in strings_in(f"{path}.*", role, each, depth + 1)]


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
        self.model: str = _str_decoder.decode(head.model)
        self.stream = bool(head.stream)
        self.include_usage = False
        if not _is_null(head.stream_options):
            self.include_usage = bool(_options_decoder.decode(head.stream_options).include_usage)
        self.sites = sites
        self.others = _other_sites(head)
        self.tools = _is_list(head.tools) or _is_list(head.functions)
        self.tools_bytes = sum(memoryview(raw).nbytes for raw in (head.tools, head.functions) if _is_list(raw))
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
        for name, raw in _object_decoder.decode(self.body).items():
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
        if not _is_list(raw):
            return []
        found: list[ToolCall] = []
        for call in _calls_decoder.decode(raw):
            if call.function is not None:
                found.append(ToolCall(_word(call.function.name), bytes(memoryview(call.function.arguments))))
            if call.custom is not None:
                found.append(ToolCall(_word(call.custom.name), bytes(memoryview(call.custom.input))))
        return found

    @property
    def cache_key(self) -> str | None:
        """The caller's ``prompt_cache_key``, where it is text."""
        raw = self._head.prompt_cache_key
        return _str_decoder.decode(raw) if _is_string(raw) else None

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
        if options is not _NULL:
            old = {} if _is_null(options) else msgspec.json.decode(options, type=dict[str, Raw])
            old["include_usage"] = Raw(b"true")
            return Edit(*span(self.body, options), _encode(old))
        brace = self.body.index(b"{") + 1
        return Edit(brace, brace, b'"stream_options":{"include_usage":true},')


def _no_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) != len(dict(pairs)):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                # A reader that keeps the first and one that keeps the last would see two different
                # requests: what was guarded would not be what the model reads.
                raise BadJSON(f"The key {key!r} appears twice in one object of the body.")
            seen.add(key)


def _no_constants(name: str) -> None:
    raise BadJSON(f"{name} is not JSON.")


_strict_json = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constants, strict=True)


def check_json(body: bytes) -> None:
    """Refuse what two JSON readers could read differently.

    Raises:
        BadJSON: not UTF-8, not JSON, not an object, a repeated key, NaN, or nested too deeply.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    if text[:1] == "\ufeff":
        raise BadJSON("The body begins with a byte order mark; send plain UTF-8.")
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise BadJSON("The body must be a JSON object.")
    try:
        _strict_json.decode(text)
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadJSON(f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}.") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise BadJSON(f"The body is not JSON we can read: {type(error).__name__}.") from None


def value_of(raw: bytes | Raw) -> Any:
    """What a part of a checked body says.

    Raises:
        BadJSON: a number too large for any reader, or a string that is no Unicode.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a number that is too large, or a string that is not valid Unicode.") from None


def read_chat(body: bytes) -> ChatRequest:
    """Read a chat-completion request.

    Raises:
        BadJSON: see ``check_json``.
        BadRequest: a field that we act on is missing or of the wrong kind; ``param`` names it.
    """
    check_json(body)
    try:
        head = _chat_decoder.decode(body)
        if not _is_string(head.model):
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
        raise _explain(body) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None


class _ToolFunction(msgspec.Struct):
    description: Raw = _NULL


class _Tool(msgspec.Struct):
    function: _ToolFunction | None = None
    custom: _ToolFunction | None = None


class _Prediction(msgspec.Struct):
    content: Raw = _NULL


_tools_decoder = msgspec.json.Decoder(list[_Tool])
_functions_decoder = msgspec.json.Decoder(list[_ToolFunction])
_prediction_decoder = msgspec.json.Decoder(_Prediction)


def _other_sites(head: _ChatBody) -> list[TextSite]:
    """Who speaks, what tools are for (it may come from a server that nobody here wrote), and a predicted output."""
    sites: list[TextSite] = []
    for i, message in enumerate(head.messages):
        if message.name is not _NULL:
            _add(f"messages[{i}].name", message.role, message.name, sites)
    if _is_list(head.tools):
        for k, tool in enumerate(_tools_decoder.decode(head.tools)):
            for kind, part in (("function", tool.function), ("custom", tool.custom)):
                if part is not None and _is_string(part.description):
                    _add(f"tools[{k}].{kind}.description", "developer", part.description, sites)
    if _is_list(head.functions):
        for k, function in enumerate(_functions_decoder.decode(head.functions)):
            if _is_string(function.description):
                _add(f"functions[{k}].description", "developer", function.description, sites)
    if given(head.prediction):
        _texts_in("prediction.content", "user", _prediction_decoder.decode(head.prediction).content, sites)
    return sites


def _message_sites(path: str, message: _Message, sites: list[TextSite]) -> bool:
    """Collect the texts of one message; say whether it holds an image."""
    role = message.role
    images = False
    content = message.content
    if content is not _NULL:
        if _is_string(content):
            sites.append(TextSite(f"{path}.content", role, _str_decoder.decode(content), content))
        elif _is_list(content):
            for k, part in enumerate(_parts_decoder.decode(content)):
                images |= part.type in {"image_url", "input_image", "image"}
                _add(f"{path}.content[{k}].text", role, part.text, sites)
                _add(f"{path}.content[{k}].refusal", role, part.refusal, sites)
                _texts_in(f"{path}.content[{k}].thinking", role, part.thinking, sites)
                _texts_in(f"{path}.content[{k}].content", role, part.content, sites)
        elif not _is_null(content):
            raise BadRequest(f"'{path}.content' must be a string, a list of parts or null.", param=f"{path}.content")
    _add(f"{path}.refusal", role, message.refusal, sites)
    _add(f"{path}.reasoning_content", role, message.reasoning_content, sites)
    _texts_in(f"{path}.reasoning", role, message.reasoning, sites)
    _texts_in(f"{path}.thinking_blocks", role, message.thinking_blocks, sites)
    _texts_in(f"{path}.reasoning_details", role, message.reasoning_details, sites)
    _call_sites(path, role, message, sites)
    return images


def _call_sites(path: str, role: str, message: _Message, sites: list[TextSite]) -> None:
    if _is_list(message.tool_calls):
        for k, call in enumerate(_calls_decoder.decode(message.tool_calls)):
            if call.function is not None:
                _add(f"{path}.tool_calls[{k}].function.arguments", role, call.function.arguments, sites)
            if call.custom is not None:
                _add(f"{path}.tool_calls[{k}].custom.input", role, call.custom.input, sites)
    elif given(message.tool_calls):
        raise BadRequest(f"'{path}.tool_calls' must be a list or null.", param=f"{path}.tool_calls")
    if message.function_call is not _NULL and not _is_null(message.function_call):
        arguments = _function_decoder.decode(message.function_call).arguments
        _add(f"{path}.function_call.arguments", role, arguments, sites)


def _add(path: str, role: str, raw: Raw, sites: list[TextSite]) -> None:
    if raw is _NULL or _is_null(raw):
        return
    if not _is_string(raw):
        raise BadRequest(f"'{path}' must be a string or null.", param=path)
    sites.append(TextSite(path, role, _str_decoder.decode(raw), raw))


# Under these keys a part of a message holds text, or parts of its own.
_PART_TEXTS = ("text", "refusal", "thinking", "reasoning", "summary", "content")


MOST_NESTED = 12  # parts in parts; each level reads all of its inside again, so many would cost time without end


def _texts_in(path: str, role: str, raw: Raw, sites: list[TextSite], depth: int = 0) -> None:
    """Collect the texts of a field that some servers fill with a string and some with parts, nested or not.

    Raises:
        RecursionError: nested more deeply than any server's parts are.
    """
    if raw is _NULL:
        return
    if depth > MOST_NESTED:
        raise RecursionError
    if _is_string(raw):
        sites.append(TextSite(path, role, _str_decoder.decode(raw), raw))
    elif _is_list(raw):
        for item in _items_decoder.decode(raw):
            if bytes(memoryview(item)[:1]) == b"{":
                part = _object_decoder.decode(item)
                for key in _PART_TEXTS:
                    _texts_in(f"{path}[].{key}", role, part.get(key, _NULL), sites, depth + 1)
            else:
                _texts_in(f"{path}[]", role, item, sites, depth + 1)


_WANTED: dict[str, tuple[type | tuple[type, ...], str]] = {
    "stream": ((bool, type(None)), "true, false or null"),
    "stream_options": ((dict, type(None)), "an object or null"),
    "max_tokens": ((int, type(None)), "an integer or null"),
    "max_completion_tokens": ((int, type(None)), "an integer or null"),
    "n": ((int, type(None)), "an integer or null"),
}


def _explain(body: bytes) -> BadRequest:
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


# --- answers -------------------------------------------------------------------------------------


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _PromptDetails(msgspec.Struct):
    cached_tokens: _Count | None = None


class WireUsage(msgspec.Struct):
    """OpenAI's usage object, as far as we count. One without both counts is none: nothing is not zero."""

    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _PromptDetails | None = None

    @property
    def cached(self) -> int:
        """Prompt tokens that the upstream served from its cache."""
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0


class _AnswerMessage(msgspec.Struct):
    content: Raw = _NULL
    refusal: Raw = _NULL
    reasoning_content: Raw = _NULL
    reasoning: Raw = _NULL
    thinking_blocks: Raw = _NULL
    reasoning_details: Raw = _NULL
    audio: Raw = _NULL
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class AnswerChoice(msgspec.Struct):
    """One choice of a whole answer."""

    message: _AnswerMessage = msgspec.field(default_factory=_AnswerMessage)
    finish_reason: Raw = _NULL
    logprobs: Raw = _NULL
    index: int = 0


class Answer(msgspec.Struct):
    """A ``chat.completion`` as far as we act on it. ``choices`` are kept raw: a blocked one is replaced."""

    choices: list[Raw]
    usage: Raw = _NULL


_answer_decoder = msgspec.json.Decoder(Answer)
_choice_decoder = msgspec.json.Decoder(AnswerChoice)


def read_answer(body: bytes) -> Answer:
    """Read a whole answer.

    Raises:
        ValueError: it is not a ``chat.completion``.
    """
    try:
        return _answer_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not a chat completion") from error


def read_choice(raw: Raw) -> AnswerChoice:
    """Read one choice of a whole answer.

    Raises:
        ValueError: it is not one.
    """
    try:
        return _choice_decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not a choice of a chat completion") from error


def choice_sites(choice: AnswerChoice) -> list[TextSite]:
    """Every text of one choice that a caller could read."""
    message = choice.message
    sites = _said(message)
    for k, call in enumerate(message.tool_calls or ()):
        _call_texts(k, call, sites)
    if message.function_call is not None:
        _text_of("function_call", message.function_call.arguments, sites)
    return sites


def _said(message: _AnswerMessage | _Delta) -> list[TextSite]:
    """What a choice says and thinks, without its tool calls. Written out: it runs for every event."""
    sites: list[TextSite] = []
    for name, raw in (
        ("content", message.content),
        ("refusal", message.refusal),
        ("reasoning_content", message.reasoning_content),
        ("reasoning", message.reasoning),
        ("thinking_blocks", message.thinking_blocks),
        ("reasoning_details", message.reasoning_details),
    ):
        if raw is not _NULL:
            _texts_in(name, "assistant", raw, sites)
    if bytes(memoryview(message.audio)[:1]) == b"{":
        transcript = _object_decoder.decode(message.audio).get("transcript", _NULL)
        _texts_in("audio.transcript", "assistant", transcript, sites)
    return sites


def _call_texts(index: int, call: _ToolCall, sites: list[TextSite]) -> None:
    if call.function is not None:
        _text_of(f"tool_calls[{index}]", call.function.arguments, sites)
    if call.custom is not None:
        _text_of(f"custom[{index}]", call.custom.input, sites)


def _text_of(path: str, raw: Raw, sites: list[TextSite]) -> None:
    if _is_string(raw):
        sites.append(TextSite(path, "assistant", _str_decoder.decode(raw), raw))


# --- events --------------------------------------------------------------------------------------


class _Delta(msgspec.Struct):
    content: Raw = _NULL
    refusal: Raw = _NULL
    reasoning_content: Raw = _NULL
    reasoning: Raw = _NULL
    thinking_blocks: Raw = _NULL
    reasoning_details: Raw = _NULL
    audio: Raw = _NULL
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class ChunkChoice(msgspec.Struct):
    """One choice of an event."""

    index: int = 0
    delta: _Delta | None = None
    finish_reason: Raw = _NULL
    logprobs: Raw = _NULL


class Chunk(msgspec.Struct):
    """A ``chat.completion.chunk``, or an error that came as an event."""

    choices: list[ChunkChoice] | UnsetType = UNSET
    usage: Raw = _NULL
    error: Raw = _NULL
    id: Raw = _NULL
    model: Raw = _NULL
    created: Raw = _NULL


_chunk_decoder = msgspec.json.Decoder(Chunk)
_usage_decoder = msgspec.json.Decoder(WireUsage)


def read_usage(raw: Raw) -> WireUsage | None:
    """Read a usage object; None where it is absent or not one."""
    if not given(raw):
        return None
    try:
        return _usage_decoder.decode(raw)
    except msgspec.MsgspecError:
        return None


def read_chunk(data: bytes) -> Chunk:
    """Read one event.

    Raises:
        ValueError: it is neither a ``chat.completion.chunk`` nor an error object.
    """
    try:
        chunk = _chunk_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not a chat completion chunk") from error
    if chunk.choices is UNSET and chunk.error is _NULL:
        raise ValueError("not a chat completion chunk")
    return chunk


def delta_sites(choice: ChunkChoice) -> list[TextSite]:
    """Every text in one choice of an event; ``path`` names the running text it continues."""
    delta = choice.delta
    if delta is None:
        return []
    sites = _said(delta)
    for call in delta.tool_calls or ():
        _call_texts(call.index or 0, call, sites)
    if delta.function_call is not None:
        _text_of("function_call", delta.function_call.arguments, sites)
    return sites


def delta_names(choice: ChunkChoice) -> list[tuple[str, str]]:
    """The tool names in one choice of an event, each with the path of the arguments that follow."""
    delta = choice.delta
    return [] if delta is None else _named(delta, whole=False)


def choice_calls(choice: AnswerChoice) -> list[tuple[str, str, str]]:
    """The tool calls of a whole choice: name, arguments as they are written, path."""
    arguments = {site.path: site.text for site in choice_sites(choice)}
    return [(name, arguments.get(path, ""), path) for path, name in _named(choice.message, whole=True)]


def _named(said: _AnswerMessage | _Delta, *, whole: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for place, call in enumerate(said.tool_calls or ()):
        index = place if whole else call.index or 0
        if call.function is not None:
            found.append((f"tool_calls[{index}]", _word(call.function.name)))
        if call.custom is not None:
            found.append((f"custom[{index}]", _word(call.custom.name)))
    if said.function_call is not None:
        found.append(("function_call", _word(said.function_call.name)))
    return found


def finished(choice: AnswerChoice | ChunkChoice) -> bool:
    """Whether the upstream gave this choice a finish reason."""
    return choice.finish_reason is not _NULL and not _is_null(choice.finish_reason)


LONGEST_WORD = 66  # bytes, with its quotes


def finish_word(choice: AnswerChoice | ChunkChoice) -> str | None:
    """The upstream's finish reason, for the record; None for one that is no word."""
    if not _is_string(choice.finish_reason) or memoryview(choice.finish_reason).nbytes > LONGEST_WORD:
        return None  # it goes on record, where no text may stand
    word = _str_decoder.decode(choice.finish_reason)
    return word if word.isidentifier() else None


def given(raw: Raw) -> bool:
    """Whether a value is there and not null."""
    return raw is not _NULL and not _is_null(raw)
