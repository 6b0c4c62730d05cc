"""What a GGUF file says of itself: read from its head, without an engine.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

GGUF_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MAX_ENTRIES = 10_000
_MAX_KEY = 65_535
_MAX_AXES = 8
_CACHE_BYTES_A_NUMBER = 2  # the engine keeps keys and values as 16-bit floats

Value = str | int | float | bool | list["Value"]


class GGUFError(ValueError):
    """The file is not a GGUF that we can read; the message says why."""


@dataclass(frozen=True, slots=True)
class GGUF:
    """The head of a file of weights.

    Attributes:
        name, architecture, licence: as written in the file; ``unknown`` where it says nothing.
        context: tokens the model was trained for.
        chat: whether it carries a chat template. Without one it is a base model: no conversation.
        tools: whether that template knows tools.
        cache_bytes_per_token: memory for the keys and values of one token of context.
    """

    name: str
    architecture: str
    licence: str
    context: int
    chat: bool
    tools: bool
    cache_bytes_per_token: int


def read_gguf(path: Path) -> GGUF:
    """Read the head of the file at ``path``.

    Raises:
        GGUFError: not a GGUF, damaged, or one part of several.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            entries = _Head(file).entries()
        except (struct.error, UnicodeDecodeError, EOFError):
            raise GGUFError("the file is damaged or cut short: its GGUF head cannot be read") from None
    return _gguf(entries)


def read_entries(path: Path) -> dict[str, Value]:
    """All keys and values of the head, the vocabulary too.

    Raises:
        GGUFError: not a GGUF, or damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            return _Head(file, whole=True).entries()
        except (struct.error, UnicodeDecodeError, EOFError):
            raise GGUFError("the file is damaged or cut short: its GGUF head cannot be read") from None


class TensorInfo(NamedTuple):
    """One tensor of a file.

    Attributes:
        name: of it. shape: the fastest axis first, as the file has it. kind: of its numbers, ggml's code.
        offset: from where the file's data begins, bytes.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class Layout(NamedTuple):
    """Where things lie in a file: entries up to ``tensors_at``, the tensors' list, data from ``data_at``, in bytes."""

    tensors_at: int
    data_at: int
    alignment: int
    tensors: tuple[TensorInfo, ...]


def read_layout(path: Path) -> Layout:
    """Where the tensors lie.

    Raises:
        GGUFError: not a GGUF, or damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            head = _Head(file)
            alignment = _whole(head.entries().get("general.alignment"), 32)
            begin = file.tell()
            tensors = head.tensors()
            return Layout(begin, -(-file.tell() // alignment) * alignment, alignment, tensors)
        except (struct.error, UnicodeDecodeError, EOFError, ZeroDivisionError):
            raise GGUFError("the file is damaged or cut short: its list of tensors cannot be read") from None


class _Head:
    """The list of keys and values at the beginning of the file."""

    def __init__(self, file: BinaryIO, *, whole: bool = False) -> None:
        self._file = file
        self._whole = whole
        self._size = os.fstat(file.fileno()).st_size
        self._tensors = 0

    def entries(self) -> dict[str, Value]:
        if self._file.read(4) != GGUF_MAGIC:
            raise GGUFError("not a GGUF file (its first four bytes are not 'GGUF')")
        version, self._tensors, count = self._numbers("IQQ")
        if version not in _VERSIONS:
            raise GGUFError(f"GGUF version {version} is not supported (2 and 3 are)")
        if count > _MAX_ENTRIES:
            raise EOFError
        entries: dict[str, Value] = {}
        for _ in range(count):
            key = self._string(_MAX_KEY)
            kind = self._numbers("I")[0]
            if key.startswith("tokenizer.ggml.") and kind == _ARRAY and not self._whole:
                self._skip_array()  # the vocabulary: megabytes that nobody here asks for
            else:
                entries[key] = self._value(kind)
        return entries

    def tensors(self) -> tuple[TensorInfo, ...]:
        """What follows the entries."""
        found = []
        for _ in range(self._tensors):
            name = self._string(_MAX_KEY)
            shape = self._numbers(f"{min(self._numbers('I')[0], _MAX_AXES)}Q")
            kind, offset = self._numbers("IQ")
            found.append(TensorInfo(name, shape, kind, offset))
        return tuple(found)

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string(self._size)
        if kind == _ARRAY:
            inner, count = self._numbers("IQ")
            if inner == _ARRAY or count > self._size:
                raise EOFError
            return [self._value(inner) for _ in range(count)]
        value: int | float | bool = self._numbers(self._number(kind))[0]
        return value

    def _skip_array(self) -> None:
        inner, count = self._numbers("IQ")
        if count > self._size:
            raise EOFError
        if inner != _STRING:
            self._skip(count * struct.calcsize(self._number(inner)))
            return
        # A hundred thousand strings, for a command that a person waits for: no call more than it takes.
        read, seek, length_of, longest = self._file.read, self._file.seek, struct.Struct("<Q").unpack, self._size
        for _ in range(count):
            (length,) = length_of(read(8))
            if length > longest:
                raise EOFError
            seek(length, os.SEEK_CUR)

    def _skip(self, length: int) -> None:
        if length > self._size:
            raise EOFError
        self._file.seek(length, os.SEEK_CUR)

    def _number(self, kind: int) -> str:
        if kind not in _NUMBERS:
            raise EOFError
        return _NUMBERS[kind]

    def _string(self, longest: int) -> str:
        length = self._numbers("Q")[0]
        if length > longest:
            raise EOFError
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError
        return data.decode()

    def _numbers(self, layout: str) -> tuple[int, ...]:
        layout = "<" + layout
        return struct.unpack(layout, self._file.read(struct.calcsize(layout)))


def _gguf(entries: dict[str, Value]) -> GGUF:
    if _whole(entries.get("split.count"), 1) > 1:
        raise GGUFError("this is one part of a model in several files; join them into one GGUF first")
    architecture = _word(entries.get("general.architecture"))

    def of_model(key: str, default: int = 0) -> int:
        return _whole(entries.get(f"{architecture}.{key}"), default)

    context = of_model("context_length")
    if context <= 0:
        raise GGUFError(f"the file does not say how long a context its model ({architecture}) was trained for")
    heads = of_model("attention.head_count", 1)
    head_size = of_model("embedding_length") // max(1, heads)
    key_and_value = of_model("attention.key_length", head_size) + of_model("attention.value_length", head_size)
    kept = entries.get(f"{architecture}.attention.head_count_kv", heads)
    layers = of_model("block_count")
    kept_heads = sum(_whole(n, 0) for n in kept) if isinstance(kept, list) else _whole(kept, heads) * layers
    template = entries.get("tokenizer.chat_template")
    return GGUF(
        name=_word(entries.get("general.name")),
        architecture=architecture,
        licence=_word(entries.get("general.license")),
        context=context,
        chat=isinstance(template, str),
        tools=isinstance(template, str) and "tools" in template,
        cache_bytes_per_token=kept_heads * key_and_value * _CACHE_BYTES_A_NUMBER,
    )


def _word(value: Value | None) -> str:
    return value if isinstance(value, str) and value else "unknown"


def _whole(value: Value | None, default: int) -> int:
    """A number of the head; the largest where there is one for each layer."""
    if isinstance(value, list):
        return max((_whole(item, default) for item in value), default=default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
