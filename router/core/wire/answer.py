"""An answer, whole or in events: what it says, which tools it calls, how it ended, what it used."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Raw, UnsetType

from router.core.wire.texts import (
    NULL,
    CallOnWire,
    FunctionOnWire,
    TextSite,
    given,
    is_null,
    is_string,
    object_decoder,
    str_decoder,
    texts_in,
    word_of,
)

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


class Said(msgspec.Struct):
    """What a choice says, thinks and calls: whole in an answer, a piece of it in an event."""

    content: Raw = NULL
    refusal: Raw = NULL
    reasoning_content: Raw = NULL
    reasoning: Raw = NULL
    thinking_blocks: Raw = NULL
    reasoning_details: Raw = NULL
    audio: Raw = NULL
    tool_calls: list[CallOnWire] | None = None
    function_call: FunctionOnWire | None = None


class AnswerChoice(msgspec.Struct):
    """One choice of a whole answer."""

    message: Said = msgspec.field(default_factory=Said)
    finish_reason: Raw = NULL
    logprobs: Raw = NULL
    index: int = 0


class Answer(msgspec.Struct):
    """A ``chat.completion`` as far as we act on it. ``choices`` are kept raw: a blocked one is replaced."""

    choices: list[Raw]
    usage: Raw = NULL


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


def _said(message: Said) -> list[TextSite]:
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
        if raw is not NULL:
            texts_in(name, "assistant", raw, sites)
    if bytes(memoryview(message.audio)[:1]) == b"{":
        transcript = object_decoder.decode(message.audio).get("transcript", NULL)
        texts_in("audio.transcript", "assistant", transcript, sites)
    return sites


def _call_texts(index: int, call: CallOnWire, sites: list[TextSite]) -> None:
    if call.function is not None:
        _text_of(f"tool_calls[{index}]", call.function.arguments, sites)
    if call.custom is not None:
        _text_of(f"custom[{index}]", call.custom.input, sites)


def _text_of(path: str, raw: Raw, sites: list[TextSite]) -> None:
    if is_string(raw):
        sites.append(TextSite(path, "assistant", str_decoder.decode(raw), raw))


class ChunkChoice(msgspec.Struct):
    """One choice of an event."""

    index: int = 0
    delta: Said | None = None
    finish_reason: Raw = NULL
    logprobs: Raw = NULL


class Chunk(msgspec.Struct):
    """A ``chat.completion.chunk``, or an error that came as an event."""

    choices: list[ChunkChoice] | UnsetType = UNSET
    usage: Raw = NULL
    error: Raw = NULL
    id: Raw = NULL
    model: Raw = NULL
    created: Raw = NULL


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
    if chunk.choices is UNSET and chunk.error is NULL:
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


def _named(said: Said, *, whole: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for place, call in enumerate(said.tool_calls or ()):
        index = place if whole else call.index or 0
        if call.function is not None:
            found.append((f"tool_calls[{index}]", word_of(call.function.name)))
        if call.custom is not None:
            found.append((f"custom[{index}]", word_of(call.custom.name)))
    if said.function_call is not None:
        found.append(("function_call", word_of(said.function_call.name)))
    return found


def finished(choice: AnswerChoice | ChunkChoice) -> bool:
    """Whether the upstream gave this choice a finish reason."""
    return choice.finish_reason is not NULL and not is_null(choice.finish_reason)


LONGEST_WORD = 66  # bytes, with its quotes


def finish_word(choice: AnswerChoice | ChunkChoice) -> str | None:
    """The upstream's finish reason, for the record; None for one that is no word."""
    if not is_string(choice.finish_reason) or memoryview(choice.finish_reason).nbytes > LONGEST_WORD:
        return None  # it goes on record, where no text may stand
    word = str_decoder.decode(choice.finish_reason)
    return word if word.isidentifier() else None
