"""The chat request of a row, and what an answer says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evals.runs.asking import AskError
from router.core.tokens import estimate_tokens
from router.types import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evals.suites.rows import Row

#: Output tokens reserved where a suite sets no limit.
USUAL_OUTPUT: Final = 1024
_LIMITS: Final = ("max_completion_tokens", "max_tokens")


def body_of(row: Row, sample: int, params: Mapping[str, Any], system: str | None) -> dict[str, Any]:
    """The body without ``model``. A seed is raised by the sample's number, so that samples differ."""
    body = dict(params)
    if "seed" in body:
        body["seed"] = body["seed"] + sample
    before = [{"role": "system", "content": system}] if system else []
    body["messages"] = [*before, *(row.messages or ({"role": "user", "content": row.text},))]
    if row.tools:
        body["tools"] = list(row.tools)
    return body


def encode(body: Mapping[str, Any], model: str) -> bytes:
    """The bytes of a request."""
    return json.dumps({"model": model, **body}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def most_output(params: Mapping[str, Any]) -> int:
    """The most tokens an answer may have."""
    return next((int(params[name]) for name in _LIMITS if isinstance(params.get(name), int)), USUAL_OUTPUT)


def input_tokens(row: Row, system: str | None) -> int:
    """An estimate, tools included."""
    texts = [json.dumps(message.get("content"), ensure_ascii=False) for message in row.messages] or [row.text]
    texts += [json.dumps(tool, ensure_ascii=False) for tool in row.tools] + ([system] if system else [])
    return sum(estimate_tokens(text) + 4 for text in texts)


class Completion(NamedTuple):
    """What an answer says.

    Attributes:
        text: tool calls stand behind it, a line of JSON each.
        finish: why it ended, in OpenAI's words; ``refusal`` where its refusal field is filled; empty where not said.
        chances: token by token, the token and what else might have stood there, itself included, in nats; None where
            no log-probabilities came.
    """

    text: str
    usage: Usage | None
    finish: str = ""
    chances: tuple[tuple[str, dict[str, float]], ...] | None = None


def read_completion(raw: bytes) -> Completion:
    """Read an answer.

    Raises:
        AskError: it is no chat completion.
    """
    try:
        answer = json.loads(raw)
        choice = answer["choices"][0]
        message = choice["message"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise AskError("what came back is no chat completion") from None
    lines = [message["content"]] if isinstance(message.get("content"), str) else []
    for call in message.get("tool_calls") or ():
        made = call.get("function") or {}
        said = {"name": made.get("name"), "arguments": made.get("arguments")}
        lines.append(json.dumps(said, ensure_ascii=False))
    finish = "refusal" if message.get("refusal") else choice.get("finish_reason")
    return Completion(
        "\n".join(lines), _usage(answer.get("usage")), finish if isinstance(finish, str) else "",
        _chances(choice.get("logprobs")),
    )  # fmt: skip


def _chances(said: Any) -> tuple[tuple[str, dict[str, float]], ...] | None:
    places = said.get("content") if isinstance(said, dict) else None
    if not isinstance(places, list) or not places:
        return None
    try:
        return tuple(
            (place["token"], {other["token"]: float(other["logprob"]) for other in (*place["top_logprobs"], place)})
            for place in places
        )
    except (KeyError, TypeError, ValueError):
        return None


def _usage(said: Any) -> Usage | None:
    if not isinstance(said, dict):
        return None
    given, made = said.get("prompt_tokens"), said.get("completion_tokens")
    if not isinstance(given, int) or not isinstance(made, int):
        return None
    details = said.get("prompt_tokens_details") or {}
    return Usage(input_tokens=given, output_tokens=made, cached_tokens=details.get("cached_tokens") or 0)
