"""The tensors of a GGUF file, and a file like another in which some are changed.

The reader of the package ``gguf`` takes seconds over a vocabulary that we do not ask it for; we ask it what only it
knows, how ggml packs its numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from evals.distill.trainers.base import TrainingError
from router.registry.gguf import Layout, TensorInfo, read_layout

Floats = npt.NDArray[np.float32]
Changed = Callable[[], Floats]

_FLOAT16: Final = 1  # ggml's code
_MOSTLY_FLOAT16: Final = 1  # llama.cpp's code of a file's numbers
_FILE_TYPE: Final = struct.pack("<Q", len("general.file_type")) + b"general.file_type" + struct.pack("<I", 4)


class Tensor(NamedTuple):
    """One tensor, mapped from its file.

    Attributes:
        name: in the file. shape: the slowest axis first, as numpy has it. kind: ggml's code.
        data: its bytes as they are packed.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    data: npt.NDArray[np.uint8]


def tensors_of(path: Path) -> dict[str, Tensor]:
    """All tensors by name, in the file's order.

    Raises:
        TrainingError: the file ends before its tensors do, or packs its numbers in a way that is not known.
    """
    layout = read_layout(path)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    found = {}
    for tensor in layout.tensors:
        begin, size = layout.data_at + tensor.offset, _bytes_of(tensor)
        if begin + size > len(mapped):
            raise TrainingError(f"{path} is cut short: it ends before its tensor {tensor.name} does")
        found[tensor.name] = Tensor(tensor.name, tensor.shape[::-1], tensor.kind, mapped[begin : begin + size])
    return found


def numbers_of(tensor: Tensor) -> Floats:
    """Its numbers, unpacked."""
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType(tensor.kind)
    packed: Any = tensor.data
    if kind in {GGMLQuantizationType.F32, GGMLQuantizationType.F16}:
        packed = packed.view(np.float32 if kind == GGMLQuantizationType.F32 else np.float16)
    numbers: Floats = dequantize(packed.reshape(*tensor.shape[:-1], -1), kind).astype(np.float32)
    return numbers


def write_like(source: Path, target: Path, changed: Mapping[str, Changed]) -> None:
    """Write ``source`` again with some tensors changed, as 16-bit floats; all else keeps its bytes, the keys too.

    Args:
        source: the file.
        target: the new one.
        changed: by name, how the new numbers are made; one is made at a time.

    Raises:
        OSError: it cannot be written.
    """
    layout, tensors = read_layout(source), tensors_of(source)
    kinds = {name: _FLOAT16 if name in changed else tensor.kind for name, tensor in tensors.items()}
    sizes = {name: 2 * int(np.prod(t.shape)) if name in changed else len(t.data) for name, t in tensors.items()}
    with target.open("wb") as file:
        file.write(_entries(source, layout))
        at = 0
        for info in layout.tensors:
            label = info.name.encode()
            file.write(struct.pack("<Q", len(label)) + label + struct.pack("<I", len(info.shape)))
            file.write(struct.pack(f"<{len(info.shape)}QIQ", *info.shape, kinds[info.name], at))
            at += _padded(sizes[info.name], layout.alignment)
        _pad(file, layout.alignment)
        for name, tensor in tensors.items():
            file.write((changed[name]().astype(np.float16) if name in changed else tensor.data).tobytes())
            _pad(file, layout.alignment)


def _entries(source: Path, layout: Layout) -> bytes:
    """The keys as they are, but for the one that says how most numbers are packed."""
    with source.open("rb") as file:
        entries = bytearray(file.read(layout.tensors_at))
    at = entries.find(_FILE_TYPE)
    if at >= 0:
        struct.pack_into("<I", entries, at + len(_FILE_TYPE), _MOSTLY_FLOAT16)
    return bytes(entries)


def _bytes_of(tensor: TensorInfo) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
    except (ValueError, KeyError):
        raise TrainingError(f"the tensor {tensor.name} is packed in a way that is not known ({tensor.kind})") from None
    packed: int = int(np.prod(tensor.shape)) // block * size
    return packed


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _pad(file: BinaryIO, alignment: int) -> None:
    file.write(bytes(-file.tell() % alignment))
