r"""The ``regex`` guard: the operator's own patterns, in RE2's linear time.

A match is looked for inside ``max_length`` code points from where it begins. One that goes on beyond them has
outgrown its declaration: it blocks where it would have been masked. A pattern that says what every match ``opens``
with is looked for only there, so a stream holds nothing back before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import re2
from pydantic import Field

from guardrails.config import ActionWord, Strict, Words, action_of, refuse
from guardrails.matching import LEFT, Family, Hit, make_hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PATTERN = 500
MAX_LENGTH = 1000
_MEMORY = 4 << 20  # bytes one compiled pattern may use
_BLOCK = 4096  # code points searched at once
_LAST = chr(0x10FFFF)


class RegexConfig(Strict):
    """One pattern.

    Attributes:
        name: its category in findings and placeholders, upper-cased.
        pattern: RE2 syntax; at most 500 code points.
        max_length: longest text it may match, in code points; 1,000 for a pattern that ``opens``.
        opens: what every match begins with, literally.
        allow: exact matches that do not count.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]
    max_length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] = 0  # 0: not declared
    opens: Annotated[str, Field(max_length=40)] = ""
    action: ActionWord = "block"
    allow: Words = ()


@dataclass(frozen=True, slots=True)
class RegexFamily:
    """One pattern, read in bounded pieces so that a stream and a whole text agree."""

    pattern: Any
    low: str
    high: str
    limit: int
    category: str
    action: Action
    allow: frozenset[str]
    item: int
    guard: str = "regex"
    opens: str = ""

    width = 1
    digits = False
    left = LEFT

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((self.action,))

    @property
    def hold(self) -> int:
        """The declared length, and one character after it."""
        return self.limit + 2

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        live = len(text) if last else self._live(text)
        hits: list[Hit] = []
        start = positions[0]
        for begin, end in self._find(text, start):
            if begin >= live:
                break
            start = end
            if text[begin:end] in self.allow:
                continue
            overlong = end - begin > self.limit
            hits.append(
                make_hit(
                    (begin, end),
                    1.0,
                    self.category,
                    self.action,
                    guard=self.guard,
                    item=self.item,
                    overlong=overlong,
                )
            )
        positions[0] = max(start, live)
        return hits, live

    def _find(self, text: str, start: int) -> Iterator[tuple[int, int]]:
        """Leftmost matches, each confined to ``limit + 1`` code points from its beginning."""
        size = len(text)
        block = _BLOCK
        while start < size:
            if self.opens:
                start = text.find(self.opens, start)
                if start < 0:
                    return
            # One character of context on either side; a match may reach past the block.
            base = max(0, start - 1)
            stop = min(size, start + block)
            block = min(_BLOCK, 2 * block)
            piece = text[base : min(size, stop + self.limit + 2)]
            look = self.pattern.match if self.opens else self.pattern.search
            found = look(piece, start - base)
            if found is None and self.opens:
                start += 1
                continue
            if found is None or base + found.start() >= stop:
                start = stop
                continue
            begin = base + found.start()
            here = text[max(0, begin - 1) : begin + self.limit + 2]
            front = begin - max(0, begin - 1)
            inside = self.pattern.match(here, front, min(len(here), front + self.limit + 1))
            if inside is None or inside.end() == front:
                start = begin + 1
                block = 1  # such text may go on for long: look no further than need be
                continue
            start = begin - front + inside.end()
            yield begin, start

    def _live(self, text: str) -> int:
        size = len(text)
        if self.opens:
            whole = text.find(self.opens, max(0, size - self.limit - 1))
            if whole >= 0:
                return whole
            tail = text[max(0, size - len(self.opens) + 1) :]
            return next((size - len(tail) + at for at in range(len(tail)) if self.opens.startswith(tail[at:])), size)
        if not self.low and self.high >= _LAST:
            return max(0, size - self.limit - 1)  # it may begin with anything
        for offset in range(max(0, size - self.limit - 1), size):
            tail = text[offset:]
            if tail <= self.high and (tail >= self.low or self.low.startswith(tail)):
                return offset
        return size


def compile_regex(config: RegexConfig, item: int) -> tuple[Family, ...]:
    """The family of one pattern.

    Raises:
        GuardConfigErrors: RE2 refuses the pattern, or it matches nothing at all (an empty string).
    """
    if not (config.max_length or config.opens):
        hint = "say how long a match may be, or what every match `opens` with"
        refuse([GuardConfigError(("max_length",), "the setting 'max_length' is missing", hint)])
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        pattern = re2.compile(config.pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        refuse([GuardConfigError(("pattern",), f"RE2 refuses it: {said}", _hint(config.pattern))])
        raise
    if any(match.end() == match.start() for probe in ("", "a 1", "가-A") for match in pattern.finditer(probe)):
        refuse([GuardConfigError(("pattern",), "it matches an empty text", "require at least one character")])
    low, high = _range(pattern)
    opens = normalize(config.opens)[0]
    if opens and not low[: len(opens)] <= opens <= high:
        refuse(
            [GuardConfigError(("opens",), f"no match can begin with {opens!r}", "give what every match begins with")]
        )
    family = RegexFamily(
        pattern=pattern,
        low=low,
        high=high,
        limit=config.max_length or MAX_LENGTH,
        category=config.name.upper().replace("-", "_"),
        action=action_of(config.action),
        allow=frozenset(normalize(value)[0] for value in config.allow),
        item=item,
        opens=opens,
    )
    return (family,)


#: What other engines have and RE2 has not, by how it is written.
_UNKNOWN = (
    (re.compile(r"\(\?<[=!]"), "a look-behind", "match what stands before as well, or use `\\b`"),
    (re.compile(r"\(\?[=!]"), "a look-ahead", "match what stands behind as well, or use `\\b`"),
    (re.compile(r"\\[1-9]|\(\?P="), "a back-reference", "write the repetition out"),
    (re.compile(r"\(\?>|[*+?}]\+"), "an atomic group or a possessive repeat", "drop it: RE2 never backtracks"),
)


def _hint(pattern: str) -> str:
    """How to mend a pattern that RE2 refuses."""
    for written, name, instead in _UNKNOWN:
        if written.search(pattern):
            return f"it has {name}, which linear time does not allow; {instead}"
    return "its syntax is RE2's, and it may use 4 MiB: shorten counted repeats such as {100}"


def _range(pattern: Any) -> tuple[str, str]:
    """Every match lies between these two (RE2's own analysis); the whole of Unicode when it cannot say."""
    try:
        low, high = pattern.possiblematchrange(10)
    except re2.error:
        return "", _LAST * 2
    # A character cut at the tenth byte is dropped, which only widens the range.
    return low.decode(errors="ignore"), high.decode(errors="ignore") + _LAST
