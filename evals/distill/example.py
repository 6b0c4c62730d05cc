"""One prompt with what is known of its answers: the canonical row that every step of the loop reads and writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

Failure = Literal["escalated", "turned_down", "disliked", "judged"]
Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation, its text only."""

    role: Role
    content: str


class Example(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A prompt, the answers it got, and where it comes from.

    Attributes:
        id: ``prompt_id(messages)``: equal prompts have equal ids, wherever they were seen.
        messages: what was asked; the last is the user's or a tool's.
        answer: the target to learn: the teacher's, or a person's. None: not labelled yet.
        teacher: the model that gave it; empty for a person.
        soft: the teacher's log-probabilities of whole answers from a closed set, nats; they need not sum to 1.
        tokens: the teacher's log-probabilities token by token: for each place, token text -> nats.
        rejected: an answer of a smaller model that was not good enough.
        failure: how the small tier failed on it, if it did.
        tier: who served it. route: the policy, tag or task it came under.
        tenant, at_ms: whose it is, and when it was asked.
        cluster: of the failures it belongs to; set when curating.
        licence: what the teacher's terms say of training on its answers.
        source: where the row was read from.
    """

    id: str
    messages: tuple[Message, ...]
    answer: str | None = None
    teacher: str = ""
    soft: dict[str, float] | None = None
    tokens: tuple[dict[str, float], ...] | None = None
    rejected: str | None = None
    failure: Failure | None = None
    tier: str = ""
    route: str = ""
    tenant: str = "default"
    at_ms: int = 0
    cluster: int | None = None
    licence: Literal["allowed", "forbidden", "unknown"] = "unknown"
    source: str = ""


def prompt_id(messages: Iterable[Message]) -> str:
    """The prompt's content hash: 32 hex digits of BLAKE2b over roles and texts as they are."""
    digest = hashlib.blake2b(digest_size=16)
    for message in messages:
        for part in (message.role, message.content):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
    return digest.hexdigest()


class RowError(ValueError):
    """A line is no row; the message says where and why, never what it holds."""


_decode = msgspec.json.Decoder(Example).decode
encode = msgspec.json.Encoder(order="deterministic").encode


def read_examples(path: Path) -> Iterator[Example]:
    """The rows of a JSON Lines file, one at a time.

    Raises:
        RowError: a line is not a row.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _decode(line)
            except msgspec.DecodeError as error:
                raise RowError(f"{path}:{number}: {error}. Every line must be one row of the loop.") from None
