"""The words that the gateway and the child process of a local model say to each other over two pipes.

A frame is a header of nine bytes (payload length, call number, kind; big-endian) and a payload.
Call number 0 speaks of the child itself.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    import asyncio

_HEADER = struct.Struct("!IIB")
MAX_PAYLOAD = 256 * 1024 * 1024


class Kind(IntEnum):
    """What a frame says. The first four go to the child, the others come back."""

    LOAD = 1
    """Load this model: the JSON of ``local_child.Load``."""
    ASK = 2
    """Answer this chat completion as a whole."""
    ASK_STREAM = 3
    """Answer it in events."""
    CANCEL = 4
    """Stop working on this call."""

    READY = 16
    """The model is loaded; the payload is a JSON object about the engine's listener."""
    FAILED = 17
    """The model cannot be loaded; the payload is a sentence for the operator."""
    BEGAN = 18
    """The first token of a whole answer exists."""
    EVENT = 19
    """One ``chat.completion.chunk``."""
    ANSWER = 20
    """The whole ``chat.completion``."""
    REFUSED = 21
    """No answer: a JSON object with status, code, message, param."""
    END = 22
    """Nothing more will come for this call and its slot is free. Follows everything, also a cancel."""


class Frame(NamedTuple):
    """One message."""

    kind: Kind
    call: int
    payload: bytes


def pack(kind: Kind, call: int = 0, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return _HEADER.pack(len(payload), call, kind) + payload


async def receive(reader: asyncio.StreamReader) -> Frame:
    """The next frame.

    Raises:
        EOFError: the other side is gone.
        ValueError: what came is not a frame.
    """
    size, call, kind = _header(await reader.readexactly(_HEADER.size))
    return Frame(kind, call, await reader.readexactly(size))


def read(pipe: BinaryIO) -> Frame | None:
    """The next frame of a blocking pipe; None when the other side is gone.

    Raises:
        ValueError: what came is not a frame.
    """
    head = pipe.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    size, call, kind = _header(head)
    payload = pipe.read(size)
    return None if len(payload) < size else Frame(kind, call, payload)


def _header(head: bytes) -> tuple[int, int, Kind]:
    size, call, kind = _HEADER.unpack(head)
    if size > MAX_PAYLOAD:
        raise ValueError(f"a frame of {size} bytes is larger than the {MAX_PAYLOAD} allowed")
    return size, call, Kind(kind)
