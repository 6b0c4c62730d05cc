"""What a cascade reads and changes on the wire: a request's own demands, an answer's parts, log-probabilities.

As everywhere, bytes are spliced and never typed anew (``router.core.wire``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from router.core.signals import Demand, Reading, demand_of
from router.core.tokens import estimate_tokens
from router.core.wire import (
    ChatRequest,
    Chunk,
    Edit,
    choice_sites,
    delta_sites,
    finish_word,
    finished,
    given,
    read_answer,
    read_choice,
    read_usage,
    span,
    splice,
    value_of,
)
from router.types import Usage

_members = msgspec.json.Decoder(dict[str, Raw])
_NULL = b"null"


class Wishes(msgspec.Struct, frozen=True):
    """What the caller said that a cascade must honour.

    Attributes:
        logprobs: the caller wants them, so they stay in the answer.
        temperature: the caller's own, if any.
        demand: of the answer's form.
    """

    logprobs: bool
    temperature: float | None
    demand: Demand


class _Head(msgspec.Struct):
    response_format: Raw = msgspec.field(default_factory=lambda: Raw(_NULL))
    logprobs: Raw = msgspec.field(default_factory=lambda: Raw(_NULL))
    temperature: Raw = msgspec.field(default_factory=lambda: Raw(_NULL))


class _Token(msgspec.Struct):
    logprob: float | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


_head_decoder = msgspec.json.Decoder(_Head)
_logprobs_decoder = msgspec.json.Decoder(_Logprobs)


def wishes_of(request: ChatRequest, ask: str, language: str) -> Wishes:
    """Read them from the caller's body; a field of the wrong kind counts as absent, its server will refuse it."""
    head = _head_decoder.decode(request.body)
    form: Any = value_of(head.response_format)
    temperature: Any = value_of(head.temperature)
    return Wishes(
        logprobs=value_of(head.logprobs) is True,
        temperature=float(temperature) if isinstance(temperature, int | float) else None,
        demand=demand_of(ask, form if isinstance(form, dict) else None, tools=request.tools, language=language),
    )


def with_members(body: bytes, members: Mapping[str, Any]) -> bytes:
    """``body``, a JSON object, with top-level members set; all other bytes stay."""
    there = _members.decode(body)
    edits = [
        Edit(*span(body, there[name]), msgspec.json.encode(value)) for name, value in members.items() if name in there
    ]
    new = b"".join(
        msgspec.json.encode(name) + b":" + msgspec.json.encode(value) + b","
        for name, value in members.items()
        if name not in there
    )
    brace = body.index(b"{") + 1
    if new:
        edits.append(Edit(brace, brace, new if there else new[:-1]))
    return splice(body, edits)


# --- answers -----------------------------------------------------------------------------------------


def reading_of(body: bytes) -> tuple[Reading, Usage | None]:
    """The first choice of a whole answer, and its usage.

    Raises:
        ValueError: it is not a chat completion with a choice.
    """
    answer = read_answer(body)
    if not answer.choices:
        raise ValueError("an answer without a choice")
    choice = read_choice(answer.choices[0])
    texts: dict[str, list[str]] = {}
    for site in choice_sites(choice):
        texts.setdefault(site.path, []).append(site.text)
    usage = _usage_of(answer.usage)
    estimate = sum(estimate_tokens(text) for parts in texts.values() for text in parts)
    return _reading(
        texts, _logprobs(choice.logprobs), usage.output_tokens if usage else estimate, finish_word(choice)
    ), usage


def _usage_of(raw: Raw) -> Usage | None:
    wire = read_usage(raw)
    if wire is None:
        return None
    return Usage(input_tokens=wire.prompt_tokens, output_tokens=wire.completion_tokens, cached_tokens=wire.cached)


def _reading(
    texts: Mapping[str, list[str]], logprobs: tuple[float, ...] | None, tokens: int, finish: str | None
) -> Reading:
    """``texts`` are the running texts of a choice by path; a content in parts counts as one."""
    whole = {path: "".join(parts) for path, parts in texts.items()}
    return Reading(
        text="".join(text for path, text in whole.items() if path == "content" or path.startswith("content[")),
        arguments=tuple(text for path, text in whole.items() if path.startswith(("tool_calls", "function_call"))),
        refused=bool(whole.get("refusal")),
        logprobs=logprobs,
        tokens=tokens,
        finish=finish,
    )


def without_logprobs(body: bytes) -> bytes:
    """A whole answer with the log-probabilities of every choice taken out."""
    edits = []
    for raw in read_answer(body).choices:
        choice = read_choice(raw)
        if given(choice.logprobs):
            edits.append(Edit(*span(body, choice.logprobs), _NULL))
    return splice(body, edits) if edits else body


def event_without_logprobs(data: bytes, chunk: Chunk) -> bytes:
    """An event with the log-probabilities of every choice taken out; ``chunk`` was read from ``data``."""
    choices = [] if chunk.choices is UNSET else chunk.choices
    edits = [Edit(*span(data, choice.logprobs), _NULL) for choice in choices if given(choice.logprobs)]
    return splice(data, edits) if edits else data


class Opening:
    """The first choice of a streamed answer as its events come in.

    Attributes:
        tokens: of output so far: with log-probabilities counted, without them estimated.
        usage: the upstream's, once it said so.
        finish: its finish reason, once it gave one.
    """

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._logprobs: list[float] = []
        self._bare = False  # an event brought text and no log-probabilities
        self._estimated = 0
        self.usage: Usage | None = None
        self.finish: str | None = None

    @property
    def tokens(self) -> int:
        """Output tokens seen."""
        return max(len(self._logprobs), self._estimated if self._bare else 0)

    def feed(self, chunk: Chunk) -> None:
        """Read one event."""
        self.usage = _usage_of(chunk.usage) or self.usage
        for choice in [] if chunk.choices is UNSET else chunk.choices:
            if choice.index:
                continue
            sites = [site for site in delta_sites(choice) if site.text]
            for site in sites:
                self._texts.setdefault(site.path, []).append(site.text)
                self._estimated += estimate_tokens(site.text)
            logprobs = _logprobs(choice.logprobs)
            if logprobs is not None:
                self._logprobs += logprobs
            elif sites:
                self._bare = True
            if finished(choice):
                self.finish = finish_word(choice) or "unknown"

    def reading(self) -> Reading:
        """What has been seen so far."""
        logprobs = tuple(self._logprobs) if self._logprobs and not self._bare else None
        return _reading(self._texts, logprobs, self.tokens, self.finish)


def _logprobs(raw: Raw) -> tuple[float, ...] | None:
    """Log-probabilities of the content's tokens; None where there are none or one is not a number."""
    if not given(raw):
        return None
    try:
        tokens = _logprobs_decoder.decode(raw).content
    except msgspec.MsgspecError:
        return None
    values = [token.logprob for token in tokens or ()]
    if not values or any(v is None or math.isnan(v) for v in values):
        return None
    return tuple(v for v in values if v is not None)
