"""A linear head over hashed n-grams: what it reads of a text, what it is sure of, and its file. numpy only.

Trained elsewhere; training reads texts through ``features`` too, so that what is learned is what is asked.
The file is a card (``nano.json``) beside plain arrays (``nano.npz``): loading it runs no code, and the card's digest,
which the settings name, pins the arrays.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

BUCKETS: Final = 1 << 15  # of windows, and again of words
_MOST: Final = 8192  # bytes that are read
_WIDTHS: Final = (3, 4, 5, 6)  # bytes in a window; a Korean syllable has three
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"\w+")
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

Floats = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]


class HeadError(ValueError):
    """The file is none that can be served. The message says why."""


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``nano.json``.

    Attributes:
        labels: what it can answer.
        tasks: ``task_of`` the system prompts that it was trained under; others are not its task.
        threshold: the least probability of an answer that is given.
        familiar: the least share of a text's n-grams that were seen in training.
        sha256: of ``nano.npz``.
    """

    version: Literal[1] = 1
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    tasks: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)]
    familiar: Annotated[float, msgspec.Meta(ge=0, le=1)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Opinion(NamedTuple):
    """What a head thinks of a text.

    Attributes:
        order: labels by place, the likeliest first. chances: of each label, in the labels' order.
        familiar: share of the text's n-grams that were seen in training.
    """

    order: Index
    chances: npt.NDArray[np.float64]
    familiar: float


class Head(NamedTuple):
    """One head.

    Attributes:
        weights: (2 * buckets, labels). bias: (labels,). seen: (2 * buckets,) whether training met the n-gram.
    """

    card: Card
    weights: Floats
    bias: Floats
    seen: npt.NDArray[np.bool_]

    def of(self, text: str) -> Opinion:
        """Its opinion of a text."""
        buckets, values = features(text)
        scores = (values @ self.weights[buckets] + self.bias).astype(np.float64)
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        return Opinion(np.argsort(-chances, kind="stable"), chances, float(self.seen[buckets].mean()))


def features(text: str) -> tuple[Index, Floats]:
    """The buckets of a text's n-grams, each once, and their values: windows of bytes and words weigh the same."""
    plain = _SPACE.sub(" ", text.casefold()).strip()
    data = f" {plain} ".encode("utf-8", "surrogatepass")[:_MOST]
    windows = np.ndarray((len(data),), dtype="<u8", buffer=data + b"\0" * 8, strides=(1,)).astype(np.uint64)
    met = np.zeros(2 * BUCKETS, dtype=np.bool_)  # marking and collecting sorts and drops repeats, faster than a sort
    for width in _WIDTHS:
        mask = np.uint64((1 << (8 * width)) - 1)
        hashed = ((windows[: max(1, len(data) - width + 1)] & mask) + np.uint64(width)) * _SPREAD
        met[hashed >> np.uint64(64 - 15)] = True
    said = _WORD.findall(plain[:_MOST])
    single = [word.encode("utf-8", "surrogatepass") for word in said]
    hashes = [zlib.crc32(word) for word in (*single, *(b"%b %b" % pair for pair in pairwise(single)))]
    met[np.array(hashes, dtype=np.int64) % BUCKETS + BUCKETS] = True
    found = np.flatnonzero(met)
    windows_met = int(np.searchsorted(found, BUCKETS))
    values = np.empty(len(found), np.float32)
    values[:windows_met] = (2 * max(1, windows_met)) ** -0.5
    values[windows_met:] = (2 * max(1, len(found) - windows_met)) ** -0.5
    return found, values


def task_of(system: Sequence[str]) -> str:
    """How a head knows its task: the hash of the system prompts, 32 hex digits."""
    return hashlib.blake2b("\0".join(system).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def asked(said: Sequence[str]) -> str:
    """What a head reads of a conversation: all turns but the system's, in order."""
    return "\n".join(said)


def save(folder: Path, card: Mapping[str, Any], weights: Floats, bias: Floats, seen: npt.NDArray[np.bool_]) -> str:
    """Write ``nano.npz`` and ``nano.json``; gives back the SHA-256 of the card, 64 hex digits.

    Args:
        folder: where; it is there.
        card: all of ``Card`` but the digest.
        weights: as in ``Head``.
        bias: as in ``Head``.
        seen: as in ``Head``.
    """
    arrays = folder / "nano.npz"
    np.savez(arrays, weights=weights.astype(np.float32), bias=bias.astype(np.float32), seen=seen)
    whole = msgspec.convert({**card, "sha256": _sha256(arrays.read_bytes())}, Card)
    data = msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"
    (folder / "nano.json").write_bytes(data)
    return _sha256(data)


def load(path: Path, sha256: str | None = None) -> Head:
    """Read the head whose card is at ``path``.

    Raises:
        HeadError: a file is missing, changed or damaged.
    """
    try:
        data = path.read_bytes()
        if sha256 is not None and _sha256(data) != sha256:
            raise HeadError(f"{path} has the SHA-256 {_sha256(data)}, not {sha256}")
        card = msgspec.json.decode(data, type=Card)
        arrays = path.with_name("nano.npz")
        if _sha256(arrays.read_bytes()) != card.sha256:
            raise HeadError(f"{arrays} is not the file that its card names (SHA-256 {card.sha256})")
        with np.load(arrays, allow_pickle=False) as file:
            head = Head(card, file["weights"], file["bias"], file["seen"])
    except OSError as error:
        raise HeadError(f"{error.filename or path}: {error.strerror}") from None
    except (msgspec.DecodeError, zipfile.BadZipFile, KeyError) as error:
        raise HeadError(f"{path}: {error}") from None
    if head.weights.shape != (2 * BUCKETS, len(card.labels)) or head.bias.shape != (len(card.labels),):
        raise HeadError(f"{path}: the arrays do not fit the card's {len(card.labels)} labels")
    return head


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
