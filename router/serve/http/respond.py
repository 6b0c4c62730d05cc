"""What the gateway says in its own words: headers, refusals, events that it makes itself."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from router.errors import StillhouseError
from router.serve.story import Story
from router.types import Lineage, Usage

Headers = list[tuple[bytes, bytes]]
_encode = msgspec.json.encode


@lru_cache(maxsize=4096)
def latin(text: str) -> bytes:
    """A header value: printable ASCII, everything else as a question mark, at most 256 bytes."""
    return bytes(c if 0x20 <= c < 0x7F else 0x3F for c in text.encode("ascii", "replace")[:256])


def headers_of(story: Story, *, stream: bool) -> Headers:
    """The request id, and what was decided and why, in stable ids."""
    headers = [(b"x-request-id", story.id.encode())]
    decision, score, policy = story.decision, story.score, story.policy
    if policy is not None:
        headers.append((b"x-stillhouse-policy", latin(f"{policy.name}@{policy.hash[:12]}")))
    if story.variant:
        headers.append((b"x-stillhouse-arm", story.variant.encode()))
    if story.account is not None:
        headers += story.account.headers()
    if decision is None:
        return headers
    headers.append((b"x-stillhouse-wanted", decision.wanted.encode()))
    headers.append((b"x-stillhouse-reason", ",".join(r.id for r in decision.reasons).encode()))
    if score is not None:
        headers.append((b"x-stillhouse-score", f"{score.complexity:.3f}".encode()))
    if story.deployment is not None:
        d = story.deployment
        headers.append((b"x-stillhouse-tier", d.tier.encode()))
        headers.append((b"x-stillhouse-model", latin(d.model)))
        headers.append((b"x-stillhouse-lineage", latin(lineage_words(d.lineage))))
    if stream:
        estimate = decision.cost.get(story.deployment.tier) if story.deployment else None
        if estimate is not None and any(a.tokens_out is not None for a in story.attempts):
            paid = story.cost()  # what a cascade spent before this answer
            estimate = None if paid is None else estimate + paid
        headers.append((b"x-stillhouse-cost-estimate", _money(estimate)))
    elif story.deployment is not None:
        headers.append((b"x-stillhouse-cost", _money(story.cost())))
    return headers


def _money(nano: int | None) -> bytes:
    return b"unknown" if nano is None else str(nano).encode()


@lru_cache(maxsize=4096)
def lineage_words(lineage: Lineage) -> str:
    """``family=…;teacher=…;generation=1;gate=unknown``."""
    return f"family={lineage.family};teacher={lineage.teacher};generation={lineage.generation};gate={lineage.gate}"


def error_body(error: StillhouseError, request_id: str) -> bytes:
    """The OpenAI error object with our request id."""
    body: dict[str, dict[str, str | None]] = error.body()
    body["error"]["request_id"] = request_id
    return _encode(body)


def refusal(story: Story, words: str, created: int) -> bytes:
    """A valid completion that says the policy's words and ends with ``content_filter``."""
    return _encode(
        {
            "id": f"chatcmpl-{story.id}",
            "object": "chat.completion",
            "created": created,
            "model": story.requested_model,
            "choices": [refused_choice(0, words)],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
    )


def refused_choice(index: int, words: str) -> dict[str, object]:
    """One choice of a whole answer that a guard blocked."""
    return {
        "index": index,
        "message": {"role": "assistant", "content": words, "refusal": None},
        "logprobs": None,
        "finish_reason": "content_filter",
    }


def _in_parts(path: str, text: str) -> dict[str, object]:
    """Text for a field that comes in parts: ``content[].text`` continues as ``{"content": [{"text": …}]}``."""
    name, *keys = path.split("[]")
    value: object = text
    for key in reversed([key.removeprefix(".") for key in keys]):
        value = [{"type": key, key: value}] if key else [value]
    return {name: value}


class EventMaker:
    """Makes ``chat.completion.chunk`` events that carry the upstream's id, model and time, once known."""

    def __init__(self, request_id: str, model: str, created: int) -> None:
        self.id: object = f"chatcmpl-{request_id}"
        self.model: object = model
        self.created: object = created

    def _event(self, choices: list[dict[str, object]], usage: object = None) -> bytes:
        event: dict[str, object] = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if usage is not None:
            event["usage"] = usage
        return _encode(event)

    def text(self, index: int, path: str, text: str, *, role: bool = False) -> bytes:
        """Text for one of a choice's running texts; ``path`` as in ``wire.delta_sites``."""
        delta: dict[str, object] = {"role": "assistant"} if role else {}
        if path.startswith("tool_calls["):
            delta["tool_calls"] = [{"index": int(path[11:-1]), "function": {"arguments": text}}]
        elif path.startswith("custom["):
            delta["tool_calls"] = [{"index": int(path[7:-1]), "custom": {"input": text}}]
        elif "[]" in path:
            delta |= _in_parts(path, text)
        elif path == "audio.transcript":
            delta["audio"] = {"transcript": text}
        elif path == "function_call":
            delta["function_call"] = {"arguments": text}
        else:
            delta[path] = text
        return self._event([{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}])

    def end(self, index: int, finish_reason: str) -> bytes:
        """The end of a choice."""
        return self._event([{"index": index, "delta": {}, "logprobs": None, "finish_reason": finish_reason}])

    def usage(self, usage: Usage) -> bytes:
        """The usage event: no choices."""
        total = usage.input_tokens + usage.output_tokens
        body: dict[str, object] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": total,
        }
        if usage.cached_tokens:
            body["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
        return self._event([], body)
