"""The bytes of the benchmark: one question, one answer, and the same answer in thirty-two chunks.

Everybody measured carries the same body: about 240 bytes in (some 35 tokens), a completion of about 480 bytes
out. It holds nothing a guard would act on, so every guard runs to its end.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

MODEL = "bench-small"
CHUNKS = 32
MARK = "qqqqqq"  # in the question; the load generator writes another word over it each time
PAUSE = "PAUSE50"  # a prompt holding this word makes the fake upstream wait 50 ms before it answers
PAUSE_SECONDS = 0.05
FAIL = "FAIL500"  # makes it answer 500
BREAK = "BREAKOFF"  # makes it break off a stream in the middle
CHUNK_SECONDS = 0.001
PACED = "PACED"  # with milliseconds behind it: a stream without end, a chunk each time, stamped (see ``stamped``)

_QUESTION = f"Tell class {MARK} of young gardeners in two sentences why leaves change their colour in autumn."
_ANSWER = (
    "In summer a leaf is full of green chlorophyll, which catches the light that feeds the tree. "
    "When the days grow short the tree takes it back, and the yellow and red were there all along."
)
_CREATED = 1_790_000_000
_USAGE = {"prompt_tokens": 35, "completion_tokens": 42, "total_tokens": 77}


def dump(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def question(model: str, *, stream: bool = False, pause: bool = False, word: str = "") -> bytes:
    """The request's body; ``word`` is one that the fake upstream heeds."""
    text = f"{_QUESTION} {PAUSE if pause else word}".rstrip()
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a patient teacher."},
            {"role": "user", "content": text},
        ],
        "temperature": 0.2,
        "max_tokens": 64,
    }
    return dump({**body, "stream": True} if stream else body)


def word(number: int) -> bytes:
    """A word of the mark's length that is another one for each number modulo 26⁶.

    No two questions of a run are equal, so whoever remembers answers, verdicts or scores gains nothing. Letters,
    because digits would be read as somebody's numbers.
    """
    letters = bytearray()
    for _ in MARK:
        number, letter = divmod(number, 26)
        letters.append(ord("a") + letter)
    return bytes(reversed(letters))


def answer() -> bytes:
    """The completion."""
    message = {"role": "assistant", "content": _ANSWER}
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return dump({**_head("chat.completion"), "choices": [choice], "usage": _USAGE})


def events(*, usage: bool) -> list[bytes]:
    """The completion as server-sent events: thirty-two of text, then the end, usage if asked, `[DONE]`."""
    words = _pieces(_ANSWER, CHUNKS)
    deltas: list[dict[str, Any]] = [{"content": word} for word in words]
    deltas[0]["role"] = "assistant"
    choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    chunks = [_chunk(choice) for choice in choices]
    if usage:
        chunks.append({**_chunk([]), "usage": _USAGE})
    return [*(b"data: %b\n\n" % dump(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def stamped() -> list[bytes]:
    """Events that go on with the text for ever; ``%d`` stands where each says when it was sent, in ``created``."""
    chunks = [_chunk([{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in _words()]
    made = (b"data: %b\n\n" % dump(chunk) for chunk in chunks)
    return [event.replace(b"%", b"%%").replace(b"%d" % _CREATED, b"%d") for event in made]


def _words() -> list[str]:
    return _pieces(f"{_ANSWER} ", CHUNKS)


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {**_head("chat.completion.chunk"), "choices": choices}


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-bench0000000000000000", "object": kind, "created": _CREATED, "model": MODEL}


def _pieces(text: str, count: int) -> list[str]:
    edges = [len(text) * i // count for i in range(count + 1)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def fault_of(body: bytes, *, stream: bool) -> str | None:
    """What is wrong with an answer that a gateway gave, in words; None when it says what the upstream said.

    A gateway that answers fast but wrong must not enter a table.
    """
    try:
        said = _said_in_events(body) if stream else json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return f"not a completion: {body[:200]!r}"
    if said != _ANSWER:
        return f"another text than the upstream's: {said[:100]!r}"
    if stream and b"[DONE]" not in body:
        return "a stream without [DONE]"
    return None


def _said_in_events(body: bytes) -> str:
    lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    chunks = [json.loads(line) for line in lines if line != b"[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
