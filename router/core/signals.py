"""What an answer shows about itself: numbers and marks, never its text.

``Signals`` are read from a whole answer or from the first tokens of a stream. ``None`` means *not had*
(no log-probabilities, no samples, not at its end yet), which is never taken for a good sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from router.core.schema_check import Unsupported, meets
from router.core.shapes import Shape, demanded_shape, gist, keeps_shape
from router.types import Frozen

_OPENING = 300  # code points in which an answer refuses or hedges

_REFUSALS = (
    "i cannot help", "i can't help", "i cannot assist", "i can't assist", "i cannot provide", "i can't provide",
    "i cannot answer", "i can't answer", "i'm unable to", "i am unable to", "i'm not able to", "i am not able to",
    "i'm sorry, but", "i am sorry, but", "sorry, i can", "as an ai",
    "도와드릴 수 없", "도와 드릴 수 없", "답변할 수 없", "답변드릴 수 없", "답할 수 없", "제공할 수 없",
    "죄송하지만", "죄송합니다만", "인공지능 언어 모델",
)  # fmt: skip
_HEDGES = (
    "i'm not sure", "i am not sure", "i don't know", "i do not know", "it is unclear", "it's unclear", "not certain",
    "it depends", "might be", "may be", "could be", "probably", "perhaps", "cannot be determined",
    "not enough information", "i think", "i believe",
    "모르겠", "확실하지 않", "확실치 않", "아마", "것 같습니다", "것 같아요", "알 수 없", "정보가 부족",
)  # fmt: skip


class Logprobs(Frozen, frozen=True, kw_only=True):
    """Natural log-probabilities of the tokens that were chosen, all at most zero."""

    mean: float
    least: float
    first: float
    low: float  # the tenth part lies below
    median: float


class Demand(Frozen, frozen=True, kw_only=True):
    """What a request demands of the form of its answer.

    Attributes:
        shape: in the prompt's words; None where it says nothing.
        json: an object is demanded by ``response_format``.
        schema: its JSON Schema, where it gives one.
        tools: tools are offered, so arguments may have to parse.
        language: of the last ask.
    """

    shape: Shape | None = None
    json: bool = False
    schema: Any = None
    tools: bool = False
    language: str = "en"

    @property
    def task(self) -> str:
        """The kind of task by which chances are calibrated: ``letter``, ``number``, ``json`` or ``free``."""
        return "json" if self.json else self.shape or "free"


class Signals(Frozen, frozen=True, kw_only=True):
    """What one answer showed.

    Attributes:
        tokens: of output, as far as seen.
        ended: the answer has ended; False for the first tokens of a stream.
        finish: the upstream's finish reason.
        logprobs: None where the upstream gave none.
        refusal, hedging: it opens with such words.
        format_ok: JSON, schema and tool arguments are kept; None before the end.
        format_unchecked: why the format could not be checked; empty where it could.
        shape_ok: the shape that the prompt demands is kept; None before the end or without a demand.
        agreement: share of the samples that say the same; None without samples.
    """

    tokens: int
    ended: bool
    finish: str | None = None
    logprobs: Logprobs | None = None
    refusal: bool = False
    hedging: bool = False
    format_ok: bool | None = None
    format_unchecked: str = ""
    shape_ok: bool | None = None
    agreement: float | None = None

    def numbers(self) -> dict[str, float]:
        """For the ledger: what was had, as numbers."""
        found: dict[str, float] = {"tokens": float(self.tokens), "ended": float(self.ended)}
        if self.logprobs is not None:
            found |= {f"logprob_{name}": getattr(self.logprobs, name) for name in Logprobs.__struct_fields__}
        for name in ("refusal", "hedging", "format_ok", "shape_ok", "agreement"):
            value = getattr(self, name)
            if value is not None:
                found[name] = float(value)
        return found


class Reading(Frozen, frozen=True, kw_only=True):
    """An answer's parts, as the wire gave them.

    Attributes:
        text: its content.
        arguments: of each tool call, JSON text.
        refused: the upstream filled its refusal field.
        logprobs: of each token; None where there are none.
        tokens: of output.
        finish: None before the end.
    """

    text: str
    tokens: int
    arguments: tuple[str, ...] = ()
    refused: bool = False
    logprobs: tuple[float, ...] | None = None
    finish: str | None = None

    @property
    def said(self) -> str:
        """What two answers are compared by: the content, else the tool calls' arguments."""
        return self.text or "\n".join(self.arguments)


def demand_of(ask: str, response_format: Mapping[str, Any] | None, *, tools: bool, language: str) -> Demand:
    """What a request demands: ``ask`` is the last ask, ``response_format`` the request's own field."""
    said = response_format or {}
    kind = said.get("type")
    wrapped = said.get("json_schema")
    schema = wrapped.get("schema") if kind == "json_schema" and isinstance(wrapped, Mapping) else None
    return Demand(
        shape=demanded_shape(ask), json=kind in {"json_object", "json_schema"}, schema=schema, tools=tools,
        language=language,
    )  # fmt: skip


def opens_with_refusal(text: str) -> bool:
    """Whether an answer begins by refusing."""
    return _has(_opening(text), _REFUSALS)


def _opening(text: str) -> str:
    return text[:_OPENING].casefold().replace("\u2019", "'")


def _has(opening: str, marks: Sequence[str]) -> bool:
    return any(mark in opening for mark in marks)


def signals_of(reading: Reading, demand: Demand) -> Signals:
    """Read the signs of one answer, whole or begun."""
    opening = _opening(reading.text)
    ended = reading.finish is not None
    format_ok, unchecked = _format(reading, demand) if ended else (None, "")
    return Signals(
        tokens=reading.tokens,
        ended=ended,
        finish=reading.finish,
        logprobs=summary(reading.logprobs),
        refusal=reading.refused or _has(opening, _REFUSALS),
        hedging=_has(opening, _HEDGES),
        format_ok=format_ok,
        format_unchecked=unchecked,
        shape_ok=keeps_shape(reading.text, demand.shape) if ended and demand.shape and not reading.arguments else None,
    )


def summary(logprobs: Sequence[float] | None) -> Logprobs | None:
    """The few numbers that are kept of a row of log-probabilities; None where there is nothing to sum up."""
    if not logprobs:
        return None
    known = [min(0.0, max(-100.0, value)) for value in logprobs if not math.isnan(value)]
    if len(known) != len(logprobs):
        return None
    ordered = sorted(known)
    last = len(ordered) - 1
    return Logprobs(
        mean=math.fsum(known) / len(known), least=ordered[0], first=known[0], low=ordered[last // 10],
        median=ordered[last // 2],
    )  # fmt: skip


def agreement(answer: str, samples: Sequence[str], demand: Demand) -> float:
    """The share of ``samples`` that say what ``answer`` says; an answer that says nothing agrees with none."""
    shape: Shape | None = "json" if demand.json else demand.shape
    said = gist(answer, shape)
    if not said or not samples:
        return 0.0
    return sum(gist(sample, shape) == said for sample in samples) / len(samples)


def _format(reading: Reading, demand: Demand) -> tuple[bool, str]:
    """Whether the machine-readable part keeps its form, and why that could not be told, if so."""
    for arguments in reading.arguments:
        try:
            if not isinstance(msgspec.json.decode(arguments), dict):
                return False, ""
        except (msgspec.DecodeError, RecursionError):
            return False, ""
    if not demand.json or reading.arguments:
        return True, ""
    try:
        value = msgspec.json.decode(reading.text)
    except (msgspec.DecodeError, RecursionError):
        return False, ""
    if demand.schema is None:
        return isinstance(value, dict), ""
    try:
        return meets(value, demand.schema), ""
    except Unsupported as error:
        return False, str(error)
    except (TypeError, AttributeError):
        return False, "the schema is malformed"
