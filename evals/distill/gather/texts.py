"""A conversation in OpenAI's words as messages of text alone, and what a teacher's terms say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, get_args

from evals.distill.example import Message, Role
from evals.migrate.calls import Skip

Licence = Literal["allowed", "forbidden", "unknown"]
LICENCES: Final[tuple[Licence, ...]] = get_args(Licence)
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Licences:
    """What the terms of a model say of training on its answers, as the operator has read them.

    Patterns (``llama-*``) are tried in the order they were given; a model that none fits is ``unknown``.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        """Read ``MODEL=allowed`` and the like.

        Raises:
            ValueError: one is not of this form.
        """
        self._table: list[tuple[str, Licence]] = []
        for word in words:
            model, _, given = word.rpartition("=")
            said = next((each for each in LICENCES if each == given), None)
            if not model or said is None:
                raise ValueError(f"{word!r} is no licence: write MODEL=allowed, MODEL=forbidden or MODEL=unknown")
            self._table.append((model, said))

    def of(self, model: str) -> Licence:
        """What is known of ``model``."""
        return next((said for pattern, said in self._table if fnmatchcase(model, pattern)), "unknown")


def said_in(messages: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The turns of a conversation.

    Raises:
        Skip: it is more than text, or nobody waits for an answer at its end.
    """
    turns = []
    for message in messages:
        role = next((each for each in ROLES if each == message.get("role")), None)
        if role is None:
            raise Skip("a turn has a role that is none of OpenAI's")
        if message.get("tool_calls") or message.get("function_call"):
            raise Skip("it calls tools")
        turns.append(Message(role, _text(message.get("content"))))
    if not turns or turns[-1].role not in {"user", "tool"}:
        raise Skip("its last turn is not the user's")
    return tuple(turns)


def _text(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        if all(isinstance(part, str) for part in parts):
            return "\n".join(parts)  # type: ignore[arg-type]
    raise Skip("it holds more than text")
