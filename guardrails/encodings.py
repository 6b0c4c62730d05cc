r"""Texts inside a text: written in base64 or hexadecimal, escaped, or cut up by markup.

Two kinds of run, each found without looking at anything but its own characters, so that a stream finds the same:

* ``inline``: a word with escapes or marks in it (``s%65cret``, ``&#115;ecret``, ``\u0073ecret``, ``se<b></b>cret``);
* ``packed``: a stretch of base64 or hexadecimal that reads as text. Base64 is read at all four alignments, so it
  does not matter what stands before it, and what does not read as text (a picture, a hash, an identifier) is passed
  by at once, however long it is. A stretch longer than ``WINDOW`` is read in windows that overlap.
"""

from __future__ import annotations

import binascii
import html
import re
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import re2


class Run(NamedTuple):
    """Where a text is written in another form, and what it says.

    Attributes:
        form: ``base64``, ``hex``, ``percent``, ``entities``, ``escapes``, ``markup``, ``emphasis`` or ``tags``.
        written: what is in plain sight there; empty where that reads as nothing.
    """

    start: int
    end: int
    said: str
    form: str
    written: str = ""


# --- escapes and markup inside a word -------------------------------------------------------------------

_TAG: Final = r"<!--[^<>]{0,96}-->|</?[A-Za-z][^<>]{0,96}>"
_TOKEN: Final = (
    rf"(?P<markup>{_TAG})|(?P<entities>&(?:\#[0-9]{{1,7}}|\#[xX][0-9A-Fa-f]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,30}});)"
    r"|(?P<escapes>\\(?:u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|x[0-9A-Fa-f]{2}))|(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<emphasis>(?<=\w)(?:\*{1,3}|__|~~|`{1,3})(?=\w))"
)
#: What tokens begin with: found first, because the search for any of the tokens is slow.
_HEAD: Final = re.compile(r"[<&\\%*~`]|__")
# What ends a word. An "=" or "&" parts the values of an address, quotes and brackets those of a program.
_STOP: Final = "\\s\"'(){}\\[\\],;=&<>|。，、！？…"
_INLINE: Final = re.compile(_TOKEN)
_REST: Final = re.compile(rf"(?:{re.sub(r'[(][?]P<[a-z]+>', '(?:', _TOKEN)}|[^{_STOP}])*+")
_WORD: Final = re.compile(rf"[^{_STOP}]*+")
# The end of a text that may become a token.
_BEGUN: Final = re.compile(
    r"(?:<[/!A-Za-z][^<>]{0,98}|<|&[\#A-Za-z0-9]{0,31}|%[0-9A-Fa-f]?|\\(?:[ux][{0-9A-Fa-f]{0,8})?|[*_~`]+)\Z"
)
_SIGN: Final = re.compile(r"[<&%\\*_~`]")
BEFORE: Final = 48  # characters of a word before its first token
INLINE_MAX: Final = 512
_TOKEN_MAX: Final = 104

# --- base64 and hexadecimal -----------------------------------------------------------------------------

_PACKED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_PACKED_CHARS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_HEX: Final = re.compile(r"[0-9A-Fa-f]{16,}")
_HEX_CHARS: Final = "0123456789ABCDEFabcdef"
_STANDARD: Final = str.maketrans("-_", "+/")
_CHAR: Final = rb"(?:[\t\n\r -~]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
_TEXT: Final = re.compile(_CHAR + rb"{8,}")
_SOME_TEXT: Final = re.compile(_CHAR + rb"+(?:[\xc2-\xf4][\x80-\xbf]{0,2}\Z)?|[\xc2-\xf4][\x80-\xbf]{0,2}\Z")
_SHORT: Final = 16
WINDOW: Final = 2048  # characters of one window
_OVERLAP: Final = 512

# Whether a text is worth a closer look; no text without a match holds a run of any form.
_GATE: Final = re2.compile(r"[A-Za-z0-9+/_-]{16}|%[0-9A-Fa-f]{2}|&[#A-Za-z]|\\[ux]|<[/!A-Za-z]|\*|__|~~|`")


# The same in two steps that cost half: most texts hold none of the marks, and then only a long run is left to look for.
_MARKS: Final = re.compile(r"[%&\\<*~`]|__")
_LONG: Final = b"A" * 16
_SHAPE: Final = bytes(
    ord("A") if (chr(code).isalnum() and code < 128) or chr(code) in "+/_-" else ord(" ") for code in range(256)
)


def may_hold_runs(text: str) -> bool:
    """A quick look; no run is found where it says no."""
    if _MARKS.search(text) is not None:
        return _GATE.search(text) is not None
    return _LONG in text.encode("ascii", "replace").translate(_SHAPE)


def inline(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Words with tokens in them from ``start`` on, in order, without overlaps."""
    at = start
    while (head := _HEAD.search(text, at)) is not None:
        token = _INLINE.match(text, head.start())
        if token is None:
            at = head.end() if head.group() != "__" else head.start() + 1
            continue
        begin = _word_start(text, max(start, token.start() - BEFORE), token.start())
        rest = _REST.match(text, token.start(), begin + INLINE_MAX)
        end = max(rest.end() if rest else 0, token.end())
        yield begin, end
        at = start = end


def inline_live(text: str) -> tuple[int, int]:
    """Where the word begins that further text may give a token, and where what may become one begins."""
    size = len(text)
    until = size
    if _SIGN.search(text, size - _TOKEN_MAX if size > _TOKEN_MAX else 0) is not None:
        begun = _BEGUN.search(text, max(0, size - _TOKEN_MAX))
        until = begun.start() if begun else size
    return _word_start(text, max(0, until - BEFORE), until), until


def _word_start(text: str, least: int, end: int) -> int:
    """Where the word that reaches ``end`` begins, not before ``least``."""
    word = _WORD.match(text[least:end][::-1])
    return end - (word.end() if word else 0)


def unescaped(word: str) -> tuple[str, str]:
    """A word without its escapes and marks, and the form of the first of them."""
    token = _INLINE.search(word)
    form = (token.lastgroup or "") if token else ""
    said = re.sub(rf"{_TAG}|\*+|__|~~|`+", "", word)
    if "&" in said:
        said = html.unescape(said)
    if "\\" in said:
        said = _ESCAPE.sub(_escape, said)
    if "%" in said:
        said = _PERCENT.sub(lambda run: bytes.fromhex(run.group().replace("%", "")).decode(errors="replace"), said)
    return said, form


_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def _escape(match: re.Match[str]) -> str:
    code = int(match[match.lastindex or 0], 16)
    return chr(code) if code < 0x110000 else "\ufffd"


class Lane(NamedTuple):
    """One alignment of one packed form: ``per`` characters say ``gives`` bytes."""

    form: str
    offset: int
    per: int
    gives: int


LANES: Final = (*(Lane("base64", at, 4, 3) for at in range(4)), *(Lane("hex", at, 2, 1) for at in range(2)))


def packed_spans(text: str, start: int) -> list[tuple[int, int]]:
    """The runs, long enough for any lane, that reach beyond ``start``."""
    return [found.span() for found in _PACKED.finditer(text, max(0, start - _SHORT))]


def packed_tail(text: str) -> int:
    """Where the run at the end of the text begins, if it is too short to be looked at yet."""
    end = text[-_SHORT:]
    return len(text) - len(end) + len(end.rstrip(_PACKED_CHARS))


def packed(text: str, spans: list[tuple[int, int]], anchor: int, lane: Lane, last: bool) -> tuple[list[Run], int]:
    """What is written in one alignment from ``anchor`` on.

    Args:
        text: folded.
        spans: as ``packed_spans`` finds them.
        anchor: an offset of this alignment; everything before it is done.
        lane: the form and its alignment.
        last: no more text follows.

    Returns:
        The stretches that further text cannot change, and the next anchor: an offset of this alignment, at or before
        the first stretch that is still open.
    """
    size = len(text)
    runs: list[Run] = []
    live = size if last else min(packed_tail(text), size - lane.per)
    for start, end in spans if lane.form == "base64" else _hex_spans(text, spans):
        at = max(anchor, start)
        at += (anchor - at) % lane.per
        if at >= end:
            continue
        # One "=" may be followed by another.
        open_run = not last and (end == size or (end == size - 1 and text[end] == "="))
        if not open_run and not _mixed(text[at:end], lane):
            continue
        whole = at + (end - at) // lane.per * lane.per if open_run else end
        data = _bytes(text[at:whole], lane)
        open_at = _open_from(data) if open_run else len(data)
        if open_run:
            live = min(live, at + open_at // lane.gives * lane.per)
        for stretch in _TEXT.finditer(data):
            first, stop = stretch.span()
            while (stop - first) * lane.per > WINDOW * lane.gives:
                begin = at + first // lane.gives * lane.per
                after = first // lane.gives * lane.gives + WINDOW // lane.per * lane.gives
                if _mixed(text[begin : begin + WINDOW], lane):
                    runs.append(Run(begin, begin + WINDOW, _said(data, first, after), lane.form))
                first = after - _OVERLAP // lane.per * lane.gives
                if open_run and stretch.end() > open_at:
                    live = max(live, at + first // lane.gives * lane.per)
            if open_run and stretch.end() > open_at:
                continue
            begin = at + first // lane.gives * lane.per
            final = min(end, at - (-stop * lane.per // lane.gives))
            if _mixed(text[begin:final], lane):
                runs.append(Run(begin, _padded(text, final, end, lane), _said(data, first, stop), lane.form))
    live = max(live, anchor)
    return runs, live - (live - anchor) % lane.per


def _hex_spans(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        for found in _HEX.finditer(text, start, end):
            yield found.span()


def _mixed(chars: str, lane: Lane) -> bool:
    """Whether base64 of a text may look so: it has capitals and small letters, unlike most identifiers."""
    return lane.form != "base64" or not (chars == chars.lower() or chars == chars.upper())


def _open_from(data: bytes) -> int:
    """Where the text begins that reaches the end of the bytes, whole characters or not; their length for none."""
    stretches = deque(_SOME_TEXT.finditer(data), maxlen=1)
    return stretches[0].start() if stretches and stretches[0].end() == len(data) else len(data)


def _bytes(chars: str, lane: Lane) -> bytes:
    if lane.form == "hex":
        return bytes.fromhex(chars[: len(chars) // 2 * 2])
    whole = len(chars) % 4
    chars = chars.translate(_STANDARD) if "-" in chars or "_" in chars else chars
    return binascii.a2b_base64(chars[:-1] + "===" if whole == 1 else chars + "==")


def _padded(text: str, final: int, end: int, lane: Lane) -> int:
    """The end of a stretch, with the padding that follows its run."""
    if final < end or lane.form != "base64":
        return final
    return final + len(text[final : final + 2]) - len(text[final : final + 2].lstrip("="))


def _said(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode(errors="ignore")


# --- characters that are not drawn ----------------------------------------------------------------------

_UNSEEN: Final = re.compile("[\U000e0020-\U000e007e]{2,1024}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,1024}")
_UNSEEN_ANY: Final = re.compile("[\U000e0020-\U000e007e\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSEEN_END: Final = re.compile("(?:[\U000e0020-\U000e007e]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]+)\\Z")
_TAGS: Final = {code: chr(code - 0xE0000) for code in range(0xE0020, 0xE007F)}
UNSEEN_MAX: Final = 1024


def unseen(text: str, start: int) -> Iterator[Run]:
    """Text in tag characters, or bytes in variation selectors; of the text as it came."""
    if _UNSEEN_ANY.search(text, start) is None:
        return
    for found in _UNSEEN.finditer(text, start):
        run = found.group()
        if run[0] >= "\U000e0020" and run[0] < "\U000e0100":
            yield Run(*found.span(), run.translate(_TAGS), "tags")
        else:
            codes = (ord(char) - (0xE00F0 if char >= "\U000e0100" else 0xFE00) for char in run)
            yield Run(*found.span(), bytes(codes).decode(errors="replace"), "tags")


def unseen_live(text: str) -> int:
    """Where such a run begins at the end of the text."""
    if text[-1:] < "\ufe00":
        return len(text)
    found = _UNSEEN_END.search(text, max(0, len(text) - UNSEEN_MAX))
    return found.start() if found else len(text)
