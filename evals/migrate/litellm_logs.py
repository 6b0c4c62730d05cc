"""LiteLLM's spend logs (``LiteLLM_SpendLogs``): a JSON list, ``{"data": […]}``, JSON Lines, or CSV from the database.

Prompts are there only where LiteLLM was told to store them (``store_prompts_in_spend_logs``). ``api_key`` is a hash and
is never copied; whose a call was is told by its team, else by its key's alias.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from evals.migrate.calls import (
    Call,
    Calls,
    LogError,
    RowError,
    Skip,
    count,
    json_rows,
    millis,
    nano_of,
    read_calls,
    text_of,
)
from evals.migrate.calls import text as text_field

_CHAT: Final = frozenset({"completion", "acompletion", ""})
_NEEDED: Final = ("request_id", "startTime", "model")
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


def litellm_calls(paths: list[Path]) -> Calls:
    """The chat completions of exported spend logs.

    Raises:
        LogError: see ``read_calls``.
    """
    return read_calls(paths, _rows, _call)


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    if path.name.removesuffix(".gz").endswith(".csv"):
        return _csv_rows(path)
    return json_rows(path, inside=("data", "response", "spend_logs"))


def _csv_rows(path: Path) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(1 << 27)
    table = csv.DictReader(io.StringIO(text_of(path), newline=""))
    lost = [name for name in _NEEDED if name not in (table.fieldnames or ())]
    if lost:
        raise LogError(f"{path}:1: there is no column {lost[0]!r}; export the whole table with its head")
    for row in table:
        where = f"{path}:{table.line_num}"
        if None in row or None in row.values():
            yield where, None
        else:
            yield where, row


def _call(row: Mapping[str, Any]) -> Call:
    kind = str(row.get("call_type") or "")
    if kind not in _CHAT:
        raise Skip(f"{kind} is no chat completion")
    if str(row.get("status") or "success") != "success":
        raise Skip("the call failed")
    begun, ended = millis(row.get("startTime"), "startTime"), row.get("endTime")
    asked = _asked(row)
    metadata = _value(row, "metadata")
    known = metadata if isinstance(metadata, Mapping) else {}
    usage = known.get("usage_object")
    details = usage.get("prompt_tokens_details") if isinstance(usage, Mapping) else None
    whose = row.get("team_id") or known.get("user_api_key_team_alias") or known.get("user_api_key_alias")
    answer, finish = _answer(_value(row, "response"))
    return Call(
        id=text_field(row, "request_id"),
        source="litellm",
        at_ms=begun,
        model=text_field(row, "model"),
        messages=asked["messages"],
        tools=asked.get("tools") or [],
        tenant=_NAME.sub("-", str(whose)).strip("-._")[:64] if whose else "default",
        session=str(row["session_id"]) if row.get("session_id") else None,
        answer=answer,
        finish_reason=finish,
        tokens_in=count(row, "prompt_tokens"),
        tokens_out=count(row, "completion_tokens"),
        tokens_cached=count(details, "cached_tokens") if isinstance(details, Mapping) else None,
        cost_nano=nano_of(row, "spend"),
        latency_ms=max(0, millis(ended, "endTime") - begun) if ended else None,
    )


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    """Messages and tools, from the columns or from the request as it came in."""
    messages, request = _value(row, "messages"), _value(row, "proxy_server_request")
    sent = request if isinstance(request, dict) else {}
    if isinstance(sent.get("body"), dict):
        sent = sent["body"]
    for listed in (messages, sent.get("messages")):
        if isinstance(listed, list) and listed:
            if not all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in listed):
                raise RowError("'messages' are not OpenAI's")
            return {"messages": listed, "tools": sent.get("tools") if isinstance(sent.get("tools"), list) else []}
    raise Skip("it holds no prompt (LiteLLM stores prompts only with store_prompts_in_spend_logs: true)")


def _answer(response: object) -> tuple[str, str | None]:
    """Text and finish reason of the first choice, where it was stored."""
    choices = response.get("choices") if isinstance(response, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    message = first.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    finish = first.get("finish_reason")
    return content if isinstance(content, str) else "", finish if isinstance(finish, str) else None


def _value(row: Mapping[str, Any], name: str) -> object:
    """A column that is JSON, or JSON written as text.

    Raises:
        RowError: it is a text that begins like JSON and is none.
    """
    value = row.get(name)
    if not isinstance(value, str) or value.strip()[:1] not in {"{", "["}:
        return value
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        raise RowError(f"{name!r} is cut, or no JSON") from None
    return found
