"""Small GGUF files made by hand: a head, no tensors."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHAT_HEAD: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "llama.block_count": 2,
    "llama.context_length": 1024,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["<s>", "</s>"],
    "tokenizer.chat_template": "{{ messages }}",
}


def gguf_bytes(head: dict[str, object] | None = None, *, version: int = 3, padding: int = 0) -> bytes:
    """The bytes of a file with this head; the padding stands for the tensors."""
    entries = CHAT_HEAD if head is None else head
    packed = b"".join(_string(key) + _value(value) for key, value in entries.items())
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + packed + bytes(padding)


def write_gguf(path: Path, head: dict[str, object] | None = None, *, padding: int = 0) -> tuple[Path, str]:
    """Write such a file; its path and digest."""
    data = gguf_bytes(head, padding=padding)
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    assert isinstance(value, list)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_string(item) for item in value)
    return struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value)
