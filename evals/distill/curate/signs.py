"""What is kept of a text so that a million of them can be compared: a MinHash signature, and the words' buckets.

Signatures: Broder, "On the resemblance and containment of documents", 1997. A text's shingles are the windows of eight
bytes of its folded form; the share of places in which two signatures agree estimates the share of shingles that the
texts have in common (Jaccard's index), with a standard error of sqrt(J (1 - J) / 32), .07 at J = .8.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any, Final
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from evals.distill.example import Message

PLACES: Final = 32
BUCKETS: Final = 1 << 15
_WIDTH: Final = 8  # bytes in a shingle
_MOST: Final = 8192  # bytes that a signature reads of a text: its beginning tells it from others
_KNOWN: Final = 1 << 16  # words whose buckets are remembered
_NO_WORD: Final = -1
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MARKS = re.compile(r"[\W_]+")
# Letters as they are, all else a blank: a word is found by splitting.
_LETTERS: Final = bytes(code if code < 128 and chr(code).isalpha() else 32 for code in range(256))
_NO_LETTERS: Final = bytes(code for code in range(128) if not chr(code).isalnum())
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_rng = np.random.default_rng(20261125)
_FACTORS: Final = _rng.integers(0, 2**31, (PLACES, 1), dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_OFFSETS: Final = _rng.integers(0, 2**32, (PLACES, 1), dtype=np.uint32)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

Signs = npt.NDArray[np.uint32]


def folded(messages: Sequence[Message]) -> str:
    """What two prompts are compared by: all but the system prompt, which many share.

    Case, spaces, figures, the forms of one character and characters that are not seen are folded away.
    """
    said = "\n".join(m.content for m in messages if m.role not in {"system", "developer"})
    if not said.isascii():
        said = _UNSEEN.sub("", said)
        # folding the case can leave a form that is not the normal one, and the normal one can have a case
        said = normalize("NFKC", normalize("NFKC", said).casefold())
    return _DIGITS.sub("0", " ".join(said.casefold().split()))


def bare(text: str) -> str:
    """A folded text's letters and figures alone, so that neither spacing nor punctuation tells two texts apart."""
    if text.isascii():
        return text.encode().translate(None, _NO_LETTERS).decode() or text
    return _MARKS.sub("", text) or text


def shingles(text: str, most: int | None = _MOST) -> npt.NDArray[np.uint64]:
    """The windows of a folded text, each as one number; at least one. ``most``: bytes that are read, None for all."""
    data = text.encode("utf-8", "surrogatepass")[:most].ljust(_WIDTH, b"\0")
    return np.ndarray((len(data) - _WIDTH + 1,), dtype="<u8", buffer=data, strides=(1,)).astype(np.uint64)


def signature(text: str) -> Signs:
    """(32,) the smallest value of the shingles under each of 32 hashes."""
    # multiply and take the high half: a hash of the family of Dietzfelbinger et al. (J. Algorithms 25, 1997)
    windows = shingles(text)
    windows *= _SPREAD
    values = windows.view("<u4")[1::2].astype(np.uint32)
    hashed = values * _FACTORS
    hashed += _OFFSETS
    found: Signs = hashed.min(axis=1)
    return found


class Words:
    """Finds the buckets of a text's words; a word's bucket is remembered, for the same words come again and again."""

    def __init__(self) -> None:
        self._ascii = _Buckets()
        self._others = _Buckets()

    def __call__(self, text: str) -> npt.NDArray[np.uint16]:
        """The buckets of a folded text's words, each once, in order. A word has two letters or more."""
        head = text[:_MOST]
        if head.isascii():
            found = set(map(self._ascii.__getitem__, head.encode().translate(_LETTERS).split()))
        else:
            found = set(map(self._others.__getitem__, _WORD.findall(head)))
        found.discard(_NO_WORD)
        return np.fromiter(sorted(found), np.uint16, len(found))


class _Buckets(dict[Any, int]):
    """Word -> bucket, worked out when it is first asked for. One letter is no word."""

    def __missing__(self, word: str | bytes) -> int:
        if len(word) < 2:
            return _NO_WORD
        data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogatepass")
        bucket = zlib.crc32(data) % BUCKETS
        if len(self) < _KNOWN:
            self[word] = bucket
        return bucket
