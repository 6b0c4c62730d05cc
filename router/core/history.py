"""What must be mended when a conversation goes on at another upstream. Pure.

Kept as they came: roles, texts, tool calls, their ids and their order, so that every tool's result still
finds its call. Taken out of the *assistant's* messages: fields that only the server that wrote them can
read (its reasoning, signatures over it, its audio), because a strict server refuses the whole request for
one of them, and because one model's private reasoning is no business of another vendor's.

Nothing is taken out while the conversation stays at one upstream: there such fields may be required.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from router.core.wire import Edit, span, splice

#: Fields of an assistant's message that belong to the server that wrote it.
FOREIGN = frozenset(
    {
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "thinking",
        "thinking_blocks",
        "provider_specific_fields",
        "extra_content",
        "annotations",
        "audio",
    }
)
_FOREIGN_IN_CALL = frozenset({"extra_content", "provider_specific_fields", "thought_signature"})


class _Messages(msgspec.Struct):
    messages: list[Raw]


_messages = msgspec.json.Decoder(_Messages)
_object = msgspec.json.Decoder(dict[str, Raw])
_objects = msgspec.json.Decoder(list[dict[str, Raw]])


def mend(body: bytes) -> bytes:
    """A request's body without foreign fields; the same bytes where there are none."""
    edits: list[Edit] = []
    for raw in _messages.decode(body).messages:
        message = _object.decode(raw)
        if bytes(message.get("role", b"")) != b'"assistant"':
            continue
        kept = {key: value for key, value in message.items() if key not in FOREIGN}
        calls = kept.get("tool_calls")
        if calls is not None and bytes(memoryview(calls)[:1]) == b"[":
            mended = _without_foreign(calls)
            if mended is not None:
                kept["tool_calls"] = mended
        if kept != message:
            edits.append(Edit(*span(body, raw), msgspec.json.encode(kept)))
    return splice(body, edits) if edits else body


def _without_foreign(calls: Raw) -> Raw | None:
    """The tool calls without foreign fields; None where there are none to take out."""
    items = _objects.decode(calls)
    if not any(_FOREIGN_IN_CALL & item.keys() for item in items):
        return None
    kept = [{key: value for key, value in item.items() if key not in _FOREIGN_IN_CALL} for item in items]
    return Raw(msgspec.json.encode(kept))
