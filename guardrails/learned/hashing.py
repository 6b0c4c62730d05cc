"""Which features a text has: the n-grams of its characters, words and jamo, each as a place in a table of weights.

There is no vocabulary: an n-gram's place is a hash of its letters. A text is hashed once for all tables. All is
done on whole arrays, so a thousand tokens take a fraction of a millisecond.

An n-gram of characters lies within a word and the gaps around it ("char_wb" elsewhere). N-grams never reach over
the edge of a window, so what is known of a window does not depend on its neighbours, and what is known of
several windows together is the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from guardrails.learned.letters import SPACE, codes, in_word, is_hangul, jamo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Places in a table of weights, as a power of two. One more place, the last, stands for "no n-gram here".
BITS: Final = 18
PLACES: Final = 1 << BITS
NOWHERE: Final = PLACES
#: What is counted apart, and so has its own length: characters, words, jamo.
PARTS: Final = 3
_CHARACTERS, _WORDS, _JAMO = range(PARTS)
CHARACTER_LENGTHS: Final = (2, 3, 4, 5)
JAMO_LENGTHS: Final = (3, 4, 5, 6)
#: Longest array that is worked on at once, in letters; windows are shorter by far.
BATCH: Final = 1 << 14

_BASE: Final = np.uint32(0x01000193)
_INVERSE: Final = np.uint32(pow(0x01000193, -1, 1 << 32))
_MIX: Final = np.uint32(0x9E3779B1)
_SHIFT: Final = np.uint32(32 - BITS)
_SECOND_WORD: Final = np.uint32(0x85EBCA6B)
#: One salt for each kind of n-gram, so that "ab" as a word is not "ab" as two letters.
_WORD_SALT, _PAIR_SALT, _LETTER_SALT, _JAMO_SALT = (np.uint32(s) for s in (0x1B873593, 0xCC9E2D51, 7, 0x52DCE729))


@dataclass(frozen=True, slots=True)
class Block:
    """N-grams of one part.

    Attributes:
        part: which of ``PARTS``.
        places: (kinds, positions) places in the table, ``NOWHERE`` where a position has no such n-gram.
        bounds: (windows + 1) which positions belong to which window.
        counts: (windows) how many n-grams each window has.
    """

    part: int
    places: NDArray[np.int32]
    bounds: NDArray[np.intp]
    counts: NDArray[np.int64]


def blocks(text: str, starts: Sequence[int], end: int) -> list[Block]:
    """The n-grams of windows that lie side by side.

    Args:
        text: normalised.
        starts: where each window begins.
        end: where the last one ends; at most ``BATCH`` after the first one's start.
    """
    windows = len(starts)
    edges = [*starts, end]
    # A gap at every edge, so that no n-gram reaches over it.
    spaced = " ".join(["", *(text[begin:stop] for begin, stop in pairwise(edges)), ""])
    letters = codes(spaced)
    sizes = np.array([stop - begin + 1 for begin, stop in pairwise(edges)])
    sizes[-1] += 1
    stream, owners = _single_spaced(letters, np.repeat(np.arange(windows, dtype=np.int32), sizes))
    found = [
        _grams(stream, owners, windows, CHARACTER_LENGTHS, _CHARACTERS, _LETTER_SALT),
        _words(stream, owners, windows),
    ]
    if not spaced.isascii() and is_hangul(stream).any():
        apart, origin = jamo(stream)
        parts, owners = _single_spaced(apart, owners[origin])
        found.append(_grams(parts, owners, windows, JAMO_LENGTHS, _JAMO, _JAMO_SALT))
    return found


def _single_spaced(
    stream: NDArray[np.uint32], owners: NDArray[np.signedinteger[Any]]
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Without the gaps that follow a gap. A gap before a word is that word's, wherever it was found."""
    gap = stream == SPACE
    again = gap[1:] & gap[:-1]
    if again.any():
        keep = np.flatnonzero(np.concatenate(([True], ~again)))
        stream, owners, gap = stream[keep], owners[keep], gap[keep]
    at = np.flatnonzero(gap[:-1])
    owners[at] = owners[at + 1]
    return stream, owners


def _grams(
    stream: NDArray[np.uint32],
    owners: NDArray[np.signedinteger[Any]],
    windows: int,
    lengths: tuple[int, ...],
    part: int,
    salt: np.uint32,
) -> Block:
    """The n-grams of every place of ``stream``: no gap but at their ends."""
    size = len(stream)
    gap = stream == SPACE
    hashed = np.zeros((len(lengths), size), dtype=np.uint32)
    good = np.zeros((len(lengths), size), dtype=bool)
    rolling = stream + salt
    whole = np.ones(size, dtype=bool)
    for length in range(2, min(lengths[-1], size) + 1):
        rolling = rolling[:-1] * _BASE
        rolling += stream[length - 1 :]
        whole = whole[:-1]
        if length > 2:
            whole = whole & ~gap[length - 2 : size - 1]
        if length >= lengths[0]:
            row = length - lengths[0]
            hashed[row, : len(rolling)] = rolling
            good[row, : len(rolling)] = whole
    bounds = _bounds(owners, windows)
    places = np.where(good, _place(hashed), NOWHERE)
    return Block(part, places, bounds, _sums(good.sum(axis=0), bounds))


def _words(stream: NDArray[np.uint32], owners: NDArray[np.signedinteger[Any]], windows: int) -> Block:
    """Each word, and each two words in a row."""
    wordy = in_word(stream)
    change = np.flatnonzero(wordy[1:] != wordy[:-1]) + 1  # the first and the last place are spaces
    begins, ends = change[::2], change[1::2]
    whose = owners[begins]
    powers, inverses = _powers()
    size = len(stream)
    prefix = np.zeros(size + 1, dtype=np.uint32)
    np.cumsum((stream + _WORD_SALT) * powers[:size], out=prefix[1:], dtype=np.uint32)
    word = (prefix[ends] - prefix[begins]) * inverses[begins]
    places = np.full((2, len(begins)), NOWHERE, dtype=np.int32)
    places[0] = _place(word)
    counts = np.ones(len(begins), dtype=np.int64)
    if len(begins) > 1:
        pair = word[:-1] * _SECOND_WORD + word[1:] + _PAIR_SALT
        near = whose[1:] == whose[:-1]
        places[1, :-1] = np.where(near, _place(pair), NOWHERE)
        counts[:-1] += near
    bounds = _bounds(whose, windows)
    return Block(_WORDS, places, bounds, _sums(counts, bounds))


def _place(hashed: NDArray[np.uint32]) -> NDArray[np.int32]:
    """A hash's place in a table: its high bits, once stirred."""
    stirred = hashed >> np.uint32(15)
    stirred ^= hashed
    stirred *= _MIX
    stirred ^= stirred >> np.uint32(13)
    stirred *= _MIX
    stirred >>= _SHIFT
    return stirred.view(np.int32)


def _bounds(owners: NDArray[np.signedinteger[Any]], windows: int) -> NDArray[np.intp]:
    """Where each window's positions begin, and where the last one's end."""
    return owners.searchsorted(np.arange(windows + 1, dtype=np.int32))


def _sums(values: NDArray[np.int64], bounds: NDArray[np.intp]) -> NDArray[np.int64]:
    """Sum of each window's positions; exact, so the same however the text was cut."""
    running = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=running[1:])
    return running[bounds[1:]] - running[bounds[:-1]]


@lru_cache(maxsize=1)
def _powers() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Powers of the base and of its inverse (modulo 2^32), for every place of a batch with its added spaces."""
    room = 4 * BATCH
    powers = np.ones(room, dtype=np.uint32)
    inverses = np.ones(room, dtype=np.uint32)
    powers[1:] = np.multiply.accumulate(np.full(room - 1, _BASE, dtype=np.uint32))
    inverses[1:] = np.multiply.accumulate(np.full(room - 1, _INVERSE, dtype=np.uint32))
    return powers, inverses


def add_up(by_place: NDArray[np.int8], found: Sequence[Block], windows: int) -> NDArray[np.int64]:
    """(windows, parts, heads) sums of the weights in ``by_place`` ((PLACES + 1, heads), the last row 0)."""
    heads = by_place.shape[1]
    sums = np.zeros((windows, PARTS, heads), dtype=np.int64)
    for block in found:
        weights = by_place.take(block.places, axis=0).sum(axis=0, dtype=np.int64)
        running = np.zeros((len(weights) + 1, heads), dtype=np.int64)
        np.cumsum(weights, axis=0, out=running[1:])
        sums[:, block.part] = running[block.bounds[1:]] - running[block.bounds[:-1]]
    return sums


def lengths(found: Sequence[Block], windows: int) -> NDArray[np.int64]:
    """(windows, parts) how many n-grams each window has."""
    counts = np.zeros((windows, PARTS), dtype=np.int64)
    for block in found:
        counts[:, block.part] = block.counts
    return counts
