"""Whether a written line keeps its format: each check reads the JSON anew and knows nothing of who made it. Pure.

A check gives back what is wrong, or None. It names places, never texts: a prompt does not belong in a message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from evals.distill.export.shapes import SCHEMA

Check = Callable[[bytes], "str | None"]
_OPENAI_ROLES: Final = frozenset({"system", "developer", "user", "assistant"})
_WRONG: Final = "is not a non-empty string"


class _Wrong(ValueError):
    pass


def checked(check: Callable[[Mapping[str, Any]], None]) -> Check:
    """A check of a line from a check of its object."""

    def of_line(line: bytes) -> str | None:
        try:
            row = json.loads(line.decode("utf-8"))
        except ValueError:
            return "not a JSON object in UTF-8"
        if not isinstance(row, dict):
            return "not a JSON object in UTF-8"
        try:
            check(row)
        except _Wrong as wrong:
            return str(wrong)
        return None

    return of_line


def openai(row: Mapping[str, Any]) -> None:
    """OpenAI's chat format; the last message is the assistant's, for it is what is learned."""
    _only(row, {"messages"})
    messages = _list(row, "messages")
    _turns(messages, "messages")
    if messages[-1]["role"] != "assistant":
        raise _Wrong("messages: the last one is not the assistant's")
    if not any(m["role"] == "user" for m in messages):
        raise _Wrong("messages: none is the user's")


def prompts(row: Mapping[str, Any]) -> None:
    """A prompt alone."""
    _only(row, {"prompt"})
    _prompt(row)


def preference(row: Mapping[str, Any]) -> None:
    """A prompt and two answers that differ."""
    _only(row, {"prompt", "chosen", "rejected"})
    _prompt(row)
    for side in ("chosen", "rejected"):
        said = _list(row, side)
        _turns(said, side)
        if [m["role"] for m in said] != ["assistant"]:
            raise _Wrong(f"{side}: must be one message of the assistant's")
    if row["chosen"] == row["rejected"]:
        raise _Wrong("chosen and rejected are the same")


def sharegpt(row: Mapping[str, Any]) -> None:
    """System texts first, then people and model in turn, the model last."""
    _only(row, {"conversations"})
    said = _list(row, "conversations")
    for at, one in enumerate(said):
        if not isinstance(one, dict) or set(one) != {"from", "value"} or one["from"] not in ("system", "human", "gpt"):
            raise _Wrong(f"conversations.{at}: must be 'from' (system, human or gpt) and 'value'")
        _text(one["value"], f"conversations.{at}.value")
    if said[-1]["from"] != "gpt":
        raise _Wrong("conversations: the last one is not gpt's")
    if not any(one["from"] == "human" for one in said):
        raise _Wrong("conversations: none is human")


def bedrock(*, answer: bool, turns: bool) -> Callable[[Mapping[str, Any]], None]:
    """``bedrock-conversation-2024``: at most one system text; user and assistant in turn, the user first.

    Args:
        answer: whether the assistant has the last word, else the user.
        turns: whether there may be several.
    """

    def check(row: Mapping[str, Any]) -> None:
        _only(row, {"schemaVersion", "messages"}, {"system"})
        if row["schemaVersion"] != SCHEMA:
            raise _Wrong(f"schemaVersion: must be {SCHEMA}")
        if "system" in row:
            _parts(row["system"], "system")
        messages = _list(row, "messages")
        for at, message in enumerate(messages):
            if not isinstance(message, dict) or set(message) != {"role", "content"}:
                raise _Wrong(f"messages.{at}: must be 'role' and 'content'")
            if message["role"] != ("user", "assistant")[at % 2]:
                raise _Wrong(f"messages.{at}.role: user and assistant must take turns, the user first")
            _parts(message["content"], f"messages.{at}.content")
        if (len(messages) % 2 == 0) != answer:
            raise _Wrong(f"messages: the last one must be the {'assistant' if answer else 'user'}'s")
        if not turns and len(messages) > 2:
            raise _Wrong("messages: more than one turn")

    return check


def _prompt(row: Mapping[str, Any]) -> None:
    said = _list(row, "prompt")
    _turns(said, "prompt")
    if said[-1]["role"] != "user":
        raise _Wrong("prompt: the last message is not the user's")


def _turns(said: Sequence[Any], where: str) -> None:
    for at, message in enumerate(said):
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise _Wrong(f"{where}.{at}: must be 'role' and 'content'")
        if message["role"] not in _OPENAI_ROLES:
            raise _Wrong(f"{where}.{at}.role: must be one of {', '.join(sorted(_OPENAI_ROLES))}")
        _text(message["content"], f"{where}.{at}.content")


def _parts(value: object, where: str) -> None:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict) or set(value[0]) != {"text"}:
        raise _Wrong(f'{where}: must be [{{"text": ...}}]')
    _text(value[0]["text"], f"{where}.0.text")


def _text(value: object, where: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(f"{where} {_WRONG}")


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row[name]
    if not isinstance(value, list) or not value:
        raise _Wrong(f"{name}: must be a list with something in it")
    return value


def _only(row: Mapping[str, Any], needed: set[str], others: set[str] | None = None) -> None:
    if missing := sorted(needed - set(row)):
        raise _Wrong(f"{missing[0]}: missing")
    if more := sorted(set(row) - needed - (others or set())):
        raise _Wrong(f"{more[0]}: is no field of the format")
