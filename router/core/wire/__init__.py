"""The OpenAI wire, read partly and never re-typed.

We decode only what routing, guarding and accounting need; all other bytes of a body travel as they
came. What must change (a model's name, a masked text) is *spliced*: the decoder tells us where each
value lies in the caller's buffer (``msgspec.Raw`` is a view into it), and only those spans are replaced.
So big integers, ``1.0``, key order, white space and unknown fields survive by construction.

Knows nothing of HTTP, upstreams, policies or guards.
"""

from router.core.wire.answer import (
    AnswerChoice,
    Chunk,
    ChunkChoice,
    WireUsage,
    choice_calls,
    choice_sites,
    delta_names,
    delta_sites,
    finish_word,
    finished,
    read_answer,
    read_choice,
    read_chunk,
    read_usage,
)
from router.core.wire.edits import Edit, span, splice
from router.core.wire.request import MOST_TEXTS, ChatRequest, ToolCall, read_chat
from router.core.wire.strict import check_json, value_of
from router.core.wire.texts import TextSite, given, strings_in

__all__ = [
    "MOST_TEXTS",
    "AnswerChoice",
    "ChatRequest",
    "Chunk",
    "ChunkChoice",
    "Edit",
    "TextSite",
    "ToolCall",
    "WireUsage",
    "check_json",
    "choice_calls",
    "choice_sites",
    "delta_names",
    "delta_sites",
    "finish_word",
    "finished",
    "given",
    "read_answer",
    "read_chat",
    "read_choice",
    "read_chunk",
    "read_usage",
    "span",
    "splice",
    "strings_in",
    "value_of",
]
