"""The ``hidden`` guard: text that a person does not see and a model reads.

Characters that are not drawn, tag characters, overridden direction, elements of a page that are not shown, comments
and the parts of Markdown that stay out of sight. ``hidden_spans`` gives the same spans to other guards as a signal.
It reads the text as it came: the folded text has no invisible characters any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from guardrails.config import ActionWord, Strict, action_of
from guardrails.matching import Family, Hit
from guardrails.types import Action

KindWord = Literal["invisible", "tags", "bidi", "html", "comments", "markdown"]
KINDS: Final[tuple[KindWord, ...]] = ("invisible", "tags", "bidi", "html", "comments", "markdown")
CATEGORY: Final = "HIDDEN_TEXT"
#: The longest hidden stretch, in code points; a longer one has outgrown the guard.
LIMIT: Final = 2048
_TAG_MAX: Final = 512
_LINK_MAX: Final = 768


class HiddenConfig(Strict):
    """What counts as hidden and what to do about it.

    Attributes:
        kinds: which ways of hiding; comments and Markdown are ordinary in code and documents, so they are asked for.
    """

    kinds: Annotated[tuple[KindWord, ...], Field(strict=False, min_length=1)] = ("invisible", "tags", "bidi", "html")
    action: ActionWord = "detect"


class HiddenSpan(NamedTuple):
    """A stretch of the text as it came that is not shown."""

    start: int
    end: int
    kind: KindWord


_UNDRAWN: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0"
_WORDLY: Final = "A-Za-z0-9가-힣"
_HEAD: Final = re.compile(
    f"[{_UNDRAWN}\u202d\u202e\ufe00-\ufe0f\U000e0000-\U000e01ef]|<!--|<[A-Za-z]|!\\[|\\]\\(|(?m:^)\\["
)
_BEGUN: Final = re.compile(r"(?:<(?:!-?)?|!|\])\Z")
_RUNS: Final[tuple[tuple[KindWord, re.Pattern[str]], ...]] = (
    # A flag is a black flag with the tags of its region behind it.
    ("tags", re.compile("(?<!\U0001f3f4)[\U000e0001\U000e0020-\U000e007f]+|[\U000e0001\U000e0020-\U000e007f]{8,}")),
    ("bidi", re.compile("[\u202d\u202e]+")),
    ("invisible", re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")),
    ("invisible", re.compile(f"(?<=[{_WORDLY}])[{_UNDRAWN}]+(?=[{_WORDLY}])|[{_UNDRAWN}]{{4,}}")),
)
_UNSEEN: Final = re.compile(f"[{_UNDRAWN}\u202d\u202e\ufe00-\ufe0f\U000e0000-\U000e01ef]+")
_OPEN_TAG: Final = re.compile(rf"<([A-Za-z][A-Za-z0-9]{{0,15}})\s[^<>]{{1,{_TAG_MAX}}}>")
_HIDES: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity|max-height)\s*:\s*0(?:\.0+)?(?![.\d])"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3}|\scolor\s*=\s*[\"']?(?:white|\#fff)|\shidden(?=[\s=>/])"
    r"|clip\s*:\s*rect\(\s*0",
    re.IGNORECASE,
)
_PALE: Final = re.compile(
    r"(?<![-\w])color\s*:\s*(?:white\b|transparent\b|\#fff(?:fff)?\b|rgba?\(\s*255\s*,\s*255\s*,\s*255)", re.IGNORECASE
)
_DARK: Final = re.compile(
    r"background(?:-color)?\s*:\s*(?!\s*(?:white\b|transparent\b|\#fff(?:fff)?\b|none\b|inherit\b))", re.IGNORECASE
)
_LINK: Final = re.compile(
    r"\]\([^()\s]{0,300}[ \t]{1,4}(?:\"[^\"\n]{1,400}\"|'[^'\n]{1,400}')[ \t]?\)"
    r"|!\[[^\]\n]{1,400}\]"
    r"|\[[^\]\n]{1,60}\]:[ \t]?(?:\#|<[^<>\n]{0,100}>|\S{1,200})[ \t]?(?:\([^()\n]{1,400}\)|\"[^\"\n]{1,400}\")"
)
_OPEN: Final = -1  # more text may decide


def hidden_spans(text: str, kinds: tuple[KindWord, ...] = KINDS) -> tuple[HiddenSpan, ...]:
    """Every hidden stretch of a whole text, in order, without overlaps; linear."""
    return tuple(
        HiddenSpan(start, min(end, start + LIMIT), kind) for start, end, kind in _find(text, 0, kinds, last=True)[0]
    )


def _find(
    text: str, start: int, kinds: tuple[KindWord, ...], *, last: bool
) -> tuple[list[tuple[int, int, KindWord]], int]:
    """The stretches that are decided, from ``start`` on, and where the first undecided one begins."""
    found: list[tuple[int, int, KindWord]] = []
    at = start
    while (head := _HEAD.search(text, at)) is not None:
        begin = head.start()
        end, kind = _at(text, begin, last=last)
        if end == _OPEN:
            return found, begin
        if end > begin and kind and kind in kinds:
            found.append((begin, end, kind))
        at = end if end > begin else begin + 1
    begun = None if last else _BEGUN.search(text, max(at, len(text) - 3))
    return found, begun.start() if begun else len(text)


def _at(text: str, begin: int, *, last: bool) -> tuple[int, KindWord | Literal[""]]:
    """What is hidden at ``begin``: its end (``begin`` for nothing, ``_OPEN`` where more text decides), and how."""
    char = text[begin]
    if char == "<":
        return _comment(text, begin, last) if text.startswith("<!--", begin) else _element(text, begin, last)
    if char in "![]":
        line = text.find("\n", begin, begin + _LINK_MAX)
        if line < 0 and len(text) - begin < _LINK_MAX and not last:
            return _OPEN, "markdown"
        link = _LINK.match(text, begin)
        return (link.end() if link else begin), "markdown"
    run = _UNSEEN.match(text, begin, begin + LIMIT)
    if run is not None and run.end() == len(text) and run.end() - begin < LIMIT and not last:
        return _OPEN, "invisible"
    for kind, pattern in _RUNS:
        match = pattern.match(text, begin, begin + LIMIT)
        if match is not None:
            return match.end(), kind
    return (run.end() if run else begin), ""


def _comment(text: str, begin: int, last: bool) -> tuple[int, KindWord]:
    end = text.find("-->", begin + 4, begin + LIMIT)
    if end >= 0:
        return end + 3, "comments"
    if len(text) - begin < LIMIT:
        return (len(text) if last else _OPEN), "comments"
    return begin + LIMIT, "comments"


def _element(text: str, begin: int, last: bool) -> tuple[int, KindWord]:
    tag = _OPEN_TAG.match(text, begin)
    if tag is None:
        shut = text.find(">", begin, begin + _TAG_MAX)
        undecided = shut < 0 and len(text) - begin < _TAG_MAX and text.find("<", begin + 1) < 0
        return (_OPEN if undecided and not last else begin), "html"
    dress = tag.group()
    if not (_HIDES.search(dress) or (_PALE.search(dress) and not _DARK.search(dress))):
        return begin, "html"
    stop = text.find(f"</{tag[1]}", tag.end(), begin + LIMIT)
    if stop < 0:
        if len(text) - begin >= LIMIT:
            return begin + LIMIT, "html"
        if not last:
            return _OPEN, "html"
        stop = len(text)
    says = any(map(str.isalpha, text[tag.end() : stop]))
    return (stop if says else begin), "html"


@dataclass(frozen=True, slots=True)
class HiddenFamily:
    """All kinds in one pass over the text as it came."""

    kinds: tuple[KindWord, ...]
    action: Action
    item: int

    raw = True
    width = 1
    digits = False
    hold = LIMIT
    left = 2

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((self.action,))

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        found, live = _find(text, max(0, positions[0]), self.kinds, last=last)
        positions[0] = max([positions[0], live, *(end for _, end, _ in found)])
        return list(self._hits(found)), live

    def _hits(self, found: list[tuple[int, int, KindWord]]) -> Iterator[Hit]:
        for start, end, kind in found:
            overlong = end - start >= LIMIT
            action = Action.BLOCK if overlong and self.action >= Action.MASK else self.action
            reason = f"hidden.{kind}" + (".overlong" if overlong else "")
            yield Hit(start, end, 1.0, CATEGORY, action, reason, "hidden", self.item)


def compile_hidden(config: HiddenConfig, item: int) -> tuple[Family, ...]:
    """The one family of this guard."""
    return (HiddenFamily(config.kinds, action_of(config.action), item),)
