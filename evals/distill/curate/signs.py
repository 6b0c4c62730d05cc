"""What is kept of a text so that a million of them can be compared: a MinHash signature, and the words' buckets.

Signatures: Broder, "On the resemblance and containment of documents", 1997. A text's shingles are the windows of eight
bytes of its folded form; the share of places in which two signatures agree estimates the share of shingles that the
texts have in common (Jaccard's index), with a standard error of sqrt(J (1 - J) / 32), .07 at J = .8.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from evals.distill.example import Message

PLACES: Final = 32
BUCKETS: Final = 1 << 15
_WIDTH: Final = 8  # bytes in a shingle
_MOST: Final = 8192  # bytes that are read of a text: its beginning tells it from others
_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_rng = np.random.default_rng(20261125)
_FACTORS: Final = _rng.integers(0, 2**31, (PLACES, 1), dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_OFFSETS: Final = _rng.integers(0, 2**32, (PLACES, 1), dtype=np.uint32)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

Signs = npt.NDArray[np.uint32]


def folded(messages: Sequence[Message]) -> str:
    """What two prompts are compared by: all but the system prompt, which many share; case, spaces and figures apart."""
    said = "\n".join(m.content for m in messages if m.role not in {"system", "developer"})
    return _DIGITS.sub("0", _SPACE.sub(" ", said.casefold()).strip())


def shingles(text: str) -> npt.NDArray[np.uint64]:
    """The windows of a folded text, each as one number; at least one."""
    data = text.encode("utf-8", "surrogatepass")[:_MOST].ljust(_WIDTH, b"\0")
    return np.ndarray((len(data) - _WIDTH + 1,), dtype="<u8", buffer=data, strides=(1,)).astype(np.uint64)


def signature(text: str) -> Signs:
    """(32,) the smallest value of the shingles under each of 32 hashes."""
    # multiply and take the high half: a hash of the family of Dietzfelbinger et al. (J. Algorithms 25, 1997)
    values = ((shingles(text) * _SPREAD) >> np.uint64(32)).astype(np.uint32)
    found: Signs = (values * _FACTORS + _OFFSETS).min(axis=1)
    return found


def jaccard(one: str, other: str) -> float:
    """The share of shingles that two folded texts have in common, exactly."""
    a, b = np.unique(shingles(one)), np.unique(shingles(other))
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)


def words(text: str) -> npt.NDArray[np.uint16]:
    """The buckets of a folded text's words, each once, in order."""
    seen = set(_WORD.findall(text[:_MOST]))
    found = {zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS for word in seen}
    return np.array(sorted(found), dtype=np.uint16)
