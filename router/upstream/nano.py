"""A head of our own as an upstream: an answer of a closed set, or no answer at all.

It answers only what it was trained for and is sure of. Everything else it leaves to whoever is asked next
(``UpstreamAbstained``): another task, tools, pictures, several answers, a text unlike those it has seen.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from router.core.tokens import estimate_tokens
from router.errors import UpstreamAbstained, UpstreamRejected
from router.upstream.base import Deadline, Reply
from router.upstream.nano_head import Head, Opinion, asked, task_of

_SYSTEM: Final = frozenset({"system", "developer"})
_MOST_LOGPROBS: Final = 20


class _Answer(NamedTuple):
    request: Mapping[str, Any]
    label: str
    opinion: Opinion
    tokens_in: int
    id: str


class NanoUpstream:
    """One head.

    Args:
        name: for the ledger and the start-up table.
        head: its weights, checked.
        now: seconds since 1970, for ``created``.
    """

    def __init__(self, name: str, head: Head, now: Callable[[], float] = time.time) -> None:
        self.name = name
        self._head = head
        self._now = now
        self._tasks = frozenset(head.card.tasks)

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:  # noqa: ARG002  (the Protocol's shape)
        """Its answer.

        Raises:
            UpstreamAbstained: it has none.
        """
        found = self._answer(body)
        message = {"role": "assistant", "content": found.label, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": self._logprobs(found), "finish_reason": "stop"}
        whole = self._head_of(found, "chat.completion") | {"choices": [choice], "usage": _usage(found)}
        return Reply(_json(whole))

    async def chat_stream(self, body: bytes, deadline: Deadline) -> NanoStream:  # noqa: ARG002
        """The same as three events.

        Raises:
            UpstreamAbstained: it has none.
        """
        found = self._answer(body)
        head = self._head_of(found, "chat.completion.chunk")
        delta = {"role": "assistant", "content": found.label}
        events = [
            head | {"choices": [_part(delta, None, self._logprobs(found))]},
            head | {"choices": [_part({}, "stop", None)]},
            head | {"choices": [], "usage": _usage(found)},
        ]
        return NanoStream([_json(event) for event in events])

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:  # noqa: ARG002
        """Not offered."""
        words = "A nano head answers chat completions only."
        raise UpstreamRejected(words, status=400, code="unsupported_parameter", param="model")

    async def models(self, deadline: Deadline) -> list[str]:  # noqa: ARG002
        """None of its own: it is called as the settings say."""
        return []

    async def close(self) -> None:
        """Nothing to release."""

    def _answer(self, body: bytes) -> _Answer:
        request = _request(body)
        system, said = _texts(request.get("messages"))
        card = self._head.card
        if task_of(system) not in self._tasks:
            raise UpstreamAbstained("The head was not trained for this task.")
        opinion = self._head.of(asked(said))
        place = int(opinion.order[0])
        label = card.labels[place]
        if opinion.familiar < card.familiar:
            raise UpstreamAbstained("The text is unlike those that the head was trained on.")
        if opinion.chances[place] < card.threshold:
            raise UpstreamAbstained("The head is not sure enough of an answer.")
        _honours(request, label)
        tokens = sum(estimate_tokens(text) for text in (*system, *said))
        return _Answer(request, label, opinion, tokens, hashlib.blake2b(body, digest_size=12).hexdigest())

    def _head_of(self, found: _Answer, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{found.id}",
            "object": kind,
            "created": int(self._now()),
            "model": str(found.request.get("model") or self.name),
            "system_fingerprint": f"nano-{self._head.card.sha256[:12]}",
        }

    def _logprobs(self, found: _Answer) -> dict[str, Any] | None:
        """The label as one token, with the chances of the others: what the head itself knows."""
        if found.request.get("logprobs") is not True:
            return None
        wanted = found.request.get("top_logprobs")
        many = min(wanted if isinstance(wanted, int) else 0, _MOST_LOGPROBS)
        nats = np.log(np.maximum(found.opinion.chances, 1e-30))
        tokens = [
            {"token": label, "logprob": float(nats[place]), "bytes": list(label.encode())}
            for place in found.opinion.order[: max(1, many)]
            for label in [self._head.card.labels[place]]
        ]
        return {"content": [tokens[0] | {"top_logprobs": tokens[:many]}], "refusal": None}


class NanoStream:
    """The events of one answer, all there already."""

    request_id: str | None = None
    waiting = False

    def __init__(self, events: list[bytes]) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[bytes]:
        """Each chunk as JSON bytes; the last one holds the usage."""
        for event in self._events:
            yield event

    async def close(self) -> None:
        """Nothing goes on."""


def _request(body: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(body)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise UpstreamRejected("The body must be a JSON object.", status=400, code="invalid_json")
    if request.get("n") not in {None, 1} or (request.get("tools") and request.get("tool_choice") != "none"):
        raise UpstreamAbstained("A head gives one answer and calls no tools.")
    return request


def _texts(messages: object) -> tuple[list[str], list[str]]:
    """The system's texts and the others, in order."""
    if not isinstance(messages, list) or not messages:
        raise UpstreamRejected("'messages' must be a list with at least one message.", status=400,
                               code="invalid_request_error", param="messages")  # fmt: skip
    system: list[str] = []
    said: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            parts = [part.get("text") if isinstance(part, dict) else None for part in content]
            texts = [part for part in parts if isinstance(part, str)]
            content = "".join(texts) if len(texts) == len(parts) else None
        if not isinstance(content, str):
            raise UpstreamAbstained("A head reads text only.")
        (system if message.get("role") in _SYSTEM else said).append(content)
    return system, said


def _honours(request: Mapping[str, Any], label: str) -> None:
    """Abstain where the label is not what the request allows an answer to be."""
    form = request.get("response_format")
    if isinstance(form, dict) and form.get("type") not in {None, "text"} and not _is_object(label):
        raise UpstreamAbstained("The head's answer is no JSON object, and the request wants one.")
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    if isinstance(limit, int) and limit < estimate_tokens(label):
        raise UpstreamAbstained("The head's answer is longer than the request allows.")
    stop = request.get("stop")
    if any(isinstance(word, str) and word and word in label for word in (stop if isinstance(stop, list) else [stop])):
        raise UpstreamAbstained("The head's answer holds a stop word of the request.")


def _is_object(label: str) -> bool:
    try:
        return isinstance(json.loads(label), dict)
    except ValueError:
        return False


def _usage(found: _Answer) -> dict[str, int]:
    out = estimate_tokens(found.label)
    return {"prompt_tokens": found.tokens_in, "completion_tokens": out, "total_tokens": found.tokens_in + out}


def _part(delta: Mapping[str, Any], finish: str | None, logprobs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
