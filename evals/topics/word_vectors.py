"""Words as short vectors, taken once from a sentence encoder, so that serving needs neither the encoder nor its tokens.

Every word is read by all-MiniLM-L6-v2 (Apache-2.0) as a sentence of its own; the vectors are centred, turned to their
principal axes and cut to ``DIMENSIONS``, as static embeddings are made elsewhere (Model2Vec, Tulkens & van Dongen
2024). The encoder's forward pass is written out below in numpy: it is six layers, and saves a dependency of gigabytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DIMENSIONS: Final = 64
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_BATCH: Final = 256

Array = Any


class Encoder:
    """The sentence encoder, from a folder with ``model.safetensors`` and ``tokenizer.json``."""

    def __init__(self, folder: Path) -> None:
        self._weights = read_safetensors(folder / "model.safetensors")
        self.pieces: dict[str, int] = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]

    def encode(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(words, 384) unit vectors."""
        rows = [self._tokens(word) for word in words]
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))
        out = np.zeros((len(rows), 384), dtype=np.float32)
        while order:
            size = len(rows[order[0]])
            batch = [index for index in order[:_BATCH] if len(rows[index]) == size]
            order = order[len(batch) :]
            out[batch] = self._forward(np.array([rows[index] for index in batch]))
        return out

    def _tokens(self, word: str) -> list[int]:
        """[CLS], the longest known pieces from the left, [SEP]."""
        found, start = [self.pieces["[CLS]"]], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self.pieces:
                    found.append(self.pieces[piece])
                    start = end
                    break
            else:
                return [self.pieces["[CLS]"], self.pieces["[UNK]"], self.pieces["[SEP]"]]
        return [*found, self.pieces["[SEP]"]]

    def _forward(self, tokens: Array) -> Array:
        w, base = self._weights, "embeddings."
        x = w[base + "word_embeddings.weight"][tokens] + w[base + "position_embeddings.weight"][: tokens.shape[1]]
        x = self._norm(x + w[base + "token_type_embeddings.weight"][0], base + "LayerNorm")
        for layer in range(6):
            x = self._layer(x, f"encoder.layer.{layer}.")
        mean = x.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _layer(self, x: Array, name: str) -> Array:
        batch, size, width = x.shape
        q, k, v = (
            self._linear(x, f"{name}attention.self.{part}").reshape(batch, size, _HEADS, -1).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        weights = q @ k.transpose(0, 1, 3, 2) / float(np.sqrt(q.shape[-1]))
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(batch, size, width)
        x = self._norm(x + self._linear(mixed, f"{name}attention.output.dense"), f"{name}attention.output.LayerNorm")
        inner = _gelu(self._linear(x, f"{name}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _linear(self, x: Array, name: str) -> Array:
        flat = x.reshape(-1, x.shape[-1])  # one large product is many times faster than a stack of small ones
        return (flat @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]).reshape(*x.shape[:-1], -1)

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        return centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    """Abramowitz & Stegun 7.1.26 for the error function: off by at most 1.5e-7."""
    z = np.abs(x) / float(np.sqrt(2.0))
    t = 1 / (1 + 0.3275911 * z)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - tail * np.exp(-z * z))
    return 0.5 * x * (1 + erf)


def read_safetensors(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """The float32 arrays of a safetensors file: eight bytes of length, a JSON header, the data."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(raw, np.float32, (end - begin) // 4, 8 + size + begin).reshape(entry["shape"])
    return arrays


def shortened(vectors: NDArray[np.float32], dimensions: int = DIMENSIONS) -> NDArray[np.int8]:
    """(words, dimensions) int8: centred, on the principal axes, all of one scale. Signs are fixed, so runs agree."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, np.argsort(values)[::-1][:dimensions]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    short = centred @ axes
    short /= np.linalg.norm(short, axis=1, keepdims=True) + _EPSILON
    whole: NDArray[np.int8] = np.clip(np.rint(short * 127 / np.quantile(np.abs(short), 0.999)), -127, 127).astype(
        np.int8
    )
    return whole


def known_words(encoder: Encoder, more: Iterable[str]) -> list[str]:
    """The encoder's own whole words, and others, sorted."""
    own = (piece for piece in encoder.pieces if piece.isascii() and piece.isalpha() and len(piece) > 1)
    return sorted({*own, *more})
