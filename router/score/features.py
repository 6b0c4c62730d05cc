"""The numbers the scorer reads off a prompt: one implementation, for training and for serving.

A prompt becomes two things. *Grams*: words and pairs of neighbouring words, hashed into one shared
table of ``2**BITS`` buckets. *Structure*: a short vector of counts and shares
(length, digits, operators, option lines, scripts ...). Everything is a handful of numpy passes over
the code points, so the cost grows gently with the text and is bounded by ``HEAD + TAIL`` characters.

Prompts are short, so what counts is how many numpy calls are made: arrays' own methods are used rather
than numpy's wrappers around them.

Hashing is polynomial over code points, modulo 2**64: the hash of any run comes from a difference of
prefix sums times an inverse power (Karp and Rabin, 1987), hence words need no Python loop. Nothing
depends on the process, the platform's byte order or ``hash()``.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from router.score.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FEATURES_VERSION: Final = 2
BITS: Final = 16
HEAD: Final = 2048
TAIL: Final = 2048

# Odd constants: an odd base has an inverse modulo 2**64.
_BASE: Final = 0x9E3779B97F4A7C15
_MIX: Final = 0xD6E8FEB86659FD93
_PAIR: Final = (0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
_WORD_MASK: Final = (1 << 64) - 1
_BMP: Final = 0x10000

_SHORT_LINE: Final = 41
_UTF32: Final = np.dtype("<u4")
_LONG_WORD: Final = 8
_RUN: Final = re.compile(rb"\S+")
_LINE_BREAK: Final = re.compile("[\n\u2028\u2029\x85]")
_BLANKS: Final = frozenset(" \t\r\v\f\u00a0\u3000")
_ZERO: Final = ord("0")
_DIGITS: Final = frozenset("0123456789")
_BULLETS: Final = frozenset("-*0123456789")
_OPTION_LETTERS: Final = frozenset("abcdefghijABCDEFGHIJ")

# Character classes. The first five make words.
_LOWER, _UPPER, _DIGIT, _HANGUL, _LETTER = range(5)
_SPACE, _NEWLINE, _OPERATOR, _MATH, _OPEN, _CLOSE, _QUOTE, _COMMA, _STOP, _COLON = range(5, 15)
_QUESTION, _CODE, _BAR, _OTHER = range(15, 19)
_CLASSES: Final = 19


def _class_table() -> NDArray[np.uint8]:
    """Class of every code point of the basic plane; everything above it reads as U+FFFF."""
    table = np.full(_BMP, _LETTER, dtype=np.uint8)
    for first, last in ((0x00, 0xBF), (0x2000, 0x2BFF), (0x3000, 0x303F), (0xD800, 0xF8FF), (0xFE00, 0xFF0F)):
        table[first : last + 1] = _OTHER
    table[0xFFF0:] = _OTHER
    for first, last in ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3)):
        table[first : last + 1] = _HANGUL
    for first, last in ((0x41, 0x5A), (0xC0, 0xDE), (0x391, 0x3A9), (0x410, 0x42F)):
        table[first : last + 1] = _UPPER
    table[0x61:0x7B] = _LOWER
    table[0x30:0x3A] = _DIGIT
    table[0x2200:0x2300] = _MATH
    for symbols, kind in (
        (" \t\r\v\f\u00a0\u3000", _SPACE),
        ("\n\u2028\u2029\x85", _NEWLINE),
        ("+-*/=<>%", _OPERATOR),
        ("\\^$_\u00d7\u00f7\u00b1", _MATH),
        ("([{", _OPEN),
        (")]}", _CLOSE),
        ("\"'\u2018\u2019\u201c\u201d", _QUOTE),
        (",\u3001", _COMMA),
        (".!\u3002", _STOP),
        (":", _COLON),
        ("?\uff1f", _QUESTION),
        ("`;#&@~", _CODE),
        ("|", _BAR),
    ):
        for symbol in symbols:
            table[ord(symbol)] = kind
    return table


def _fold_table(classes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """What is hashed for a code point: lower case, one digit for all, nothing for what makes no word."""
    table = np.arange(_BMP, dtype=np.uint64)
    table[classes == _UPPER] += 32
    table[classes == _DIGIT] = ord("0")
    table[classes >= _SPACE] = 0
    return table


def _byte_table(signs: Mapping[int, str]) -> bytes:
    """Class -> its sign; a blank for classes that have none."""
    table = bytearray(b" " * 256)
    for kind, sign in signs.items():
        table[kind] = ord(sign)
    return bytes(table)


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    values = [1]
    for _ in range(count - 1):
        values.append(values[-1] * base & _WORD_MASK)
    return np.array(values, dtype=np.uint64)


_LONGEST: Final = HEAD + TAIL + 3
_CLASS: Final = _class_table()
_FOLD: Final = _fold_table(_CLASS)
_POWER: Final = _powers(_BASE, _LONGEST)
_INVERSE: Final = _powers(pow(_BASE, -1, 1 << 64), _LONGEST)
# Arrays without dimensions: numpy would make one of a number at every use.
_MIXER: Final = np.array(_MIX, dtype=np.uint64)
_FIRST, _SECOND = (np.array(k, dtype=np.uint64) for k in _PAIR)
_SHIFT: Final = np.array(64 - BITS, dtype=np.uint64)
_FOLD_HALF: Final = np.array(29, dtype=np.uint64)
# The same tables for bytes: those are told apart without an index for every character.
_ASCII_CLASS: Final = _CLASS[:256].tobytes()
_IS_WORD: Final = bytes(kind < _SPACE for kind in range(256))
_AS_WORDS: Final = _byte_table({_LOWER: "a", _UPPER: "a", _DIGIT: "0", _HANGUL: "a", _LETTER: "a"})
_AS_NUMBERS: Final = _byte_table({_DIGIT: "0"})

#: Name and explanation group of each structural number, in order.
STRUCTURE: Final[tuple[tuple[str, str], ...]] = (
    ("characters", "length"),
    ("words", "length"),
    ("lines", "length"),
    ("word_length", "words"),
    ("longest_word", "words"),
    ("long_words", "words"),
    ("short_words", "words"),
    ("repetition", "words"),
    ("digit_share", "numbers"),
    ("numbers", "numbers"),
    ("longest_number", "numbers"),
    ("operator_share", "math"),
    ("math_share", "math"),
    ("math_symbols", "math"),
    ("equals", "math"),
    ("variables", "math"),
    ("bracket_share", "code"),
    ("code_share", "code"),
    ("indented_lines", "code"),
    ("fences", "code"),
    ("bars", "code"),
    ("option_lines", "options"),
    ("option_length", "options"),
    ("number_options", "options"),
    ("question_length", "length"),
    ("longest_line", "length"),
    ("bullet_lines", "options"),
    ("short_lines", "options"),
    ("question_marks", "questions"),
    ("blanks", "questions"),
    ("stops", "questions"),
    ("commas", "questions"),
    ("quotes", "questions"),
    ("colons", "questions"),
    ("hangul_share", "language"),
    ("other_script_share", "language"),
)


class Reading(NamedTuple):
    """What was read off one prompt.

    Attributes:
        grams: bucket of each gram in the shared table: the words in order, then the pairs.
        sizes: how many words and how many pairs.
        structure: the numbers named by ``STRUCTURE``.
    """

    grams: NDArray[np.int64]
    sizes: tuple[int, int]
    structure: NDArray[np.float32]


def read(text: str) -> Reading:
    """Read a prompt. Any ``str`` is fine: empty, huge, emoji, lone surrogates."""
    window = text if len(text) <= HEAD + TAIL else text[:HEAD] + "\n" + text[-TAIL:]
    kept = canonical(window)[: HEAD + TAIL]  # a compatibility form may have grown
    length = len(text) - len(window) + len(kept)
    # The frame of newlines makes every word have two edges and every array have members.
    framed = f"\n{kept}\n"
    points, classes = _classed(framed)
    grams, sizes = _grams(points, _starts(classes))
    different = len(set(grams[: sizes[0]].tolist()))  # a set of a few words is quicker than sorting them
    return Reading(grams, sizes, _structure(framed, length, classes, different))


def _classed(text: str) -> tuple[NDArray[np.uint8 | np.uint32], bytes]:
    """The code points, all above the basic plane as U+FFFF, and their classes, one byte each."""
    if text.isascii():
        raw = text.encode("ascii")
        return np.frombuffer(raw, dtype=np.uint8), raw.translate(_ASCII_CLASS)
    points = np.minimum(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=_UTF32), _BMP - 1)
    return points, _CLASS.take(points).tobytes()


def _starts(classes: bytes) -> NDArray[np.int64]:
    """Indices just before each start of a word."""
    inside = np.frombuffer(classes.translate(_IS_WORD), dtype=np.bool_)
    begins: NDArray[np.bool_] = inside[1:] > inside[:-1]
    return begins.nonzero()[0]


def _grams(
    points: NDArray[np.uint8 | np.uint32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    folded = _FOLD.take(points)
    folded *= _POWER[: len(folded)]
    words = np.add.reduceat(folded, starts)  # what lies between words adds nothing
    words *= _INVERSE.take(starts)
    pairs = words[:-1] * _FIRST + words[1:] * _SECOND
    raw = np.concatenate([words, pairs])
    raw ^= raw >> _FOLD_HALF
    raw *= _MIXER
    raw >>= _SHIFT
    return raw.view(np.int64), (len(words), len(pairs))


def _structure(framed: str, length: int, classes: bytes, different: int) -> NDArray[np.float32]:
    count = np.bincount(np.frombuffer(classes, dtype=np.uint8), minlength=_CLASSES).tolist()
    size = len(classes)
    parts = classes.translate(_AS_WORDS).split()
    word_count = len(parts)
    letters = sum(count[:_SPACE])
    numbers, longest = _numbers(classes) if count[_DIGIT] else (0, 0)
    words = _words(parts, numbered=numbers > 0)
    lines = _lines(framed)
    log = math.log1p
    return np.array(
        (
            log(length),
            log(word_count),
            log(count[_NEWLINE] - 2),
            letters / (word_count + 1),
            log(words.longest),
            words.long / (word_count + 1),
            words.short / (word_count + 1),
            1.0 - (different + 1) / (word_count + 1),
            count[_DIGIT] / size,
            log(numbers),
            log(longest),
            count[_OPERATOR] / size,
            count[_MATH] / size,
            log(count[_MATH]),
            log(framed.count("=")),
            log(words.single),
            (count[_OPEN] + count[_CLOSE]) / size,
            count[_CODE] / size,
            log(lines.indented),
            log(framed.count("```")),
            log(count[_BAR]),
            log(lines.options),
            log(lines.option_width),
            log(lines.number_options),
            log(lines.before_options),
            log(lines.longest),
            log(lines.bullets),
            log(lines.short),
            log(count[_QUESTION]),
            log(framed.count("__")),
            log(count[_STOP]),
            count[_COMMA] / size,
            count[_QUOTE] / size,
            log(count[_COLON]),
            count[_HANGUL] / (letters + 1),
            count[_LETTER] / (letters + 1),
        ),
        dtype=np.float32,
    )


class _Words(NamedTuple):
    """The longest word, and how many are long, short (articles, pronouns ...) or one letter alone."""

    longest: int
    long: int
    short: int
    single: int


def _words(parts: list[bytes], *, numbered: bool) -> _Words:
    """What words look like that begin with no digit; ``numbered``: whether the text has digits at all."""
    sizes = sorted([len(part) for part in parts if part[0] != _ZERO] if numbered else map(len, parts))
    if not sizes:
        return _Words(0, 0, 0, 0)
    single, short, long = (bisect_left(sizes, least) for least in (2, 4, _LONG_WORD))
    return _Words(sizes[-1], len(sizes) - long, short - single, single)


def _numbers(classes: bytes) -> tuple[int, int]:
    """How many runs of digits there are, and the longest; there is at least one digit."""
    runs = classes.translate(_AS_NUMBERS).split()
    return len(runs), len(max(runs, key=len))


def spelled(text: str) -> list[str]:
    """The grams of ``read(text)`` as they are written, in the same order; for people only."""
    kept = canonical(text if len(text) <= HEAD + TAIL else text[:HEAD] + "\n" + text[-TAIL:])[: HEAD + TAIL]
    classes = _classed(f"\n{kept}\n")[1].translate(_AS_WORDS)
    words = [kept[run.start() - 1 : run.end() - 1] for run in _RUN.finditer(classes)]
    return [*words, *(f"{one} {two}" for one, two in itertools.pairwise(words))]


class _Lines(NamedTuple):
    """What lines look like.

    Attributes:
        options, bullets, indented, short: how many lines of that look.
        option_width: mean characters of an option line.
        number_options: options that begin with a number.
        before_options: characters before the first option; all of them without options.
        longest: characters of the longest line.
    """

    options: int
    bullets: int
    indented: int
    short: int
    option_width: float
    number_options: int
    before_options: int
    longest: int


def _lines(framed: str) -> _Lines:
    # A loop over lines: a prompt has few, and a dozen numpy calls cost more than most of them.
    kept = framed[1:-1]
    options = bullets = indented = short = number_options = longest = option_widths = 0
    before_options, start = len(kept), 1
    for line in kept.split("\n") if framed.isascii() else _LINE_BREAK.split(kept):
        size = len(line)
        longest = max(longest, size)
        if size:
            short += size < _SHORT_LINE
            first, second = line[0], framed[start + 1]
            marked = second in ".)"
            if marked and first in _OPTION_LETTERS:
                if not options:
                    before_options = start - 1
                options += 1
                option_widths += size + 1
                number_options += framed[min(start + 3, len(framed) - 1)] in _DIGITS
            elif first in _BULLETS and (marked or second in _BLANKS):
                bullets += 1
            elif first in _BLANKS:
                indented += 1
        start += size + 1
    return _Lines(
        options=options,
        bullets=bullets,
        indented=indented,
        short=short,
        option_width=option_widths / options if options else 0.0,
        number_options=number_options,
        before_options=before_options,
        longest=longest,
    )
