"""OpenAI's stored completions, exported: JSON Lines, a JSON list, or the API's own list object.

The API lists completions without what was asked; that comes from ``/chat/completions/{id}/messages`` and is put into
the row as ``messages``, as a list or as the API's list object. The dashboard's export for distillation, one
conversation a line that ends with the assistant's turn, is read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count as numbers
from pathlib import Path
from typing import Any

from evals.migrate.calls import Call, Calls, RowError, Skip, count, json_rows, read_calls, text


def openai_calls(paths: list[Path]) -> Calls:
    """The chat completions of exports.

    Raises:
        LogError: see ``read_calls``.
    """
    rows = numbers(1)
    return read_calls(paths, lambda path: json_rows(path, inside=("data",)), lambda row: _call(row, rows))


def _call(row: Mapping[str, Any], rows: Iterator[int]) -> Call:
    if row.get("object") == "chat.completion":
        return _completion(row)
    if "messages" in row:
        return _conversation(row, next(rows))
    raise RowError("it is neither a chat.completion nor a conversation under 'messages'")


def _completion(row: Mapping[str, Any]) -> Call:
    choices = row.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise RowError("'choices' must be a list with a choice")
    message, finish = choices[0].get("message"), choices[0].get("finish_reason")
    answer = message.get("content") if isinstance(message, Mapping) else None
    known = row.get("usage")
    usage: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
    created = count(row, "created")
    if created is None:
        raise RowError("'created' must be seconds since the epoch")
    tools = row.get("tools")
    return Call(
        id=text(row, "id"), source="openai", at_ms=created * 1000, model=text(row, "model"), messages=_asked(row),
        tools=tools if isinstance(tools, list) else [], answer=answer if isinstance(answer, str) else "",
        finish_reason=finish if isinstance(finish, str) else None,
        tokens_in=count(usage, "prompt_tokens"), tokens_out=count(usage, "completion_tokens"),
    )  # fmt: skip


def _asked(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = row.get("messages")
    if isinstance(listed, Mapping):
        listed = listed.get("data")
    if not listed:
        raise Skip("what was asked is not in it: put the completion's /messages into the row as 'messages'")
    if not isinstance(listed, list) or not all(isinstance(m, dict) and isinstance(m.get("role"), str) for m in listed):
        raise RowError("'messages' are not OpenAI's")
    return listed


def _conversation(row: Mapping[str, Any], number: int) -> Call:
    """A line without an id: it gets its number."""
    listed = _asked(row)
    last = listed[-1]
    said = last.get("content") if last["role"] == "assistant" else None
    asked = listed[:-1] if last["role"] == "assistant" else listed
    model = row.get("model")
    tools = row.get("tools")
    return Call(
        id=f"line-{number:09d}", source="openai", at_ms=0,
        model=model if isinstance(model, str) else "", messages=asked, tools=tools if isinstance(tools, list) else [],
        answer=said if isinstance(said, str) else "",
    )  # fmt: skip
